// COLD. Both codecs joined back to back, with bytes split at random places: what goes in on one side comes out on the other.
import Bytes
import HTTP2
import Testing

/// A small generator with a seed, so that a failure can be repeated.
struct Dice {
    var state: UInt64
    mutating func roll(_ sides: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % sides
    }
}

@Suite("codec against codec")
struct PairTests {
    /// Moves bytes between the two until both are silent.
    private func run(_ client: ClientEnd, _ server: ServerEnd, _ dice: inout Dice, between: () -> Void = {}) {
        for _ in 0..<10_000 {
            let up = client.take()
            var i = 0
            while i < up.count {
                let n = min(up.count - i, 1 + dice.roll(dice.roll(4) == 0 ? 12 : 9000))
                server.feed(Array(up[i..<(i + n)]))
                i += n
            }
            between()
            let down = server.take(limit: 1 + dice.roll(60_000))
            i = 0
            while i < down.count {
                let n = min(down.count - i, 1 + dice.roll(dice.roll(4) == 0 ? 12 : 9000))
                client.feed(Array(down[i..<(i + n)]))
                i += n
            }
            if up.isEmpty, down.isEmpty, !client.codec.wantsWrite, !server.codec.wantsWrite { return }
        }
        Issue.record("the two never fall silent")
    }

    @Test("requests with content and trailers, answered with the same", arguments: 0..<40)
    func echo(seed: Int) {
        var dice = Dice(state: UInt64(seed + 1))
        let client = ClientEnd()
        let server = ServerEnd()
        var sent: [Int32: String] = [:]
        run(client, server, &dice)
        for i in 0..<(1 + dice.roll(30)) {
            let size = dice.roll(3) == 0 ? dice.roll(200_000) : dice.roll(2000)
            let text = String(repeating: "\(i)-\(seed).", count: size / 6)
            let more = "x-long: \(String(repeating: "v", count: dice.roll(9000)))"
            let head = "POST /\(i) HTTP/1.1\r\nHost: pair\r\n\(more)\r\n\r\n"
            guard case .opened(let stream) = client.request(head, ends: false, tag: Int32(i)) else {
                Issue.record("no stream")
                return
            }
            sent[stream] = text
            client.send(stream, text)
            withBytes("a-trailer: \(i)\r\n") { client.codec.finish(stream, trailers: $0) }
        }
        var answered: Set<Int32> = []
        run(client, server, &dice) {
            for event in server.events where event.hasPrefix("trailers ") {
                guard let stream = Int32(event.split(separator: " ")[1]), answered.insert(stream).inserted else {
                    continue
                }
                server.respond(stream, "HTTP/1.1 200 OK\r\nServer: pair\r\n\r\n")
                server.send(stream, server.content[stream] ?? "")
                withBytes("grpc-status: 0\r\n\r\n") { server.codec.finish(stream, trailers: $0) }
            }
        }
        #expect(answered.count == sent.count)
        for (stream, text) in sent {
            #expect((server.content[stream] ?? "") == text)
            #expect((client.content[stream] ?? "") == text)
            #expect(client.heads[stream] == ["HTTP/1.1 200 OK\r\nserver: pair\r\ntransfer-encoding: chunked\r\n\r\n"])
            #expect(client.events.contains("trailers \(stream) grpc-status: 0\r\n\r\n"))
        }
        #expect(client.codec.isIdle)
        #expect(server.codec.isIdle)
        #expect(server.codec.heldBytes == 0)
        #expect(client.codec.heldBytes == 0)
        #expect(client.codec.failure == nil)
        #expect(server.codec.failure == nil)
    }

    @Test("streams that either side resets at random leave nothing behind", arguments: 0..<20)
    func resets(seed: Int) {
        var dice = Dice(state: UInt64(seed + 77))
        let client = ClientEnd()
        let server = ServerEnd()
        run(client, server, &dice)
        for round in 0..<30 {
            var streams: [Int32] = []
            for _ in 0..<(1 + dice.roll(8)) {
                let head = "PUT /\(round) HTTP/1.1\r\nHost: pair\r\n\r\n"
                guard case .opened(let stream) = client.request(head, ends: false) else { continue }
                streams.append(stream)
                client.send(stream, String(repeating: "u", count: dice.roll(90_000)))
                if dice.roll(3) == 0 { client.codec.finish(stream) }
                if dice.roll(4) == 0 { client.codec.reset(stream) }
            }
            run(client, server, &dice)
            for stream in streams where server.heads[stream] != nil {
                switch dice.roll(4) {
                case 0: server.codec.reset(stream, HTTP2Code.internalError)
                case 1: server.respond(stream, ends: true)
                case 2:
                    server.respond(stream)
                    server.send(stream, String(repeating: "d", count: dice.roll(150_000)))
                    if dice.roll(2) == 0 { server.codec.finish(stream) }
                default: break
                }
                if dice.roll(3) == 0 { client.codec.reset(stream) }
            }
            run(client, server, &dice)
            for stream in streams { client.codec.reset(stream) }
            run(client, server, &dice)
        }
        #expect(client.codec.failure == nil)
        #expect(server.codec.failure == nil)
        #expect(client.codec.isIdle)
        #expect(server.codec.isIdle)
        #expect(server.codec.heldBytes == 0)
        #expect(client.codec.heldBytes == 0)
        #expect(!(server.events + client.events).contains("wrong tag"))
    }

    @Test("a WebSocket over HTTP/2 is an upgrade on both sides (RFC 8441)")
    func webSocket() {
        var dice = Dice(state: 5)
        let client = ClientEnd()
        let server = ServerEnd()
        let head =
            "GET /chat HTTP/1.1\r\nHost: ws\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        #expect(client.request(head, ends: false) == .notSupported)
        run(client, server, &dice)
        #expect(client.codec.takesExtendedConnect)
        #expect(client.request(head, ends: false) == .opened(1))
        run(client, server, &dice)
        #expect(server.events == ["request 1 connect"])
        let lines = (server.heads[1] ?? "").split(separator: "\r\n")
        #expect(lines.prefix(4) == ["GET /chat HTTP/1.1", "host: ws", "connection: upgrade", "upgrade: websocket"])
        #expect(lines.count == 6)
        #expect(lines[4].hasPrefix("sec-websocket-key: ") && lines[4].hasSuffix("==") && lines[4].count == 43)
        #expect(lines[5] == "sec-websocket-version: 13")
        server.respond(
            1,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Accept: whatever\r\nSec-WebSocket-Protocol: p\r\n\r\n"
        )
        server.send(1, "from the server")
        client.send(1, "from the client")
        run(client, server, &dice)
        #expect(
            client.heads[1] == [
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                    + "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: p\r\n\r\n"
            ]
        )
        #expect(client.content[1] == "from the server")
        #expect(server.content[1] == "from the client")
        server.codec.finish(1)
        client.codec.finish(1)
        run(client, server, &dice)
        #expect(client.events.last == "end 1")
        #expect(client.codec.isIdle)
        #expect(server.codec.isIdle)
    }

    @Test("other protocols of extended CONNECT are not served")
    func otherProtocol() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.headers(1, Frames.request("CONNECT", "/") + [(":protocol", "connect-udp")], ends: false)
        frames.headers(
            3,
            Frames.request("CONNECT", "/") + [(":protocol", "websocket"), ("content-length", "1")],
            ends: false
        )
        server.feed(frames)
        #expect(server.events == ["refuse 1 501"])
        #expect(server.written().filter { $0.type == 3 }.map(\.stream) == [3])
    }

    @Test("a refused WebSocket is an answer like any other")
    func refusedWebSocket() {
        var dice = Dice(state: 6)
        let client = ClientEnd()
        let server = ServerEnd()
        run(client, server, &dice)
        let head = "GET / HTTP/1.1\r\nHost: ws\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        #expect(client.request(head, ends: false) == .opened(1))
        run(client, server, &dice)
        server.respond(1, "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n")
        server.send(1, "no")
        server.codec.finish(1)
        run(client, server, &dice)
        #expect(client.heads[1] == ["HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n"])
        #expect(client.events.last == "data 1 2 last")
    }

    @Test("random bytes and mutated frames do no harm", arguments: 0..<60)
    func noise(seed: Int) {
        var dice = Dice(state: UInt64(seed) &* 999_983 + 3)
        let server = ServerEnd()
        server.answer = { end, stream in
            end.respond(stream)
            end.send(stream, "hello")
            end.codec.finish(stream)
        }
        var frames = Frames.opening
        for i in 0..<20 {
            frames.get(1 + 2 * i, ends: dice.roll(2) == 0)
            if dice.roll(2) == 0 { frames.data(1 + 2 * i, "some content", ends: dice.roll(2) == 0) }
            if dice.roll(4) == 0 { frames.reset(1 + 2 * i) }
            if dice.roll(4) == 0 { frames.window(dice.roll(2) * (1 + 2 * i), 1000) }
            if dice.roll(5) == 0 { frames.settings([(dice.roll(10), dice.roll(70_000))]) }
        }
        var bytes = frames.bytes
        for _ in 0..<(1 + dice.roll(6)) { bytes[24 + dice.roll(bytes.count - 24)] = UInt8(dice.roll(256)) }
        var i = 0
        while i < bytes.count {
            let n = min(bytes.count - i, 1 + dice.roll(300))
            server.feed(Array(bytes[i..<(i + n)]))
            _ = server.written(limit: 1 + dice.roll(2000))
            i += n
        }
        _ = server.written()
        #expect(server.codec.failure == nil || server.codec.isFinished)
    }
}
