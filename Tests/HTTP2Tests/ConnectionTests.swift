// COLD. Frames in the wrong place: streams that are over, connection errors, the preface, shutdown, pings.
import HTTP2
import Testing

@Suite("an HTTP/2 connection")
struct ConnectionTests {
    @Test("a wrong preface ends the connection")
    func preface() {
        let server = ServerEnd()
        server.feed(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(server.events == ["failed 1"])
        #expect(server.codec.failure == .preface)
        #expect(server.written().last?.type == 7)
        #expect(server.codec.isFinished)
    }

    @Test("the server begins with SETTINGS")
    func settings() {
        let server = ServerEnd()
        let frames = server.written()
        #expect(frames.first?.type == 4)
        #expect(frames.contains { $0.type == 8 && $0.stream == 0 })
        server.feed(Frames.opening)
        #expect(server.written().contains { $0.type == 4 && $0.flags == 1 })
    }

    @Test("a connection error has its code", arguments: BrokenConnection.all)
    func broken(_ example: BrokenConnection) {
        for piece in [1, 5, 9, 10, Int.max] {
            let server = ServerEnd()
            _ = server.written()
            server.feed(Frames.opening)
            _ = server.written()
            server.feed(example.bytes, piece: piece)
            let goAway = server.written().last { $0.type == 7 }
            #expect(goAway?.code == example.code)
            #expect(server.events.last == "failed \(example.code)")
            #expect(server.codec.isFinished)
            server.feed(Frames.opening)
            #expect(server.take().isEmpty)
        }
    }

    @Test("DATA for a stream that is over is a stream error STREAM_CLOSED")
    func lateData() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, ends: false)
        frames.reset(1)
        frames.data(1, "late")
        server.feed(frames)
        let resets = server.written().filter { $0.type == 3 }
        #expect(resets.map(\.code) == [5])
        #expect(server.events == ["request 1", "reset 1 8"])
    }

    @Test("what is on its way for a stream that we reset is ignored")
    func ignored() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, ends: false)
        server.feed(frames)
        server.codec.reset(1, HTTP2Code.internalError)
        #expect(server.written().contains { $0.type == 3 && $0.code == 2 })
        var late = Frames()
        late.data(1, "late")
        late.headers(1, [("x", "y")])
        late.get(3)
        server.feed(late)
        #expect(server.events == ["request 1", "request 3 complete"])
        #expect(!server.written().contains { $0.type == 3 || $0.type == 7 })
    }

    @Test("a frame for a stream while it is being reset is ignored")
    func ignoredAtOnce() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.headers(1, Frames.request("GET", "/ x"), ends: false)
        frames.data(1, "late")
        frames.headers(1, [("x", "y")])
        frames.get(3)
        server.feed(frames)
        #expect(server.events == ["request 3 complete"])
        #expect(server.written().filter { $0.type == 3 }.count == 1)
    }

    @Test("more streams than allowed: refused, and after the settings are known, an error")
    func concurrency() {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 2
        let server = ServerEnd(limits)
        var frames = Frames.opening
        for i in 0..<4 { frames.get(1 + 2 * i) }
        server.feed(frames)
        #expect(server.events == ["request 1 complete", "request 3 complete"])
        let resets = server.written().filter { $0.type == 3 }
        #expect(resets.map(\.stream) == [5, 7])
        #expect(resets.allSatisfy { $0.code == 7 })
        var more = Frames()
        more.add(4, 1, 0, [])
        more.get(9)
        server.feed(more)
        #expect(server.events.last == "failed 1")
    }

    @Test("an answer before the request is complete: the rest is not wanted")
    func early() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1, ends: false)
        server.feed(frames)
        _ = server.written()
        server.respond(1)
        server.send(1, "no")
        server.codec.finish(1)
        let written = server.written()
        #expect(written.map(\.type) == [1, 0, 3])
        #expect(written.last?.code == 0)
        var late = Frames()
        late.data(1, String(repeating: "x", count: 1000))
        server.feed(late)
        #expect(server.events == ["request 1"])
        #expect(server.codec.isIdle)
        #expect(server.codec.heldBytes == 0)
    }

    @Test("shutdown in two steps, a ping between them")
    func shutdown() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1)
        server.feed(frames)
        _ = server.written()
        server.codec.beginShutdown()
        let asked = server.written()
        #expect(asked.map(\.type) == [7, 6])
        #expect(asked.first?.payload == Frames.word(0x7fff_ffff) + Frames.word(0))
        #expect(server.codec.awaitsPing)
        var more = Frames()
        more.get(3)
        server.feed(more)
        #expect(server.events.last == "request 3 complete")
        var pong = Frames()
        pong.add(6, 1, 0, asked.last?.payload ?? [])
        server.feed(pong)
        #expect(!server.codec.awaitsPing)
        server.codec.finishShutdown()
        #expect(server.written().map(\.payload) == [Frames.word(3) + Frames.word(0)])
        var last = Frames()
        last.get(5)
        server.feed(last)
        #expect(!server.events.contains("request 5 complete"))
        for stream in [Int32(1), 3] { server.respond(stream, ends: true) }
        _ = server.written()
        #expect(server.codec.isIdle)
        #expect(server.codec.isFinished)
    }

    @Test("a ping and its answer")
    func ping() {
        let server = ServerEnd()
        server.feed(Frames.opening)
        server.codec.ping()
        let ping = server.written().first { $0.type == 6 }
        var frames = Frames()
        frames.add(6, 1, 0, ping?.payload ?? [])
        frames.add(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8])
        server.feed(frames)
        #expect(server.events == ["ping"])
        #expect(server.written().contains { $0.type == 6 && $0.flags == 1 && $0.payload == [1, 2, 3, 4, 5, 6, 7, 8] })
    }

    @Test("an answer that is never finished never looks complete")
    func unfinished() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1)
        server.feed(frames)
        _ = server.written()
        server.respond(1, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        server.send(1, "four")
        let written = server.written()
        #expect(written.map(\.type) == [1, 0])
        #expect(written.allSatisfy { $0.flags & 1 == 0 })
        #expect(!server.codec.isIdle)
        server.codec.reset(1, HTTP2Code.internalError)
        #expect(server.written().map(\.type) == [3])
    }
}
