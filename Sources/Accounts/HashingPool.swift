// COLD. Threads that hash passwords, so that neither an event loop nor a task ever waits for one.
import Bytes
import CLinux
import Dispatch
import Glibc
public import Settings

/// A bounded queue with threads of its own.
///
/// They run at a lower priority than the event loops: logins may take longer under load, requests must not.
public final class HashingPool: Sendable {
    private let queue: HashingQueue

    /// Starts `threads` threads (at least one); `queue`: most passwords that wait.
    public init(threads: Int, queue: Int) {
        self.queue = HashingQueue(limit: max(1, queue))
        self.queue.start(max(1, threads))
    }

    /// As the settings say; unless they do, half the processors hash.
    public convenience init(_ settings: HashingSettings) {
        self.init(threads: settings.threads ?? Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))) / 2, queue: settings.queue)
    }

    deinit { queue.close() }

    /// Whether `password` is the one of `encoded`; nil: of an account that does not exist or has none.
    ///
    /// With the `decoys` of the directory that the account is or is not in, the work is the same in all these cases.
    public func verify(
        _ password: [UInt8],
        _ encoded: String?,
        _ decoys: Decoys
    ) async throws(HashingError) -> PasswordVerdict {
        guard (1...PasswordHash.maximumBytes).contains(password.count) else { throw .length }
        return try await run { () throws(HashingError) in try decoys.verify(password, encoded) }
    }

    /// A new Argon2id hash.
    public func make(_ password: [UInt8], _ cost: Argon2Settings) async throws(HashingError) -> String {
        try await run { () throws(HashingError) in try PasswordHash.make(password, cost) }
    }

    /// How many wait or are being hashed now.
    public var depth: Int { queue.depth }

    /// Takes nothing any more; what waits is still done, then the threads end.
    public func close() { queue.close() }

    private func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws(HashingError) -> Value
    ) async throws(HashingError) -> Value {
        let result: Result<Value, HashingError> = await withCheckedContinuation { continuation in
            let refusal = queue.submit {
                do throws(HashingError) {
                    continuation.resume(returning: .success(try work()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if let refusal { continuation.resume(returning: .failure(refusal)) }
        }
        return try result.get()
    }
}

/// What pool and threads share.
private final class HashingQueue: Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var running = 0
        var threads = 0
        var isClosed = false
    }

    private let limit: Int
    private let state = Locked(State())
    private let signal = DispatchSemaphore(value: 0)

    init(limit: Int) { self.limit = limit }

    var depth: Int { state.withLock { $0.waiting.count + $0.running } }

    func start(_ count: Int) {
        for _ in 0..<count {
            let box = Unmanaged.passRetained(self)
            var thread = pthread_t()
            let result = pthread_create(
                &thread,
                nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<HashingQueue>.fromOpaque(argument).takeRetainedValue().work()
                    return nil
                },
                box.toOpaque()
            )
            guard result == 0 else {
                box.release()
                continue
            }
            pthread_detach(thread)
            state.withLock { $0.threads += 1 }
        }
    }

    /// Nil when it was taken.
    func submit(_ job: @escaping @Sendable () -> Void) -> HashingError? {
        let refusal = state.withLock { state -> HashingError? in
            if state.isClosed || state.threads == 0 { return .failed }
            // Who waits for a thread that is free does not count.
            if state.waiting.count >= limit + max(0, state.threads - state.running) { return .busy }
            state.waiting.append(job)
            return nil
        }
        if refusal == nil { signal.signal() }
        return refusal
    }

    func close() {
        let threads = state.withLock { state -> Int in
            defer { state.isClosed = true }
            return state.isClosed ? 0 : state.threads
        }
        for _ in 0..<threads { signal.signal() }
    }

    private func work() {
        // On Linux this is the priority of the calling thread alone.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        // A hash takes tens of milliseconds; whoever wakes meanwhile, worker or service, need not wait for a whole turn.
        _ = pc_ask_slice(200_000)
        while true {
            signal.wait()
            let job = state.withLock { state -> (@Sendable () -> Void)? in
                guard !state.waiting.isEmpty else { return nil }
                state.running += 1
                return state.waiting.removeFirst()
            }
            guard let job else {
                if state.withLock({ $0.isClosed && $0.waiting.isEmpty }) { return }
                continue
            }
            job()
            state.withLock { $0.running -= 1 }
        }
    }
}
