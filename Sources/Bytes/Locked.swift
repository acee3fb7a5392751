// COLD. A value behind a lock that sanitizers know.
import Glibc

/// A value that one thread at a time may use.
///
/// A POSIX mutex and not `Synchronization.Mutex`: the latter waits by futex calls that ThreadSanitizer does not see, so
/// that it would report races where there are none, and hide those that there are.
public final class Locked<Value>: @unchecked Sendable {
    // Exception: the value is reached under the lock only; nothing of it leaves except what `body` returns.
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    /// A value behind a new lock.
    public init(_ value: sending Value) {
        self.value = value
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// Runs `body` with the value while no other thread can.
    public func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value)
    }
}
