// COLD. Threads that may block: files, name look-ups, key loading. Loops hand work over and get messages back.
import Bytes
import CLinux
import Glibc
import Synchronization

/// Starts threads of the program.
public enum Threads {
    /// A thread that was started.
    public struct Running: Sendable {
        let thread: pthread_t
        /// Lets it end by itself: nobody joins it.
        public func detach() { pthread_detach(thread) }
        /// Waits for it to end.
        public func join() { pthread_join(thread, nil) }
    }

    /// Asks that the calling thread runs for at most `microseconds` at a time while others want its processor.
    ///
    /// From Linux 6.12 on (elsewhere nothing changes) a thread with short turns also gets its turn sooner when it
    /// wakes: sched_setattr(2), `sched_runtime`. Its share of the processor stays the same. Range: 100 to 100,000.
    public static func askShortTurns(microseconds: UInt64) { _ = pc_ask_slice(microseconds * 1000) }

    private final class Body {
        let run: @Sendable () -> Void
        let name: String
        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Runs `body` on a new thread.
    ///
    /// - Throws: ``SystemError`` when the system gives no thread.
    @discardableResult
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) -> Running {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(name, body)).toOpaque()
        let result = pthread_create(
            &thread,
            nil,
            { raw in
                guard let raw else { return nil }
                let body = Unmanaged<Body>.fromOpaque(raw).takeRetainedValue()
                _ = pc_set_thread_name(String(body.name.prefix(15)))
                body.run()
                return nil
            },
            argument
        )
        if result != 0 {
            Unmanaged<Body>.fromOpaque(argument).release()
            throw SystemError("pthread_create", code: result)
        }
        return Running(thread: thread)
    }
}

/// A few threads with a bounded queue of work that may block.
public final class OffloadPool: Sendable {
    private struct State {
        var queue: [@Sendable () -> Void] = []
        var stopping = false
    }

    private let state = Locked(State())
    private let limit: Int
    // Exception to plain Sendable: the semaphore's memory is fixed at init and only used through its own calls.
    private nonisolated(unsafe) let ready: UnsafeMutablePointer<sem_t>
    private let threads: Int
    private let running = Locked<[Threads.Running]>([])
    private let ended = Atomic<Int>(0)

    /// Starts `threads` threads; at most `limit` pieces of work wait.
    ///
    /// - Throws: ``SystemError`` when the system gives no thread.
    public init(threads: Int, limit: Int) throws(SystemError) {
        self.limit = limit
        self.threads = threads
        ready = .allocate(capacity: 1)
        sem_init(ready, 0, 0)
        for index in 0..<threads {
            let thread = try Threads.start("offload-\(index)") { [self] in work() }
            running.withLock { $0.append(thread) }
        }
    }

    deinit {
        sem_destroy(ready)
        ready.deallocate()
    }

    /// Hands work over; false when the queue is full.
    public func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
        let accepted = state.withLock { state in
            guard state.queue.count < limit, !state.stopping else { return false }
            state.queue.append(work)
            return true
        }
        if accepted { sem_post(ready) }
        return accepted
    }

    /// Lets the threads end after the work at hand, and joins them; when one is still at it after `milliseconds`, they
    /// end by themselves.
    public func stop(within milliseconds: Int = 1000) {
        state.withLock { $0.stopping = true }
        for _ in 0..<threads { sem_post(ready) }
        for _ in 0..<max(1, milliseconds) where ended.load(ordering: .acquiring) < threads { usleep(1000) }
        // A look-up that hangs must not keep the process: its thread ends with it.
        let allEnded = ended.load(ordering: .acquiring) == threads
        let all = running.withLock { running in
            defer { running = [] }
            return running
        }
        for thread in all { allEnded ? thread.join() : thread.detach() }
    }

    private func work() {
        while true {
            while sem_wait(ready) != 0 {}
            let (next, stop) = state.withLock { state -> ((@Sendable () -> Void)?, Bool) in
                state.queue.isEmpty ? (nil, state.stopping) : (state.queue.removeFirst(), false)
            }
            if let next { next() }
            if stop {
                ended.add(1, ordering: .releasing)
                return
            }
        }
    }
}
