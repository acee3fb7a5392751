// COLD. Work for a thread that may block on the database, and the bounded queue in front of such threads.
internal import Bytes
internal import GRDB
import Glibc
internal import Reactor

/// Seconds on a clock that never goes back.
enum Monotonic {
    static var milliseconds: Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }
}

/// What one transaction changed: told to the watcher when it is durable.
struct Changes {
    var ended: [SessionKey] = []
    var refreshed: [SessionKey] = []
    /// Sessions more than before.
    var sessions = 0
    /// Small values more than before.
    var values = 0
    /// Totals when the transaction began.
    var totals = (sessions: 0, values: 0)
}

/// Work that somebody waits for; it may run more than once, and is answered once.
protocol StoreJob: AnyObject, Sendable {
    /// When its answer is due, on the monotonic clock.
    var deadline: Int { get }
    /// Does it; a ``StoreError`` it throws is its answer, and means that it changed nothing.
    func run(_ db: Database, _ changes: inout Changes) throws
    /// Answers: with what the last run made, or with an error.
    func finish(_ error: StoreError?)
}

/// A job with a value as its answer.
///
/// The answer goes through a lock and not through the continuation: where that is resumed before anybody waits for it,
/// ThreadSanitizer does not see the hand-over.
final class ValueJob<Value: Sendable>: StoreJob {
    private struct State {
        var outcome: Result<Value, StoreError>?
        var waiting: CheckedContinuation<Void, Never>?
    }

    let deadline: Int
    private let body: @Sendable (Database, inout Changes) throws -> Value
    private let state: Locked<State>
    private let answer: Locked<Result<Value, StoreError>>

    init(
        deadline: Int,
        _ waiting: CheckedContinuation<Void, Never>,
        answer: Locked<Result<Value, StoreError>>,
        _ body: @escaping @Sendable (Database, inout Changes) throws -> Value
    ) {
        self.deadline = deadline
        self.body = body
        self.answer = answer
        state = Locked(State(waiting: waiting))
    }

    func run(_ db: Database, _ changes: inout Changes) throws {
        do {
            let value = try body(db, &changes)
            state.withLock { $0.outcome = .success(value) }
        } catch let error as StoreError {
            state.withLock { $0.outcome = .failure(error) }
        }
    }

    func finish(_ error: StoreError?) {
        let (waiting, outcome) = state.withLock { state in
            defer { state.waiting = nil }
            return (state.waiting, state.outcome)
        }
        guard let waiting else { return }
        answer.withLock { $0 = error.map { .failure($0) } ?? outcome ?? .failure(.unavailable) }
        waiting.resume()
    }
}

/// Jobs that wait for a thread, and those under way.
final class JobQueue: @unchecked Sendable {
    // Exception: everything mutable is reached under `mutex`, whose memory is fixed at init.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let ready: UnsafeMutablePointer<pthread_cond_t>
    private var waiting: [any StoreJob] = []
    private var running: [ObjectIdentifier: any StoreJob] = [:]
    private var isClosed = false
    private let limit: Int

    /// At most `limit` jobs wait.
    init(limit: Int) {
        self.limit = limit
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        ready = .allocate(capacity: 1)
        ready.initialize(to: pthread_cond_t())
        pthread_cond_init(ready, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(ready)
        ready.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Adds a job; nil when it waits now, otherwise why it cannot.
    func submit(_ job: any StoreJob) -> StoreError? {
        locked {
            if isClosed { return .unavailable }
            if waiting.count >= limit { return .timedOut }
            waiting.append(job)
            pthread_cond_signal(ready)
            return nil
        }
    }

    /// The next jobs, at most `most`, after at most `milliseconds`; nil when the queue is closed and empty.
    func take(most: Int, within milliseconds: Int) -> [any StoreJob]? {
        let end = Monotonic.milliseconds + milliseconds
        var until = timespec(tv_sec: end / 1000, tv_nsec: end % 1000 * 1_000_000)
        return locked {
            while waiting.isEmpty {
                if isClosed { return nil }
                if pthread_cond_timedwait(ready, mutex, &until) == ETIMEDOUT { return [] }
            }
            let jobs = Array(waiting.prefix(most))
            waiting.removeFirst(jobs.count)
            for job in jobs { running[ObjectIdentifier(job)] = job }
            if !waiting.isEmpty { pthread_cond_signal(ready) }
            return jobs
        }
    }

    /// The jobs are answered.
    func done(_ jobs: [any StoreJob]) {
        locked { for job in jobs { running[ObjectIdentifier(job)] = nil } }
    }

    /// Answers what has waited too long; what is under way goes on, but nobody waits for it.
    func failOverdue(_ now: Int) {
        let late = locked { () -> [any StoreJob] in
            let late = waiting.filter { $0.deadline <= now } + running.values.filter { $0.deadline <= now }
            if !late.isEmpty { waiting.removeAll { $0.deadline <= now } }
            return late
        }
        for job in late { job.finish(.timedOut) }
    }

    /// No further jobs; those that wait are still done.
    func close() {
        locked {
            isClosed = true
            pthread_cond_broadcast(ready)
        }
    }
}
