// COLD. Requests as HTTP/1 heads, and every rule of RFC 9113 §8 that makes one malformed.
import HTTP
import HTTP2
import Testing

@Suite("requests over HTTP/2")
struct RequestTests {
    @Test("a request becomes an HTTP/1.1 head", arguments: [1, 2, 3, 7, 64, Int.max])
    func head(piece: Int) {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, "/a?b=c", fields: [("accept", "*/*"), ("x-empty", "")])
        server.feed(frames, piece: piece)
        #expect(server.events == ["request 1 complete"])
        #expect(
            server.heads[1] == "GET /a?b=c HTTP/1.1\r\nhost: example.org\r\naccept: */*\r\nx-empty: \r\n\r\n"
        )
    }

    @Test("the HTTP/1 parser takes the head")
    func parsed() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.headers(1, Frames.request("POST", "/up") + [("te", "trailers")], ends: false)
        server.feed(frames)
        let head = RequestHead()
        let outcome = withBytes(server.heads[1] ?? "") {
            RequestParser.parse(Span(_unsafeElements: $0), into: head, limits: HeadLimits())
        }
        #expect(outcome == .complete)
        #expect(head.framing == .chunked)
        #expect(head.teTrailers)
        #expect(head.method == .post)
    }

    @Test("content arrives as slices, with its end")
    func content() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.headers(1, Frames.request("POST", "/") + [("content-length", "6")], ends: false)
        frames.data(1, "abc")
        frames.data(1, "def", ends: true)
        server.feed(frames)
        #expect(server.events == ["request 1", "data 1 3", "data 1 3 last"])
        #expect(server.content[1] == "abcdef")
        #expect(server.heads[1]?.contains("content-length: 6\r\n") == true)
        #expect(server.heads[1]?.contains("transfer-encoding") == false)
    }

    @Test("padding is not content")
    func padding() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, ends: false)
        frames.add(0, 8 | 1, 1, [3] + Array("ab".utf8) + [0, 0, 0])
        server.feed(frames, piece: 1)
        #expect(server.content[1] == "ab")
        #expect(server.events.last == "end 1")
    }

    @Test("trailers follow the content")
    func trailers() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, ends: false)
        frames.data(1, "x")
        frames.headers(1, [("grpc-status", "0")])
        server.feed(frames)
        #expect(server.events == ["request 1", "data 1 1", "trailers 1 grpc-status: 0\r\n\r\n"])
    }

    @Test("crumbs of a cookie are joined")
    func cookies() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, fields: [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")])
        server.feed(frames)
        #expect(server.heads[1]?.contains("\r\ncookie: a=1; b=2; c=3\r\n\r\n") == true)
    }

    @Test("Host alone is an authority, and one that agrees is left out")
    func host() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.headers(1, [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "h.example")])
        frames.get(3, fields: [("host", "EXAMPLE.org")])
        server.feed(frames)
        #expect(server.heads[1] == "GET / HTTP/1.1\r\nhost: h.example\r\n\r\n")
        #expect(server.heads[3] == "GET / HTTP/1.1\r\nhost: example.org\r\n\r\n")
    }

    @Test("OPTIONS may ask of the server as a whole")
    func asterisk() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.headers(1, Frames.request("OPTIONS", "*"))
        server.feed(frames)
        #expect(server.heads[1]?.hasPrefix("OPTIONS * HTTP/1.1\r\n") == true)
    }

    @Test("is malformed: a stream error PROTOCOL_ERROR, and nobody hears of it", arguments: MalformedRequest.all)
    func malformed(_ example: MalformedRequest) {
        let server = ServerEnd()
        _ = server.written()
        var frames = Frames.opening
        frames.headers(1, example.pairs)
        frames.get(3)
        server.feed(frames)
        #expect(server.events == ["request 3 complete"])
        let resets = server.written().filter { $0.type == 3 }
        #expect(resets.map(\.stream) == [1])
        #expect(resets.map(\.code) == [1])
    }

    @Test("https over TLS only; http over TLS is what a proxy says whose own client came in clear text")
    func scheme() {
        for (isTLS, events) in [(true, ["request 1 complete", "request 3 complete"]), (false, ["request 3 complete"])] {
            let server = ServerEnd(isTLS: isTLS)
            var frames = Frames.opening
            frames.headers(1, Frames.request("GET", "/", scheme: "https"))
            frames.headers(3, Frames.request("GET", "/", scheme: "http"))
            server.feed(frames)
            #expect(server.events == events)
        }
    }

    @Test("CONNECT is answered, not served")
    func connect() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.headers(1, [(":method", "CONNECT"), (":authority", "a:443")], ends: false)
        frames.data(1, "never seen")
        server.feed(frames)
        #expect(server.events == ["refuse 1 501"])
        server.respond(1, "HTTP/1.1 501 Not Implemented\r\n\r\n", ends: true)
        #expect(server.written().contains { $0.type == 1 && $0.stream == 1 })
        #expect(server.codec.isIdle)
    }

    @Test("too large a field section is refused with 431, twice as many fields as well")
    func large() {
        let server = ServerEnd()
        var frames = Frames.opening
        let big = String(repeating: "a", count: 12_000)
        frames.get(1, fields: [("a", big)])
        frames.headers(3, Frames.request("GET", "/") + (0..<120).map { ("x-\($0)", "y") })
        frames.add(1, 1, 5, Frames.block(Frames.request("GET", "/") + [("a", big)]))
        frames.add(9, 0, 5, Frames.block([("b", big)]))
        frames.add(9, 4, 5, Frames.block([("c", big)]))
        frames.get(7)
        server.feed(frames)
        #expect(
            server.events == ["request 1 complete", "refuse 3 431", "refuse 5 431", "request 7 complete"]
        )
    }

    @Test("trailers with a pseudo-header field are malformed")
    func badTrailers() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, ends: false)
        frames.headers(1, [(":path", "/")])
        frames.get(3, ends: false)
        frames.headers(3, [("a", "b")], ends: false)
        frames.get(5, ends: false)
        frames.headers(5, [("connection", "close")])
        server.feed(frames)
        _ = server.written()
        #expect(server.events.filter { $0.hasPrefix("reset") }.sorted() == ["reset 1 1", "reset 3 1", "reset 5 1"])
        #expect(!server.events.contains { $0.hasPrefix("trailers") })
    }

    @Test("content that is more or less than announced is a stream error")
    func wrongLength() {
        let server = ServerEnd()
        var frames = Frames.opening
        for (stream, content) in [(1, "abcd"), (3, "ab")] {
            frames.headers(stream, Frames.request("POST", "/") + [("content-length", "3")], ends: false)
            frames.data(stream, content, ends: true)
        }
        frames.headers(5, Frames.request("POST", "/") + [("content-length", "3")], ends: false)
        frames.data(5, "ab")
        frames.headers(5, [("x", "y")])
        server.feed(frames)
        _ = server.written()
        #expect(server.events.filter { $0.hasPrefix("reset") }.sorted() == ["reset 1 1", "reset 3 1", "reset 5 1"])
        #expect(!server.events.contains { $0.hasSuffix("last") || $0.hasPrefix("end") })
    }
}
