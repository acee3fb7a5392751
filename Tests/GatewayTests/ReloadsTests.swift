// COLD. Which reload follows which, when refused files are tried again, and what is told of a refusal.
import Testing

@testable import Gateway

@Suite("Reloads") struct ReloadsTests {
    private var reloads = Reloads()

    private mutating func begin(_ cause: Reloads.Cause) -> Bool { reloads.begin(cause) }

    /// Runs one to its end; the one that follows.
    private mutating func end(_ messages: [String]? = nil, now: Int64 = 0) -> Reloads.Cause? {
        reloads.end(messages == nil, messages ?? [], now: now, interval: 1000)
    }

    private mutating func run(_ cause: Reloads.Cause, _ messages: [String]? = nil, now: Int64 = 0) -> [String] {
        _ = begin(cause)
        _ = end(messages, now: now)
        return reloads.details
    }

    @Test("one at a time; a signal goes before files")
    mutating func order() {
        let begun = [begin(.files), begin(.files), begin(.signal), begin(.files)]
        #expect(begun == [true, false, false, false] && reloads.isRunning)
        let next = end()
        #expect(next == .signal && !reloads.isRunning)
        _ = begin(.signal)
        let last = end()
        #expect(last == nil)
    }

    @Test("refused files are tried again, less and less often, and told once")
    mutating func again() {
        var now: Int64 = 0
        for (index, pause) in [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000].enumerated() {
            _ = begin(index == 0 ? .files : .retry)
            #expect(reloads.isNews(["f:1:1: wrong"], isRefusal: true) == (index == 0))
            #expect(reloads.isFruitless(["f:1:1: wrong"]) == (index > 0) && !reloads.isFruitless(["f:1:1: other"]))
            #expect(reloads.isNews(["f:1:1: other"], isRefusal: true))
            _ = end(["f:1:1: wrong"], now: now)
            #expect(!reloads.isDue(now: now + Int64(pause) - 1) && reloads.isDue(now: now + Int64(pause)))
            now += Int64(pause)
        }
        #expect(reloads.details == ["changed files were refused, the former content is in use: f:1:1: wrong"])
        _ = begin(.files)
        #expect(reloads.isNews(["f:1:1: wrong"], isRefusal: true) && !reloads.isFruitless(["f:1:1: wrong"]))
        _ = end(["f:1:1: wrong"], now: now)
        let details = run(.retry, now: now)
        #expect(details == [] && !reloads.isDue(now: .max - 1))
    }

    @Test("a refused signal waits for the next one")
    mutating func signal() {
        let refusal = ["the last SIGHUP was refused: f: wrong"]
        let seen = [run(.signal, ["f: wrong"]), run(.files), run(.signal)]
        #expect(seen == [refusal, refusal, []])
        #expect(!reloads.isDue(now: .max - 1))
    }

    @Test(
        "the reason is the first mistake without what it quotes",
        arguments: [
            (["f:1:1: warning: a", "f:2:1: b is wrong"], "f:2:1: b is wrong"),
            (
                ["f:1:1: expected a number, found \"hunter2\", or \"x\""],
                "f:1:1: expected a number, found \"…\", or \"…\""
            ),
            (["f: \"never closed"], "f: \"…\""), (["f: a\nb"], "f: a b"), ([], "see the log"),
        ]
    )
    func reason(messages: [String], text: String) { #expect(Reloads.reason(messages) == text) }
}
