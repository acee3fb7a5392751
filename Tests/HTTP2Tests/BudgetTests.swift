// COLD. Each budget against abuse: what is within it goes on, what is over it ends with ENHANCE_YOUR_CALM.
import HTTP2
import Testing

@Suite("budgets of an HTTP/2 connection")
struct BudgetTests {
    @Test("a flood ends the connection", arguments: FloodExample.all)
    func flood(_ example: FloodExample) {
        for (count, fails) in [(example.tolerated, false), (example.tolerated + 30, true)] {
            let server = ServerEnd()
            server.feed(Frames.opening)
            _ = server.written()
            for i in 0..<count {
                var frames = Frames()
                example.frames(i, &frames)
                server.feed(frames)
                _ = server.written()
                if server.codec.failure != nil { break }
            }
            #expect(server.codec.failure == (fails ? .calm(example.kind) : nil))
            if fails {
                #expect(server.events.last == "failed 11")
                #expect(server.codec.isFinished)
            }
        }
    }

    @Test("a budget refills with time")
    func refill() {
        let server = ServerEnd()
        server.codec.now = 1000
        server.feed(Frames.opening)
        for _ in 0..<40 {
            var frames = Frames()
            for _ in 0..<40 { frames.add(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) }
            server.feed(frames)
            _ = server.written()
            server.codec.now += 10_000
        }
        #expect(server.codec.failure == nil)
    }

    @Test("acknowledgements that nobody reads are limited")
    func unread() {
        var limits = HTTP2Limits()
        limits.pings = HTTP2Budget(burst: 10_000, perTenSeconds: 1)
        let server = ServerEnd(limits)
        var frames = Frames.opening
        for _ in 0..<1000 { frames.add(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) }
        server.feed(frames)
        #expect(server.codec.failure == .calm(.outboundFrames))
    }

    @Test("a window opened in small steps is not used without end")
    func tinyWindows() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.settings([(4, 0)])
        frames.get(1)
        server.feed(frames)
        server.respond(1)
        server.send(1, String(repeating: "x", count: 10_000))
        for _ in 0..<300 where server.codec.failure == nil {
            var frames = Frames()
            frames.window(1, 1)
            server.feed(frames)
            _ = server.written()
        }
        #expect(server.codec.failure == .calm(.tinyWindows))
    }

    @Test("a compression bomb is cut off")
    func bomb() {
        let server = ServerEnd()
        var frames = Frames.opening
        // One large entry for the table, then references to it, each of one byte.
        let value = String(repeating: "a", count: 4000)
        frames.add(1, 0, 1, Frames.block(Frames.request("GET", "/")) + [0x40] + Frames.text("x") + Frames.text(value))
        frames.add(9, 4, 1, [UInt8](repeating: 0xbe, count: 10_000))
        server.feed(frames)
        #expect(server.codec.failure == .calm(.headerList))
        #expect(server.written().last { $0.type == 7 }?.code == 11)
    }

    @Test("a download's window updates are within the budget")
    func updates() {
        let server = ServerEnd()
        var frames = Frames.opening
        frames.get(1)
        server.feed(frames)
        server.respond(1)
        for _ in 0..<5000 where server.codec.failure == nil {
            server.send(1, String(repeating: "x", count: 1000))
            _ = server.written()
            var frames = Frames()
            frames.window(0, 1000)
            frames.window(1, 1000)
            server.feed(frames)
        }
        #expect(server.codec.failure == nil)
    }
}

/// A frame or two that, repeated, use up one budget.
struct FloodExample: CustomTestStringConvertible, Sendable {
    let kind: AbuseKind
    let tolerated: Int
    let frames: @Sendable (Int, inout Frames) -> Void
    var testDescription: String { "\(kind.code) \(tolerated)" }

    static let all: [FloodExample] = [
        // Rapid Reset, CVE-2023-44487.
        FloodExample(kind: .resetsReceived, tolerated: 500) { i, frames in
            frames.get(1 + 2 * i)
            frames.reset(1 + 2 * i)
        },
        // MadeYouReset, CVE-2025-8671: errors on streams that were accepted.
        FloodExample(kind: .resetsProvoked, tolerated: 500) { i, frames in
            frames.get(1 + 2 * i, ends: false)
            frames.window(1 + 2 * i, 0x7fff_ffff)
        },
        FloodExample(kind: .resetsProvoked, tolerated: 500) { i, frames in
            frames.headers(1 + 2 * i, Frames.request("GET", "/") + [("content-length", "1")], ends: false)
            frames.data(1 + 2 * i, "ab")
        },
        FloodExample(kind: .resetsProvoked, tolerated: 500) { i, frames in frames.headers(1 + 2 * i, [("", "")]) },
        FloodExample(kind: .continuations, tolerated: 8) { i, frames in
            if i == 0 { frames.add(1, 1, 1, Frames.block(Frames.request("GET", "/"))) }
            frames.add(9, 0, 1, [])
        },
        FloodExample(kind: .settings, tolerated: 49) { _, frames in frames.settings([(1, 4096)]) },
        FloodExample(kind: .settings, tolerated: 49) { i, frames in frames.settings([(1, i & 1 * 4096)]) },
        FloodExample(kind: .pings, tolerated: 50) { _, frames in frames.add(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) },
        FloodExample(kind: .emptyData, tolerated: 100) { i, frames in
            if i == 0 { frames.get(1, ends: false) }
            frames.data(1, "")
        },
        FloodExample(kind: .emptyData, tolerated: 100) { i, frames in
            if i == 0 { frames.get(1, ends: false) }
            frames.add(0, 8, 1, [3, 0, 0, 0])
        },
        FloodExample(kind: .priorities, tolerated: 200) { i, frames in frames.add(2, 0, 1 + 2 * i, [0, 0, 0, 0, 1]) },
        FloodExample(kind: .priorities, tolerated: 200) { _, frames in
            frames.add(16, 0, 0, Frames.word(1) + Array("u=1".utf8))
        },
        FloodExample(kind: .windowUpdates, tolerated: 1000) { _, frames in frames.window(0, 1) },
        FloodExample(kind: .unknownFrames, tolerated: 100) { _, frames in frames.add(77, 0, 1, [0]) },
        FloodExample(kind: .glitches, tolerated: 1000) { _, frames in
            frames.add(6, 1, 0, [0, 0, 0, 0, 0, 0, 0, 0])
        },
    ]
}
