// COLD. The process log's way to the standard error: a thread that may block, behind a queue that may not.
import Bytes
import Glibc
import Reactor

/// Writes lines to a descriptor without making those who say something wait for whoever reads it.
///
/// Lines that find no room are dropped and counted, and when what waited is written a line says so.
final class LogWriter: Sendable {
    private struct State {
        var queue: [[UInt8]] = []
        var bytes = 0
        /// Lines that were dropped and not spoken of yet.
        var unspoken = 0
        var lost: UInt64 = 0
        var isStopping = false
        var isDone = false
    }

    private let state = Locked(State())
    private let descriptor: Int32
    private let limit: Int
    private let confession: @Sendable (Int) -> [UInt8]
    // Exception to plain Sendable: fixed at init, used only through the semaphore's own calls.
    private nonisolated(unsafe) let ready: UnsafeMutablePointer<sem_t>

    /// Begins to write to `descriptor`.
    ///
    /// - Parameters:
    ///   - descriptor: where lines go; it stays the caller's.
    ///   - limit: bytes that may wait.
    ///   - confession: the line that says that so many were lost.
    /// - Throws: ``SystemError`` when the system gives no thread.
    init(descriptor: Int32, limit: Int, confession: @escaping @Sendable (Int) -> [UInt8]) throws(SystemError) {
        self.descriptor = descriptor
        self.limit = limit
        self.confession = confession
        ready = .allocate(capacity: 1)
        sem_init(ready, 0, 0)
        try Threads.start("log") { [self] in run() }.detach()
    }

    deinit {
        sem_destroy(ready)
        ready.deallocate()
    }

    /// Lines that were dropped so far.
    var lost: UInt64 { state.withLock { $0.lost } }

    /// Takes a line, or drops it.
    func submit(_ line: [UInt8]) {
        state.withLock { state in
            guard state.bytes + line.count <= limit, !state.isDone else {
                state.lost += 1
                state.unspoken += 1
                return
            }
            state.queue.append(line)
            state.bytes += line.count
        }
        sem_post(ready)
    }

    /// Writes what waits, for `milliseconds` at most.
    func stop(within milliseconds: Int) {
        state.withLock { $0.isStopping = true }
        sem_post(ready)
        for _ in 0..<max(1, milliseconds / 2) where !state.withLock({ $0.isDone }) { usleep(2000) }
    }

    // MARK: The writer's thread

    private func run() {
        while true {
            while sem_wait(ready) != 0 {}
            let (lines, unspoken) = take()
            for line in lines { write(line) }
            if unspoken > 0 { write(confession(unspoken)) }
            let isOver = state.withLock { state in
                state.isDone = state.isStopping && state.queue.isEmpty
                return state.isDone
            }
            if isOver { return }
        }
    }

    /// All that waits, and how many more were lost.
    private func take() -> ([[UInt8]], Int) {
        state.withLock { state in
            defer { (state.queue, state.bytes, state.unspoken) = ([], 0, 0) }
            return (state.queue, state.unspoken)
        }
    }

    private func write(_ line: [UInt8]) {
        line.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count, let start = bytes.baseAddress {
                let count = Glibc.write(descriptor, start + written, bytes.count - written)
                if count > 0 {
                    written += count
                } else if count < 0, errno == EAGAIN {
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&waiting, 1, 1000)
                } else if count == 0 || errno != EINTR {
                    return
                }
            }
        }
    }
}
