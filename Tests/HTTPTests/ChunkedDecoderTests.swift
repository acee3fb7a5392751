// COLD. The chunked transfer coding: RFC 9112 §7.1.
import Bytes
import HTTP
import Testing

@Suite("Chunked content and trailers")
struct ChunkedDecoderTests {
    @Test(
        "Good content is decoded, however it is split",
        arguments: [
            ("5\r\nhello\r\n0\r\n\r\n", "hello"),
            ("0\r\n\r\n", ""),
            ("00000000\r\n\r\n", ""),
            ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
            ("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
            ("00000005\r\nhello\r\n0\r\n\r\n", "hello"),
            ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
            ("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello"),
            ("5;a=b;c=\"d;e\\\"f\"\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5 ;a\r\nhello\r\n0\t; b\r\n\r\n", "hello"),
            ("5;a= \"\"\r\nhello\r\n0\r\n\r\n", "hello"),
            ("5\t; a = b ; c\t=\t\"d\" ;e ; f\r\nhello\r\n0 ; a =b\r\n\r\n", "hello"),
        ]
    )
    func good(text: String, data: String) {
        let whole = DecodedChunks(text)
        #expect(whole.error == nil)
        #expect(whole.data == data)
        #expect(whole.rest == "\r\n")
        for piece in 1...text.utf8.count { #expect(DecodedChunks(text, piece: piece) == whole) }
    }

    @Test(
        "Malformed content is refused, however it is split",
        arguments: [
            ("\r\n", .chunkSizeMalformed),
            ("\n5\r\nhello", .chunkSizeMalformed),
            (" 5\r\nhello", .chunkSizeMalformed),
            ("\t5\r\nhello", .chunkSizeMalformed),
            (";a\r\n", .chunkSizeMalformed),
            ("x\r\n", .chunkSizeMalformed),
            ("g\r\n", .chunkSizeMalformed),
            ("-1\r\n", .chunkSizeMalformed),
            ("+5\r\nhello", .chunkSizeMalformed),
            ("0x5\r\nhello", .chunkSizeMalformed),
            ("5h\r\nhello", .chunkSizeMalformed),
            ("5,\r\nhello", .chunkSizeMalformed),
            ("5_0\r\nhello", .chunkSizeMalformed),
            ("5\u{0b}\r\nhello", .chunkSizeMalformed),
            ("5\u{00}\r\nhello", .chunkSizeMalformed),
            ("\u{ff}5\r\nhello", .chunkSizeMalformed),
            ("000000005\r\nhello", .chunkSizeMalformed),
            ("100000000\r\n", .chunkSizeMalformed),
            ("ffffffffffffffff\r\n", .chunkSizeMalformed),
            ("10000000000000005\r\nhello", .chunkSizeMalformed),
            ("5 5\r\nhello", .chunkExtensionMalformed),
            ("5 \r\nhello", .chunkLineEnd),
            ("5\t\r\nhello", .chunkLineEnd),
            ("5\nhello\r\n0\r\n\r\n", .chunkLineEnd),
            ("5 \nhello\r\n0\r\n\r\n", .chunkLineEnd),
            ("5\r\rhello", .chunkLineEnd),
            ("5\rhello", .chunkLineEnd),
            ("5;a\nhello\r\n0\r\n\r\n", .chunkLineEnd),
            ("5;\nhello", .chunkLineEnd),
            ("5;a=\"\n\"\r\nhello", .chunkLineEnd),
            ("5;a=\"\r\n\"\r\nhello", .chunkLineEnd),
            ("5;a=\"\\\n\"\r\nhello", .chunkLineEnd),
            ("5;a\rhello", .chunkLineEnd),
            ("5;\r\nhello", .chunkLineEnd),
            ("5;a=\r\nhello", .chunkLineEnd),
            ("5;a;\r\nhello", .chunkLineEnd),
            ("5;a \r\nhello", .chunkLineEnd),
            ("5;a =\r\nhello", .chunkLineEnd),
            ("5;a=b \r\nhello", .chunkLineEnd),
            ("5;a=b =c\r\nhello", .chunkExtensionMalformed),
            ("5;a b=c\r\nhello", .chunkExtensionMalformed),
            ("5 =b\r\nhello", .chunkExtensionMalformed),
            ("5;=b\r\nhello", .chunkExtensionMalformed),
            ("5;a=b=c\r\nhello", .chunkExtensionMalformed),
            ("5;a=\"b\"c\r\nhello", .chunkExtensionMalformed),
            ("5;a b\r\nhello", .chunkExtensionMalformed),
            ("5;a\u{00}\r\nhello", .chunkExtensionMalformed),
            ("5;a\u{7f}\r\nhello", .chunkExtensionMalformed),
            ("5;\u{e9}\r\nhello", .chunkExtensionMalformed),
            ("5;a=\"\u{00}\"\r\nhello", .chunkExtensionMalformed),
            ("5;a=\"\\\u{7f}\"\r\nhello", .chunkExtensionMalformed),
            ("5\r\nhello0\r\n\r\n", .chunkDataEnd),
            ("5\r\nhello\n0\r\n\r\n", .chunkDataEnd),
            ("5\r\nhello\r0\r\n\r\n", .chunkDataEnd),
            ("5\r\nhello world\r\n0\r\n\r\n", .chunkDataEnd),
            ("5\r\nhello\r\n\r\n", .chunkSizeMalformed),
            ("3\r\nabc\r\n-0\r\n\r\n", .chunkSizeMalformed),
        ] as [(String, ProtocolError)]
    )
    func malformed(text: String, error: ProtocolError) {
        let whole = DecodedChunks(text)
        #expect(whole.error == error)
        #expect(whole.rest == nil)
        for piece in 1...text.utf8.count { #expect(DecodedChunks(text, piece: piece) == whole) }
    }

    @Test("The greatest size is 2^32 - 1")
    func greatest() {
        #expect(DecodedChunks("ffffffff\r\nabc") == DecodedChunks("FFFFFFFF\r\nabc"))
        #expect(DecodedChunks("ffffffff\r\nabc").data == "abc")
    }

    @Test("Extensions have up to 256 bytes a chunk")
    func extensions() {
        let name = String(repeating: "a", count: 255)
        #expect(DecodedChunks("5;\(name)\r\nhello\r\n0\r\n\r\n").data == "hello")
        #expect(DecodedChunks("5;\(name)aa\r\nhello\r\n0\r\n\r\n").error == .chunkExtensionTooLong)
        #expect(DecodedChunks("5;\(name);\(name)\r\nhello\r\n0\r\n\r\n").error == .chunkExtensionTooLong)
        #expect(DecodedChunks("5\(String(repeating: " ", count: 300));a\r\n").error == .chunkExtensionTooLong)
    }

    @Test("Content made of chunk lines rather than data is refused, plain small chunks are not")
    func overhead() {
        let heavy = String(repeating: "1;\(String(repeating: "a", count: 200))\r\nx\r\n", count: 200)
        #expect(DecodedChunks(heavy).error == .chunkExtensionTooLong)
        let light = String(repeating: "1\r\nx\r\n", count: 20000)
        #expect(DecodedChunks(light).error == nil)
        #expect(DecodedChunks(light).data.utf8.count == 20000)
    }

    @Test("The end is known, and stays")
    func finished() {
        let bytes = latin1("1\r\na\r\n0\r\nrest")
        var decoder = ChunkedDecoder()
        var offset = 0
        var steps: [ChunkedDecoder.Step] = []
        while steps.count < 4 {
            let step = decoder.next(bytes.span, at: &offset)
            steps.append(step)
        }
        #expect(steps == [.data(Slice(3, 4)), .trailers, .trailers, .trailers])
        #expect(offset == 9)
        let finished = decoder.isFinished
        #expect(finished)
    }

    @Test("Trailer fields are parsed up to the empty line; those that may not be there are dropped")
    func trailers() {
        let text = "xxX-Checksum: 1\r\nServer-Timing:  a\r\n\r\nnext"
        let parsed = ParsedTrailers(text, from: 2)
        #expect(parsed.outcome == .complete)
        #expect(parsed.end == text.utf8.count - 4)
        #expect(parsed.kept == ["X-Checksum: 1", "Server-Timing: a"])
        #expect(ParsedTrailers("\r\n").outcome == .complete)
        #expect(ParsedTrailers("\r\n").end == 2)
        #expect(ParsedTrailers("\n").outcome == .refuse(.bareLineFeed))
        #expect(ParsedTrailers("\rx").outcome == .refuse(.bareCarriageReturn))
    }

    @Test(
        "Fields that trailers may not carry are dropped",
        arguments: [
            "Transfer-Encoding: chunked", "Content-Length: 5", "Host: a", "Authorization: x", "Cookie: a=b",
            "Set-Cookie: a=b", "Content-Type: a/b", "Content-Encoding: gzip", "Content-Range: bytes 0-1/2",
            "Trailer: x", "TE: trailers", "Connection: close", "Upgrade: x", "Cache-Control: no-store",
            "X-Forwarded-For: 1", "X-Forwarded-User: a", "Forwarded: for=1", "X-Real-IP: 1", "X-Original-URL: /",
            "Max-Forwards: 1", "Expect: 100-continue", "Range: bytes=0-", "X_User: a", "X.User: a", "Location: /",
            "WWW-Authenticate: x", "Proxy-Authorization: x", "If-Match: x", "Vary: x", "Origin: x",
        ]
    )
    func forbiddenTrailers(line: String) {
        let parsed = ParsedTrailers("\(line)\r\nX-Ok: 1\r\n\r\n")
        #expect(parsed.outcome == .complete)
        #expect(parsed.kept == ["X-Ok: 1"])
    }
}
