// COLD. Answers: HTTP/1 heads to HTTP/2 and back, and what a backend may not do.
import HTTP
import HTTP2
import Testing

@Suite("answers over HTTP/2")
struct ResponseTests {
    private func opened(_ head: String = "GET / HTTP/1.1\r\nHost: b\r\n\r\n") -> ClientEnd {
        let client = ClientEnd()
        _ = client.take()
        var frames = Frames()
        frames.settings([])
        client.feed(frames)
        #expect(client.request(head) == .opened(1))
        _ = client.take()
        client.events = []
        return client
    }

    private func events(_ frames: Frames, _ head: String = "GET / HTTP/1.1\r\nHost: b\r\n\r\n") -> ClientEnd {
        let client = opened(head)
        client.feed(frames)
        return client
    }

    @Test("an answer becomes an HTTP/1.1 head that the parser takes")
    func head() {
        var frames = Frames()
        frames.headers(1, [(":status", "103"), ("link", "</a>")], ends: false)
        frames.headers(1, [(":status", "200"), ("content-length", "2"), ("x", "y")], ends: false)
        frames.data(1, "ok", ends: true)
        let client = events(frames)
        #expect(client.events == ["response 1 interim", "response 1", "data 1 2 last"])
        #expect(
            client.heads[1] == [
                "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
                "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\n\r\n",
            ]
        )
        for text in client.heads[1] ?? [] {
            let head = ResponseHead()
            let outcome = withBytes(text) {
                ResponseParser.parse(
                    Span(_unsafeElements: $0),
                    requestMethod: .get,
                    into: head,
                    limits: .response
                )
            }
            #expect(outcome == .complete)
        }
        #expect(client.codec.isIdle)
    }

    @Test("where the content ends is said in HTTP/1.1's words")
    func framing() {
        var frames = Frames()
        frames.headers(1, [(":status", "200")], ends: false)
        #expect(events(frames).heads[1] == ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"])
        frames = Frames()
        frames.headers(1, [(":status", "200")])
        #expect(events(frames).heads[1] == ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
        frames = Frames()
        frames.headers(1, [(":status", "204")])
        #expect(events(frames).heads[1] == ["HTTP/1.1 204 No Content\r\n\r\n"])
        frames = Frames()
        frames.headers(1, [(":status", "200"), ("content-length", "5")])
        let client = events(frames, "HEAD / HTTP/1.1\r\nHost: b\r\n\r\n")
        #expect(client.heads[1] == ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"])
        #expect(client.events == ["response 1 complete"])
    }

    @Test("trailers end an answer")
    func trailers() {
        var frames = Frames()
        frames.headers(1, [(":status", "200")], ends: false)
        frames.data(1, "x")
        frames.headers(1, [("grpc-status", "16")])
        #expect(events(frames).events == ["response 1", "data 1 1", "trailers 1 grpc-status: 16\r\n\r\n"])
    }

    @Test("a malformed answer is reset", arguments: MalformedResponse.all)
    func malformed(_ example: MalformedResponse) {
        let client = opened()
        client.feed(example.bytes)
        #expect(client.events.last?.hasPrefix("reset 1 ") == true)
        #expect(!client.events.contains { $0.contains("complete") || $0.contains("last") || $0.hasPrefix("end") })
        #expect(client.written().contains { $0.type == 3 && $0.stream == 1 })
        #expect(client.codec.failure == nil)
    }

    @Test("a refused request may be sent again; one that was looked at may not")
    func refused() {
        var frames = Frames()
        frames.reset(1, 7)
        #expect(events(frames).events == ["reset 1 7 refused"])
        frames = Frames()
        frames.reset(1, 2)
        #expect(events(frames).events == ["reset 1 2"])
    }

    @Test("GOAWAY: what is above its stream comes back as refused, the rest goes on")
    func goAway() {
        let client = opened()
        #expect(client.request("GET /b HTTP/1.1\r\nHost: b\r\n\r\n") == .opened(3))
        _ = client.take()
        #expect(client.request("GET /c HTTP/1.1\r\nHost: b\r\n\r\n") == .opened(5))
        var frames = Frames()
        frames.add(7, 0, 0, Frames.word(1) + Frames.word(0))
        frames.headers(1, [(":status", "204")])
        client.feed(frames)
        _ = client.take()
        #expect(client.events.first == "goaway 1")
        #expect(client.events.contains("reset 3 7 refused"))
        #expect(client.events.contains("reset 5 7 refused"))
        #expect(client.events.contains("response 1 complete"))
        #expect(client.codec.shouldReplace)
        #expect(!client.codec.canOpen)
        #expect(client.request("GET / HTTP/1.1\r\nHost: b\r\n\r\n") == .full)
    }

    @Test("no more streams are opened than the backend takes")
    func concurrency() {
        let client = ClientEnd()
        var frames = Frames()
        frames.settings([(3, 2)])
        client.feed(frames)
        #expect(client.events == ["settings 2"])
        #expect(client.request("GET / HTTP/1.1\r\nHost: b\r\n\r\n") == .opened(1))
        #expect(client.request("GET / HTTP/1.1\r\nHost: b\r\n\r\n") == .opened(3))
        #expect(!client.codec.canOpen)
        _ = client.take()
        var more = Frames()
        more.headers(1, [(":status", "204")])
        client.feed(more)
        #expect(client.codec.canOpen)
    }

    @Test("the fields of the connection are left out")
    func connectionFields() {
        let client = ClientEnd()
        let server = ServerEnd()
        let head =
            "POST /p?q HTTP/1.1\r\nHost: b.example\r\nConnection: TE, close\r\nTE: trailers\r\nKeep-Alive: 1\r\n"
            + "Transfer-Encoding: chunked\r\nProxy-Connection: x\r\nX-A: b\r\n\r\n"
        #expect(client.request(head, ends: false) == .opened(1))
        server.feed(client.take())
        #expect(
            server.heads[1]
                == "POST /p?q HTTP/1.1\r\nhost: b.example\r\nte: trailers\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        let answer =
            "HTTP/1.1 200 Fine\r\nConnection: close\r\nKeep-Alive: 1\r\nTransfer-Encoding: chunked\r\nX-B:  c \r\n\r\n"
        server.respond(1, answer, ends: true)
        client.feed(server.take())
        #expect(client.heads[1] == ["HTTP/1.1 200 OK\r\nx-b: c\r\ncontent-length: 0\r\n\r\n"])
    }

    @Test("heads that are none are refused", arguments: ["", "GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\r\n", "x"])
    func badHead(head: String) {
        #expect(ClientEnd().request(head) == .malformed)
    }

    @Test("a push is a connection error")
    func push() {
        var frames = Frames()
        frames.add(5, 4, 1, Frames.word(2) + Frames.block(Frames.request("GET", "/")))
        #expect(events(frames).events == ["failed 1"])
    }

    @Test("content that is held back for its client keeps no other stream waiting")
    func heldBack() {
        let client = opened()
        client.consumes = false
        var frames = Frames()
        frames.headers(1, [(":status", "200")], ends: false)
        for _ in 0..<3 { frames.add(0, 0, 1, [UInt8](repeating: 0x61, count: 16384)) }
        client.feed(frames)
        #expect(client.codec.heldBytes == 3 * 16384)
        client.codec.heldBack(1, 3 * 16384)
        #expect(client.codec.heldBytes == 0)
        #expect(!client.written().contains { $0.type == 8 && $0.stream == 1 })
        client.codec.resumed(1, 3 * 16384)
        #expect(client.written().contains { $0.type == 8 && $0.stream == 1 && $0.code == 3 * 16384 })
        client.codec.resumed(1, 0)
        client.codec.reset(1)
        #expect(client.codec.failure == nil)
    }

    @Test("a backend that resets without end is left")
    func resets() {
        let client = ClientEnd()
        client.feed(Frames())
        // Many clients' requests share the connection.
        var count = 0
        while client.codec.failure == nil, count < 51_000 {
            count += 1
            guard case .opened(let stream) = client.request("GET / HTTP/1.1\r\nHost: b\r\n\r\n") else { break }
            _ = client.take()
            var frames = Frames()
            if stream == 1 { frames.settings([]) }
            frames.reset(Int(stream))
            client.feed(frames)
        }
        #expect(client.codec.failure == .calm(.resetsReceived))
        #expect(count > 50_000)
    }

    @Test("a connection that is cut leaves its streams without an end")
    func cut() {
        var frames = Frames()
        frames.headers(1, [(":status", "200")], ends: false)
        frames.data(1, "half")
        let client = events(frames)
        #expect(client.events == ["response 1", "data 1 4"])
        #expect(client.codec.openStreams == 1)
    }
}

/// Frames of an answer that is malformed.
struct MalformedResponse: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]

    init(_ name: String, _ build: (inout Frames) -> Void) {
        testDescription = name
        var frames = Frames()
        build(&frames)
        bytes = frames.bytes
    }

    init(_ name: String, _ fields: Fields) {
        self.init(name) { $0.headers(1, fields, ends: false) }
    }

    static let all: [MalformedResponse] = [
        MalformedResponse("no :status", [("a", "b")]),
        MalformedResponse(":status twice", [(":status", "200"), (":status", "200")]),
        MalformedResponse(":status of two digits", [(":status", "20")]),
        MalformedResponse(":status that is no number", [(":status", "2x0")]),
        MalformedResponse(":status below 100", [(":status", "099")]),
        MalformedResponse(":status 600", [(":status", "600")]),
        MalformedResponse(":status 101", [(":status", "101")]),
        MalformedResponse(":status behind others", [("a", "b"), (":status", "200")]),
        MalformedResponse("a request's pseudo-header field", [(":status", "200"), (":path", "/")]),
        MalformedResponse("Connection", [(":status", "200"), ("connection", "close")]),
        MalformedResponse("Transfer-Encoding", [(":status", "200"), ("transfer-encoding", "chunked")]),
        MalformedResponse("an upper-case name", [(":status", "200"), ("X-A", "b")]),
        MalformedResponse("a value with LF", [(":status", "200"), ("a", "b\nc: d")]),
        MalformedResponse(
            "Content-Length twice",
            [(":status", "200"), ("content-length", "1"), ("content-length", "1")]
        ),
        MalformedResponse("too many fields", [(":status", "200")] + (0..<210).map { ("x\($0)", "y") }),
        MalformedResponse("an interim answer that ends") { $0.headers(1, [(":status", "100")]) },
        MalformedResponse("an interim answer with a length", [(":status", "103"), ("content-length", "1")]),
        MalformedResponse("a length without content") { $0.headers(1, [(":status", "200"), ("content-length", "1")]) },
        MalformedResponse("content behind an interim answer") {
            $0.headers(1, [(":status", "100")], ends: false)
            $0.data(1, "x")
        },
        MalformedResponse("less content than announced") {
            $0.headers(1, [(":status", "200"), ("content-length", "3")], ends: false)
            $0.data(1, "ab", ends: true)
        },
        MalformedResponse("more content than announced") {
            $0.headers(1, [(":status", "200"), ("content-length", "1")], ends: false)
            $0.data(1, "ab")
        },
        MalformedResponse("content of a 204") {
            $0.headers(1, [(":status", "204")], ends: false)
            $0.data(1, "ab", ends: true)
        },
        MalformedResponse("a second answer") {
            $0.headers(1, [(":status", "200")], ends: false)
            $0.headers(1, [(":status", "200")], ends: false)
        },
    ]
}
