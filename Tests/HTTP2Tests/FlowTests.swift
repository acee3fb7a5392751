// COLD. Windows in both directions, queues that fill and drain, and the order in which streams are served.
import HTTP2
import Testing

@Suite("flow control over HTTP/2")
struct FlowTests {
    @Test("more content than the window is a stream error FLOW_CONTROL_ERROR")
    func overrun() {
        let server = ServerEnd()
        server.consumes = false
        var frames = Frames.opening
        frames.get(1, ends: false)
        frames.get(3, ends: false)
        for _ in 0..<5 { frames.add(0, 0, 1, [UInt8](repeating: 0x61, count: 16384)) }
        frames.data(3, "x")
        server.feed(frames)
        #expect(server.written().filter { $0.type == 3 }.map(\.code) == [3])
        #expect(server.events.contains("reset 1 3"))
        #expect(server.events.contains("data 3 1"))
    }

    @Test("the window opens when content was passed on, not before")
    func windows() {
        let server = ServerEnd()
        server.consumes = false
        var frames = Frames.opening
        frames.get(1, ends: false)
        for _ in 0..<3 { frames.add(0, 0, 1, [UInt8](repeating: 0x61, count: 16384)) }
        server.feed(frames)
        #expect(!server.written().contains { $0.type == 8 && $0.stream == 1 })
        #expect(server.codec.heldBytes == 3 * 16384)
        server.codec.consumed(1, 3 * 16384)
        #expect(server.codec.heldBytes == 0)
        let update = server.written().first { $0.type == 8 && $0.stream == 1 }
        #expect(update?.code == 3 * 16384)
    }

    @Test("what a stream held when it ended does not shrink the connection's window")
    func returned() {
        let server = ServerEnd()
        server.consumes = false
        server.feed(Frames.opening)
        for i in 0..<40 {
            var frames = Frames()
            frames.get(1 + 2 * i, ends: false)
            for _ in 0..<3 { frames.add(0, 0, 1 + 2 * i, [UInt8](repeating: 0x61, count: 16384)) }
            frames.reset(1 + 2 * i)
            server.feed(frames)
            _ = server.written()
        }
        #expect(server.codec.heldBytes == 0)
        #expect(server.codec.failure == nil)
        #expect(server.events.filter { $0.hasPrefix("reset") }.count == 40)
    }

    @Test(
        "an answer that is cut sends what is queued and then its reset, whatever the window",
        arguments: [0, 1, 1000, 1001]
    )
    func cut(queued: Int) {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.settings([(4, 1000)])
        frames.get(1)
        server.feed(frames)
        _ = server.written()
        server.respond(1, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", ends: false)
        let content = [UInt8](repeating: 0x61, count: queued)
        content.withUnsafeBufferPointer { if let start = $0.baseAddress { server.codec.send(1, start, queued) } }
        server.codec.cut(1)
        var written = server.written()
        if queued > 1000 {
            #expect(written.map(\.type) == [1, 0])
            var more = Frames()
            more.add(8, 0, 1, Frames.word(10))
            server.feed(more)
            written += server.written()
        }
        #expect(written.map(\.type) == (queued == 0 ? [1, 3] : queued > 1000 ? [1, 0, 0, 3] : [1, 0, 3]))
        #expect(written.filter { $0.type == 0 }.reduce(0) { $0 + $1.payload.count } == queued)
        #expect(written.allSatisfy { $0.type == 3 || $0.flags & 1 == 0 })
        #expect(written.last?.code == 2)
        #expect(server.codec.isIdle)
        #expect(server.codec.failure == nil)
        #expect(!server.events.contains { $0.hasPrefix("reset") })
    }

    @Test("a cut answer whose window ended with its content is reset at once")
    func cutBehindTheWindow() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.settings([(4, 100)])
        frames.get(1)
        server.feed(frames)
        server.respond(1, "HTTP/1.1 200 OK\r\n\r\n", ends: false)
        let content = [UInt8](repeating: 0x61, count: 100)
        content.withUnsafeBufferPointer { if let start = $0.baseAddress { server.codec.send(1, start, 100) } }
        #expect(server.written().contains { $0.type == 0 && $0.payload.count == 100 })
        server.codec.cut(1)
        #expect(server.written().map(\.type) == [3])
        #expect(server.codec.isIdle)
    }

    @Test("content waits for the client's window, counts as stalled, and is reported when drained")
    func backlog() {
        var limits = HTTP2Limits()
        limits.queueHigh = 100_000
        let server = ServerEnd(limits)
        server.codec.now = 5000
        var frames = Frames.opening
        frames.get(1)
        server.feed(frames)
        server.respond(1)
        server.codec.now = 6000
        server.send(1, String(repeating: "x", count: 150_000))
        #expect(server.codec.stalledSince == 6000)
        server.codec.now = 7000
        let sent = server.written().filter { $0.type == 0 }.map(\.payload.count).reduce(0, +)
        #expect(sent == 65535)
        #expect(server.codec.backlog(1) == 150_000 - 65535)
        #expect(server.codec.stalledSince == 7000)
        #expect(server.codec.nextDrained() == nil)
        var more = Frames()
        more.window(0, 200_000)
        more.window(1, 200_000)
        server.feed(more)
        _ = server.written()
        let drained = server.codec.nextDrained()
        #expect(drained?.stream == 1)
        #expect(drained?.tag == 1001)
        #expect(server.codec.nextDrained() == nil)
        #expect(server.codec.stalledSince == -1)
        #expect(server.codec.heldBytes == 0)
    }

    @Test("streams that nobody takes are given up, and the connection that holds much for them", arguments: [1, 9])
    func stalled(streams: Int) {
        let server = ServerEnd()
        server.codec.now = 1000
        var frames = Frames.opening
        frames.settings([(4, 0)])
        for i in 0..<streams { frames.get(2 * i + 1) }
        server.feed(frames)
        for i in 0..<streams {
            server.respond(Int32(2 * i + 1))
            server.send(Int32(2 * i + 1), String(repeating: "x", count: 30_000))
        }
        _ = server.written()
        server.codec.now = 2000
        #expect(!server.codec.dropStalled(since: 999))
        // A byte now and then is no progress.
        var window = Frames()
        window.window(1, 1)
        server.feed(window)
        #expect(server.written().contains { $0.type == 0 && $0.payload.count == 1 })
        #expect(server.codec.dropStalled(since: 1000))
        let isMuch = streams * 30_000 > HTTP2Limits().stalled
        #expect(server.codec.failure == (isMuch ? .calm(.stalled) : nil))
        let written = server.written()
        #expect(written.contains { isMuch ? $0.type == 7 && $0.code == 11 : $0.type == 3 && $0.code == 8 })
        server.codec.dropContent()
        #expect(server.codec.heldBytes == 0)
    }

    @Test("a frame or field section that is not complete is noticed, content is not")
    func partial() {
        let server = ServerEnd()
        server.feed(Frames.opening)
        server.codec.now = 1000
        #expect(server.codec.partialSince == -1)
        var frames = Frames()
        frames.add(1, 1, 1, Frames.block(Frames.request("GET", "/")))
        server.feed(Array(frames.bytes.prefix(5)))
        #expect(server.codec.partialSince == 1000)
        server.codec.now = 2000
        server.feed(Array(frames.bytes.dropFirst(5)))
        #expect(server.codec.partialSince == 1000)
        server.codec.now = 3000
        frames.bytes = []
        frames.add(9, 0, 1, [])
        server.feed(frames)
        #expect(server.codec.partialSince == 1000)
        frames.bytes = []
        frames.add(9, 4, 1, [])
        server.feed(frames)
        #expect(server.codec.partialSince == -1)
        frames.bytes = []
        frames.get(3, ends: false)
        frames.add(0, 0, 3, [1, 2], length: 4)
        server.feed(frames)
        #expect(server.codec.partialSince == -1)
    }

    @Test("a queue has an end")
    func most() {
        var limits = HTTP2Limits()
        limits.queueMost = 1000
        let server = ServerEnd(limits)
        var frames = Frames.opening
        frames.get(1)
        server.feed(frames)
        server.respond(1)
        #expect(server.send(1, String(repeating: "x", count: 1000)))
        #expect(!server.send(1, "x"))
        #expect(server.written().contains { $0.type == 3 && $0.code == 2 })
    }

    @Test("write stops at its limit and goes on where it stopped", arguments: [1, 10, 100, 16384, 20000])
    func limit(limit: Int) {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1)
        frames.window(0, 1 << 20)
        frames.window(1, 1 << 20)
        server.feed(frames)
        _ = server.written()
        server.respond(1, "HTTP/1.1 200 OK\r\nx: \(String(repeating: "y", count: 5000))\r\n\r\n")
        let text = String(repeating: "0123456789", count: 10_000)
        server.send(1, text)
        server.codec.finish(1)
        var all: [UInt8] = []
        while server.codec.wantsWrite {
            let bytes = server.take(limit: limit)
            if bytes.isEmpty { break }
            #expect(bytes.count < limit + 16384 + 9)
            all += bytes
        }
        let data = WrittenFrame.parse(all).filter { $0.type == 0 }
        #expect(data.flatMap(\.payload) == Array(text.utf8))
        #expect(data.last?.flags == 1)
        #expect(server.codec.isIdle)
    }

    @Test("a stream is reset while its frame waits to be written")
    func resetWhileWaiting() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1)
        frames.get(3)
        server.feed(frames)
        _ = server.written()
        for stream in [Int32(1), 3] {
            server.respond(stream)
            server.send(stream, String(repeating: "x", count: 30_000))
        }
        // The second DATA frame is prepared, and not written.
        _ = server.take(limit: 10_000)
        server.codec.reset(1, HTTP2Code.cancel)
        server.codec.finish(3)
        let written = server.written()
        #expect(written.contains { $0.type == 3 && $0.stream == 1 })
        #expect(written.last { $0.type == 0 }?.stream == 3)
        #expect(written.last { $0.type == 0 }?.flags == 1)
        #expect(server.codec.isIdle)
    }

    @Test("the client resets a stream while its frame waits to be written")
    func peerResetWhileWaiting() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1)
        server.feed(frames)
        _ = server.written()
        server.respond(1)
        server.send(1, String(repeating: "x", count: 60_000))
        _ = server.take(limit: 10_000)
        var more = Frames()
        more.reset(1)
        more.get(3)
        server.feed(more)
        #expect(server.events == ["request 1 complete", "reset 1 8", "request 3 complete"])
        #expect(server.codec.heldBytes == 0)
        server.respond(3, ends: true)
        #expect(server.written().map(\.type) == [1])
    }

    /// The streams of the DATA frames, in order, without repetitions.
    private func order(_ frames: [WrittenFrame]) -> [Int] {
        var order: [Int] = []
        for frame in frames where frame.type == 0 && order.last != frame.stream { order.append(frame.stream) }
        return order
    }

    private func served(_ priorities: [String], update: [UInt8] = []) -> [Int] {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.window(0, 1 << 20)
        for (i, priority) in priorities.enumerated() {
            frames.get(1 + 2 * i, fields: priority.isEmpty ? [] : [("priority", priority)])
        }
        if !update.isEmpty { frames.add(16, 0, 0, update) }
        server.feed(frames)
        _ = server.written()
        for i in priorities.indices {
            let stream = Int32(1 + 2 * i)
            server.respond(stream)
            server.send(stream, String(repeating: "x", count: 40_000))
            server.codec.finish(stream)
        }
        return order(server.written())
    }

    @Test("the more urgent stream is served first (RFC 9218)")
    func urgency() {
        #expect(served(["u=5", "u=0", ""]) == [3, 5, 1])
        #expect(served(["", "", "u=1"]) == [5, 1, 3])
    }

    @Test("incremental streams take turns")
    func incremental() {
        let turns = served(["i", "i"])
        #expect(turns.count > 2)
    }

    @Test("PRIORITY_UPDATE changes the order")
    func update() {
        #expect(served(["", "", ""], update: Frames.word(5) + Array("u=0".utf8)) == [5, 1, 3])
    }
}
