// COLD. Content-Length and Transfer-Encoding: RFC 9112 §6 and §7, RFC 9110 §8.6.
import Bytes
import HTTP
import Testing

@Suite("Framing of requests")
struct FramingTests {
    @Test(
        "A Content-Length that is not digits alone is refused",
        arguments: [
            ("", .contentLengthMalformed),
            (" ", .contentLengthMalformed),
            ("+1", .contentLengthMalformed),
            ("-1", .contentLengthMalformed),
            ("-0", .contentLengthMalformed),
            ("0x10", .contentLengthMalformed),
            ("1e1", .contentLengthMalformed),
            ("1.0", .contentLengthMalformed),
            ("5, 5", .contentLengthMalformed),
            ("5,5", .contentLengthMalformed),
            ("5,", .contentLengthMalformed),
            ("5 5", .contentLengthMalformed),
            ("5;5", .contentLengthMalformed),
            ("1_000", .contentLengthMalformed),
            ("\"5\"", .contentLengthMalformed),
            ("abc", .contentLengthMalformed),
            ("5a", .contentLengthMalformed),
            ("\u{b2}", .contentLengthMalformed),
            ("9223372036854775808", .contentLengthTooLarge),
            ("18446744073709551615", .contentLengthTooLarge),
            ("18446744073709551616", .contentLengthTooLarge),
            ("18446744073709551621", .contentLengthTooLarge),
            ("99999999999999999999999999999999", .contentLengthTooLarge),
            ("00000000000000000000009223372036854775808", .contentLengthTooLarge),
        ] as [(String, ProtocolError)]
    )
    func contentLengthRefused(value: String, error: ProtocolError) {
        #expect(ParsedRequest(request("Content-Length: \(value)", method: "POST")).error == error)
        #expect(ParsedRequest(request("Content-Length: \(value)")).error == error)
        #expect(ParsedResponse(response("Content-Length: \(value)")).error == .upstreamFraming)
    }

    @Test(
        "A good Content-Length is read",
        arguments: [
            ("0", 0), ("1", 1), ("5", 5), ("0005", 5), ("00000000000000000000000000000000000000005", 5),
            ("1234567890123456789", 1_234_567_890_123_456_789), (" \t7\t ", 7),
        ] as [(String, UInt64)]
    )
    func contentLength(value: String, length: UInt64) {
        let parsed = ParsedRequest(request("Content-Length: \(value)", method: "POST"))
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.framing == .length(length))
        #expect(parsed.kept.isEmpty)
    }

    @Test("Two Content-Length fields are refused, even if they are equal")
    func twoLengths() {
        for second in ["5", "6", "", "05"] {
            let text = request("Content-Length: 5", "content-length: \(second)", method: "POST")
            #expect(ParsedRequest(text).error == .contentLengthDuplicate)
        }
        let response = ParsedResponse(response("Content-Length: 5", "Content-Length: 5"))
        #expect(response.error == .upstreamFraming)
    }

    @Test(
        "Any Transfer-Encoding but exactly chunked is refused",
        arguments: [
            ("", .transferEncodingMalformed),
            (",", .transferEncodingMalformed),
            ("chunked,", .transferEncodingMalformed),
            (",chunked", .transferEncodingMalformed),
            ("chunked, chunked", .transferEncodingMalformed),
            ("chunked,chunked", .transferEncodingMalformed),
            ("chunked, gzip", .transferEncodingMalformed),
            ("chunked;q=1", .transferEncodingMalformed),
            ("chunked ;", .transferEncodingMalformed),
            ("chunked x", .transferEncodingMalformed),
            ("chunked=", .transferEncodingMalformed),
            ("\"chunked\"", .transferEncodingMalformed),
            ("chunked\u{e9}", .transferEncodingMalformed),
            ("\u{e9}chunked", .transferEncodingMalformed),
            ("(x) chunked", .transferEncodingMalformed),
            ("identity x", .transferEncodingMalformed),
            ("identity", .transferEncodingMalformed),
            ("identity, chunked", .transferEncodingUnknown),
            ("gzip, chunked", .transferEncodingUnknown),
            ("gzip,chunked", .transferEncodingUnknown),
            ("gzip;q=1, chunked", .transferEncodingUnknown),
            ("gzip;q=1", .transferEncodingMalformed),
            ("gzip;q=\"x, chunked\"", .transferEncodingMalformed),
            ("x;, chunked", .transferEncodingUnknown),
            ("x;chunked", .transferEncodingMalformed),
            ("gzip", .transferEncodingMalformed),
            ("deflate", .transferEncodingMalformed),
            ("xchunked", .transferEncodingMalformed),
            ("chunkedx", .transferEncodingMalformed),
            ("x-chunked", .transferEncodingMalformed),
            ("chunke", .transferEncodingMalformed),
            ("'chunked'", .transferEncodingMalformed),
            ("chunked\u{0b}", .fieldValueCharacter),
            ("\u{0b}chunked", .fieldValueCharacter),
            ("chunked\u{00}", .fieldValueCharacter),
        ] as [(String, ProtocolError)]
    )
    func transferEncodingRefused(value: String, error: ProtocolError) {
        #expect(ParsedRequest(request("Transfer-Encoding: \(value)", method: "POST")).error == error)
        #expect(ParsedResponse(response("Transfer-Encoding: \(value)")).error == error.fromUpstream)
    }

    @Test("A coding that is not known is a 501 if chunked follows it; what does not end with chunked is a 400")
    func transferEncodingStatus() {
        #expect(ProtocolError.transferEncodingUnknown.status == 501)
        #expect(ProtocolError.transferEncodingMalformed.status == 400)
    }

    @Test(
        "chunked is found in any case, with white space around it",
        arguments: ["chunked", "CHUNKED", "Chunked ", " \tchunked\t "]
    )
    func chunked(value: String) {
        let parsed = ParsedRequest(request("Transfer-Encoding:\(value)", method: "POST"))
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.framing == .chunked)
        #expect(parsed.kept.isEmpty)
    }

    @Test(
        "Transfer-Encoding in two fields is one list",
        arguments: [
            ("chunked", "chunked", .transferEncodingMalformed),
            ("chunked", "identity", .transferEncodingMalformed),
            ("chunked", "", .transferEncodingMalformed),
            ("", "chunked", .transferEncodingMalformed),
            ("gzip", "chunked", .transferEncodingUnknown),
            ("identity", "chunked", .transferEncodingUnknown),
        ] as [(String, String, ProtocolError)]
    )
    func twoFields(first: String, second: String, error: ProtocolError) {
        let text = request("Transfer-Encoding: \(first)", "X: y", "transfer-encoding: \(second)", method: "POST")
        #expect(ParsedRequest(text).error == error)
    }

    @Test("Transfer-Encoding with Content-Length, or in HTTP/1.0, is refused")
    func conflicts() {
        let chunked = "Transfer-Encoding: chunked"
        for length in ["0", "5", "", "x"] {
            let field = "Content-Length: \(length)"
            #expect(ParsedRequest(request(chunked, field, method: "POST")).error == .framingConflict)
            #expect(ParsedRequest(request(field, chunked, method: "POST")).error == .framingConflict)
            #expect(ParsedResponse(response(chunked, field)).error == .upstreamFraming)
        }
        #expect(ParsedRequest(request(chunked, version: "1.0")).error == .transferEncodingVersion)
        #expect(ParsedResponse(response(chunked, version: "1.0")).error == .upstreamFraming)
    }

    @Test(
        "Names that another hop may take for a framing field are flagged or refused, never framing",
        arguments: ["Content_Length: 5", "Transfer_Encoding: chunked", "Transfer.Encoding: chunked"]
    )
    func lookAlikes(line: String) {
        let parsed = ParsedRequest(request(line, method: "POST"))
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.framing == .none)
        #expect(parsed.head.hasUnusualNames)
    }

    @Test("A request without framing fields has no content, whatever its method", arguments: ["GET", "POST", "X"])
    func none(method: String) {
        #expect(ParsedRequest(request(method: method)).head.framing == .none)
    }
}
