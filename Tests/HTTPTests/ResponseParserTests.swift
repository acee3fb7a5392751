// COLD. Responses of upstreams: RFC 9112 §4 and §6.3. Every refusal is a 502.
import Bytes
import HTTP
import Testing

@Suite("Response heads")
struct ResponseParserTests {
    @Test("A plain response is read in full")
    func plain() {
        let text = "HTTP/1.1 200 All right\r\nServer: x\r\nContent-Length: 3\r\nKeep-Alive: timeout=5\r\n\r\nabc"
        let parsed = ParsedResponse(text)
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.status == 200)
        #expect(parsed.text(parsed.head.reason) == "All right")
        #expect(parsed.head.version == .http11)
        #expect(parsed.head.framing == .length(3))
        #expect(parsed.head.contentLength == 3)
        #expect(parsed.head.keepAlive)
        #expect(!parsed.head.isInterim)
        #expect(parsed.head.length == text.utf8.count - 3)
        #expect(parsed.kept == ["Server: x"])
    }

    @Test(
        "Status lines that are accepted",
        arguments: [
            ("HTTP/1.1 200 OK", 200, "OK"),
            ("HTTP/1.1 200 ", 200, ""),
            ("HTTP/1.1 200", 200, ""),
            ("HTTP/1.0 404 Not Found", 404, "Not Found"),
            ("HTTP/1.1 599 a\tb", 599, "a\tb"),
            ("HTTP/1.1 200  OK", 200, " OK"),
            ("HTTP/1.1 299 \u{e9}", 299, "\u{fffd}"),
        ]
    )
    func statusLines(line: String, status: Int, reason: String) {
        let parsed = ParsedResponse(line + "\r\nContent-Length: 0\r\n\r\n")
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.status == status)
        #expect(parsed.text(parsed.head.reason) == reason)
    }

    @Test(
        "Malformed status lines are refused",
        arguments: [
            ("HTTP/1.1", .upstreamStatusLine),
            ("HTTP/1.1 ", .upstreamStatusLine),
            ("HTTP/1.1 20", .upstreamStatusLine),
            ("HTTP/1.1 2000", .upstreamStatusLine),
            ("HTTP/1.1 200OK", .upstreamStatusLine),
            ("HTTP/1.1  200 OK", .upstreamStatusLine),
            ("HTTP/1.1\t200 OK", .upstreamStatusLine),
            ("HTTP/1.1 099 X", .upstreamStatusLine),
            ("HTTP/1.1 000 X", .upstreamStatusLine),
            ("HTTP/1.1 600 X", .upstreamStatusLine),
            ("HTTP/1.1 999 X", .upstreamStatusLine),
            ("HTTP/1.1 -20 X", .upstreamStatusLine),
            ("HTTP/1.1 2x0 X", .upstreamStatusLine),
            ("HTTP/1.1 200\tOK", .upstreamStatusLine),
            ("HTTP/1.1 200 O\u{00}K", .upstreamStatusLine),
            ("HTTP/1.1 200 O\u{7f}K", .upstreamStatusLine),
            ("HTTP/1.1 200 OK\n", .upstreamStatusLine),
            ("HTTP/1.1 200 OK\rX", .upstreamStatusLine),
            (" HTTP/1.1 200 OK", .upstreamStatusLine),
            ("\r\nHTTP/1.1 200 OK", .upstreamStatusLine),
            ("http/1.1 200 OK", .upstreamStatusLine),
            ("ICY 200 OK", .upstreamStatusLine),
            ("200 OK", .upstreamStatusLine),
            ("GET / HTTP/1.1", .upstreamStatusLine),
            ("<html><body>hello</body>", .upstreamStatusLine),
            ("SSH-2.0-OpenSSH_9.2", .upstreamStatusLine),
            ("\u{15}\u{03}\u{03}\u{00}\u{02}\u{02}F", .upstreamStatusLine),
            ("HTTP/2.0 200 OK", .upstreamVersion),
            ("HTTP/2 200 OK", .upstreamVersion),
            ("HTTP/0.9 200 OK", .upstreamVersion),
            ("HTTP/1.2 200 OK", .upstreamVersion),
            ("HTTP/1 200 OK", .upstreamVersion),
        ] as [(String, ProtocolError)]
    )
    func malformed(line: String, error: ProtocolError) {
        #expect(ParsedResponse(line + "\r\nContent-Length: 0\r\n\r\n").error == error)
        #expect(error.status == 502)
    }

    @Test("Interim responses have no content and are followed by another; 101 is final")
    func interim() {
        for status in [100, 102, 103, 199] {
            let parsed = ParsedResponse(response(status: status))
            #expect(parsed.outcome == .complete)
            #expect(parsed.head.isInterim)
            #expect(parsed.head.framing == .none)
            #expect(ParsedResponse(response("Transfer-Encoding: chunked", status: status)).error == .upstreamFraming)
            #expect(ParsedResponse(response("Content-Length: 5", status: status)).error == .upstreamFraming)
        }
        let switching = ParsedResponse(response("Connection: upgrade", "Upgrade: websocket", status: 101))
        #expect(!switching.head.isInterim)
        #expect(switching.head.framing == .none)
        #expect(switching.text(switching.head.upgrade) == "websocket")
        #expect(ParsedResponse(response("Upgrade: websocket", status: 101)).head.upgrade.isEmpty)
        #expect(ParsedResponse(response("Connection: upgrade", "Upgrade: websocket")).head.upgrade.isEmpty)
        // A 426 has to name what it asks for (RFC 9110 §15.5.22).
        let required = ParsedResponse(response("Connection: upgrade", "Upgrade: websocket", status: 426))
        #expect(required.text(required.head.upgrade) == "websocket")
    }

    @Test("204, 304 and answers to HEAD have no content, whatever their fields say")
    func noContent() {
        let none = ParsedResponse(response(status: 204))
        #expect(none.head.framing == .none && none.head.keepAlive)
        let zero = ParsedResponse(response("Content-Length: 0", status: 204))
        #expect(zero.head.framing == .none && zero.head.keepAlive && zero.head.contentLength == -1)
        // Bytes may follow that belong to nobody: the connection is not used again.
        for line in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            let some = ParsedResponse(response(line, status: 204))
            #expect(some.head.framing == .none && !some.head.keepAlive && some.head.contentLength == -1)
        }

        let unchanged = ParsedResponse(response("Content-Length: 5", status: 304))
        #expect(unchanged.head.framing == .none && unchanged.head.keepAlive && unchanged.head.contentLength == 5)
        for lines in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
            let head = ParsedResponse(response(lines), to: .head)
            #expect(head.outcome == .complete)
            #expect(head.head.framing == .none)
            #expect(head.head.keepAlive)
        }
        #expect(ParsedResponse(response("Content-Length: 5"), to: .head).head.contentLength == 5)
        // The rules of the fields hold nevertheless.
        for lines in ["Content-Length: 5, 5", "Content-Length: -5", "Transfer-Encoding: gzip"] {
            #expect(ParsedResponse(response(lines), to: .head).error == .upstreamFraming)
            #expect(ParsedResponse(response(lines, status: 304)).error == .upstreamFraming)
        }
    }

    @Test("Content without framing ends with the connection, which is not used again")
    func untilClose() {
        for version in ["1.0", "1.1"] {
            let parsed = ParsedResponse(response("Connection: keep-alive", version: version))
            #expect(parsed.head.framing == .untilClose)
            #expect(!parsed.head.keepAlive)
            #expect(parsed.head.contentLength == -1)
        }
        #expect(ParsedResponse(response("Transfer-Encoding: chunked")).head.framing == .chunked)
        #expect(ParsedResponse(response("Content-Length: 0")).head.framing == .length(0))
        #expect(ParsedResponse(response("Content-Length: 0", status: 205)).head.framing == .length(0))
    }

    @Test("Folded lines and other malformed fields are refused")
    func fields() {
        #expect(ParsedResponse(response("Server: a\r\n b")).error == .upstreamField)
        let two = ParsedResponse(response("Set-Cookie: a", "Set-Cookie: b", "Content-Length: 0"))
        #expect(two.kept == ["Set-Cookie: a", "Set-Cookie: b"])
    }

    @Test(
        "White space before the colon is removed, but not from names that say where the message ends",
        arguments: [
            ("Server : a", "Server: a"), ("Server\t \t: a", "Server: a"), ("Set-Cookie :a", "Set-Cookie: a"),
            ("X_Y : a", "X_Y: a"), ("Content-Length : 5", nil), ("Transfer-Encoding : chunked", nil), (" : a", nil),
            ("a b : c", nil), ("a b: c", nil), ("\t: a", nil),
        ]
    )
    func blanks(line: String, kept: String?) {
        let parsed = ParsedResponse(response("X: y", line, "Content-Length: 0"))
        #expect(kept == nil ? parsed.error != nil : parsed.kept == ["X: y", kept])
        #expect(ParsedRequest(request(line)).error != nil)
        let trailers = ParsedTrailers(line + "\r\n\r\n")
        #expect(trailers.outcome != .complete)
        let whole = response(line, "Content-Length: 0")
        for count in 0..<whole.utf8.count {
            let part = ParsedResponse(String(String.UnicodeScalarView(whole.unicodeScalars.prefix(count))))
            #expect(part.outcome == .needMore || part.outcome == ParsedResponse(whole).outcome)
        }
    }

    @Test("Every error has a 502 twin for upstreams, and a twin is its own twin", arguments: ProtocolError.allCases)
    func twins(error: ProtocolError) {
        #expect(error.fromUpstream.status == 502)
        #expect(error.fromUpstream.fromUpstream == error.fromUpstream)
    }
}
