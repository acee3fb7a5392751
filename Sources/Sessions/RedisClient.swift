// COLD. The door to the loop: commands from any thread, answers to tasks. Knows nothing of sessions.
internal import Bytes
internal import Reactor
internal import Synchronization

/// Mail for the loop.
enum RedisMessage: Sendable {
    case calls([RedisCall])
    case resolved(link: Int, generation: UInt32, [SocketAddress])
    case stop(CheckedContinuation<Void, Never>?)
}

/// What threads and loop share.
final class RedisShared: Sendable {
    let outstanding = Atomic<Int>(0)
    let isAvailable = Atomic<Bool>(false)
    /// No attempt to reach the servers has come to anything: commands need not wait for the next one.
    let isDown = Atomic<Bool>(false)
    /// Whether the stream of changes is being read.
    let isFollowing = Atomic<Bool>(false)
    let problem = Locked("")
    /// What a server answered instead of doing what it was asked, the last time.
    let refusal = Locked("")
    let watcher = Locked<(@Sendable (StoreEvent) -> Void)?>(nil)

    func tell(_ event: StoreEvent) { watcher.withLock { $0 }?(event) }
}

/// A client of one server, of a master that Sentinels watch, or of a cluster.
final class RedisClient: Sendable {
    let plan: RedisPlan
    let shared = RedisShared()
    private let mailbox: Mailbox<RedisMessage>
    /// Whether it is closed; held while posting, so that nothing is posted behind the last message.
    private let gate = Locked(false)

    /// Starts the loop's thread; does not wait for a server.
    init(_ plan: RedisPlan, events: RedisEventPlan) throws(SystemError) {
        self.plan = plan
        mailbox = try Mailbox(limit: plan.backlog + 1024)
        let resolver = try OffloadPool(threads: 1, limit: 256)
        try Threads.start("redis") { [shared, mailbox] in
            guard let loop = RedisLoop(plan, events, shared, mailbox, resolver) else {
                shared.isDown.store(true, ordering: .releasing)
                shared.problem.withLock { $0 = "no event loop: out of descriptors" }
                return RedisLoop.refuseAll(mailbox, shared)
            }
            loop.run()
            resolver.stop(within: 1)
        }
        .detach()
    }

    deinit { _ = stop(nil) }

    /// Sends commands and waits for all of their answers, each of which may be an error.
    ///
    /// When there is no hope of an answer, or too many commands wait, it fails at once.
    func send(_ commands: [RedisCommand]) async throws(StoreError) -> [RedisResult] {
        guard !commands.isEmpty else { return [] }
        let count = commands.count
        guard !shared.isDown.load(ordering: .relaxed) else { throw .unavailable }
        guard shared.outstanding.add(count, ordering: .relaxed).newValue <= plan.backlog else {
            shared.outstanding.subtract(count, ordering: .relaxed)
            throw .unavailable
        }
        defer { shared.outstanding.subtract(count, ordering: .relaxed) }
        let deadline = Clock.milliseconds() + plan.timeout
        let gather = RedisGather(count)
        await withCheckedContinuation { continuation in
            gather.wakes(continuation)
            let calls = commands.indices.map {
                RedisCall(command: commands[$0], gather: gather, index: $0, deadline: deadline)
            }
            if !gate.withLock({ isClosed in !isClosed && mailbox.post(.calls(calls)) }) {
                for call in calls { gather.set(call.index, .failure(.unavailable)) }
            }
        }
        let results = gather.results
        note(results)
        return results
    }

    /// Keeps what the server refused, for people; its sentences hold no secrets.
    private func note(_ results: [RedisResult]) {
        for case .success(.error(let text)) in results where !text.hasPrefix("NOSCRIPT") && !text.hasPrefix("FULL") {
            let line = text.prefix { !$0.isNewline }
            shared.refusal.withLock { $0 = String(line.prefix(120)) }
        }
    }

    /// Ends the loop when what was accepted is answered, or its time is over.
    func close() async {
        await withCheckedContinuation { continuation in
            if !stop(continuation) { continuation.resume() }
        }
    }

    private func stop(_ continuation: CheckedContinuation<Void, Never>?) -> Bool {
        gate.withLock { isClosed in
            if isClosed { return false }
            isClosed = true
            return mailbox.post(.stop(continuation))
        }
    }
}
