// COLD. The access log's writer: a thread that may block, behind a queue that may not.
import Bytes
import CLinux
import Glibc
public import Reactor
import Synchronization

/// The access log.
///
/// Batches come from the workers' ``AccessLane``s; one thread writes them to a file or descriptor.
///
/// Its queue is bounded in bytes: a batch that does not fit is dropped, and its lines are counted by the caller's
/// worker. Nothing here ever makes a worker wait for a disk.
public final class AccessLog: Sendable {
    private struct Batch {
        let buffer: OutputBuffer
        let lines: Int
    }

    // Exception to plain Sendable: an OutputBuffer in here belongs to whoever took it out under the lock; nobody
    // keeps a reference to one that he has put in.
    private struct State: @unchecked Sendable {
        var queue: [Batch] = []
        var spare: [OutputBuffer] = []
        var bytes = 0
        var stopping = false
    }

    private let state = Locked(State())
    private let path: String
    private let limit: Int
    private let metrics: Metrics
    private let reopening = Atomic<Bool>(false)
    private let done = Atomic<Bool>(false)
    private let writer = Locked<Threads.Running?>(nil)
    private let problem = Locked("")
    // Exception to plain Sendable: fixed at init, used only through the semaphore's own calls.
    private nonisolated(unsafe) let ready: UnsafeMutablePointer<sem_t>

    /// Opens `path` for appending and starts the writer.
    ///
    /// - Parameters:
    ///   - path: a file (made with mode 0640), or `/dev/stdout` or `stdout` for the standard
    ///     output, or `/dev/stderr`.
    ///   - queueBytes: what may wait for the writer, at least 64 KiB.
    ///   - metrics: where lines lost by the writer are counted.
    /// - Throws: ``SystemError`` when the file cannot be opened or the system gives no thread.
    public init(path: String, queueBytes: Int = 8 << 20, metrics: Metrics) throws(SystemError) {
        self.path = path
        self.metrics = metrics
        limit = max(queueBytes, 64 << 10)
        ready = .allocate(capacity: 1)
        sem_init(ready, 0, 0)
        let descriptor = Self.open(path)
        // Thrown with everything initialised, so that deinit runs and frees the semaphore.
        if descriptor < 0 { throw SystemError("open \(path)") }
        let running = try Threads.start("access-log") { [self] in run(descriptor) }
        writer.withLock { $0 = running }
    }

    deinit {
        sem_destroy(ready)
        ready.deallocate()
    }

    /// Why lines cannot be written; empty: they are.
    public var fault: String { problem.withLock { $0 } }

    /// The lane of a worker.
    public func makeLane(_ metrics: WorkerMetrics) -> AccessLane { AccessLane(log: self, metrics: metrics) }

    /// Opens the file again before the next batch: what SIGUSR1 asks for after a rotation.
    public func reopen() {
        reopening.store(true, ordering: .releasing)
        sem_post(ready)
    }

    /// Writes what waits and ends the writer, within `milliseconds`; false when it had to be left behind.
    @discardableResult
    public func close(within milliseconds: Int = 5000) -> Bool {
        state.withLock { $0.stopping = true }
        sem_post(ready)
        for _ in 0..<max(1, milliseconds / 5) where !done.load(ordering: .acquiring) { usleep(5000) }
        guard done.load(ordering: .acquiring) else { return false }
        let ended = writer.withLock { writer in
            defer { writer = nil }
            return writer
        }
        ended?.join()
        return true
    }

    static func makeBuffer() -> OutputBuffer { OutputBuffer(capacity: AccessLane.batch + AccessLine.longest) }

    /// Takes a batch and gives an empty buffer for the next; the number of its lines when it was dropped.
    func submit(_ buffer: OutputBuffer, lines: Int) -> (OutputBuffer, dropped: Int) {
        // Exception: the lock is held by others for a few instructions only; this runs once per batch, not per line.
        nonisolated(unsafe) let buffer = buffer
        nonisolated(unsafe) var next: OutputBuffer?
        let accepted = state.withLock { state in
            guard state.bytes + buffer.count <= limit, !state.stopping else { return false }
            state.queue.append(Batch(buffer: buffer, lines: lines))
            state.bytes += buffer.count
            next = state.spare.popLast()
            return true
        }
        guard accepted else {
            buffer.removeAll()
            return (buffer, lines)
        }
        sem_post(ready)
        return (next ?? Self.makeBuffer(), 0)
    }

    // MARK: The writer's thread

    private func run(_ opened: Int32) {
        var descriptor = opened
        var isTorn = false
        while true {
            while sem_wait(ready) != 0 {}
            if reopening.exchange(false, ordering: .acquiring) { descriptor = reopened(descriptor) }
            while let (buffer, lines) = take() {
                let whole = write(buffer, to: descriptor, &isTorn)
                if whole < lines { metrics.lostLogLines(lines - whole) }
                give(buffer)
            }
            if state.withLock({ $0.stopping && $0.queue.isEmpty }) { break }
        }
        if descriptor > 2 { Glibc.close(descriptor) }
        done.store(true, ordering: .releasing)
    }

    private func take() -> (OutputBuffer, Int)? {
        nonisolated(unsafe) var taken: (OutputBuffer, Int)?
        state.withLock { state in
            guard !state.queue.isEmpty else { return }
            let batch = state.queue.removeFirst()
            taken = (batch.buffer, batch.lines)
        }
        return taken
    }

    private func give(_ buffer: OutputBuffer) {
        nonisolated(unsafe) let buffer = buffer
        let count = buffer.tail - buffer.head
        state.withLock { state in
            state.bytes -= count
            buffer.removeAll()
            if state.spare.count < 8 { state.spare.append(buffer) }
        }
    }

    /// Writes a batch; returns how many of its lines are whole in the file.
    ///
    /// Where a line was cut, because a disk is full, the next one does not go on in it.
    private func write(_ buffer: OutputBuffer, to descriptor: Int32, _ isTorn: inout Bool) -> Int {
        if isTorn, put("\n", to: descriptor) == 1 { isTorn = false }
        let count = isTorn ? 0 : put(buffer.bytes, to: descriptor)
        let written = buffer.bytes.prefix(count)
        note(count == buffer.count ? "" : String(cString: strerror(errno)))
        if let last = written.last { isTorn = last != UInt8(ascii: "\n") }
        return written.count { $0 == UInt8(ascii: "\n") }
    }

    private func put(_ text: StaticString, to descriptor: Int32) -> Int {
        put(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), to: descriptor)
    }

    /// Writes as much as goes; returns how much that was, with the reason in `errno` when it is less.
    private func put(_ bytes: UnsafeBufferPointer<UInt8>, to descriptor: Int32) -> Int {
        var written = 0
        while written < bytes.count, let start = bytes.baseAddress {
            let count = Glibc.write(descriptor, start + written, bytes.count - written)
            if count > 0 {
                written += count
            } else if count < 0, errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // At the end a reader that is slow is waited for, one that is gone is not.
                if poll(&waiting, 1, 1000) <= 0, state.withLock({ $0.stopping }) {
                    errno = EAGAIN
                    break
                }
            } else if count == 0 || errno != EINTR {
                break
            }
        }
        return written
    }

    /// Notes whether lines are written, and says so when that changes.
    private func note(_ reason: String) {
        let before = problem.withLock { problem in
            defer { problem = reason }
            return problem
        }
        if !reason.isEmpty, reason != before {
            Log.error("access log: lines cannot be written", ("path", path), ("reason", reason))
        } else if reason.isEmpty, !before.isEmpty {
            Log.info("access log: lines are written again", ("path", path))
        }
    }

    private func reopened(_ descriptor: Int32) -> Int32 {
        guard descriptor > 2 else { return descriptor }
        let fresh = Self.open(path)
        guard fresh >= 0 else {
            Log.error("access log: cannot open the file again; still writing to the old one", ("path", path))
            return descriptor
        }
        Glibc.close(descriptor)
        return fresh
    }

    private static func open(_ path: String) -> Int32 {
        if path == "stdout" || path == "-" || path == "/dev/stdout" { return 1 }
        if path == "/dev/stderr" { return 2 }
        // A pipe of a name waits for its reader, and a full one for room: neither may hold anybody up.
        let flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK
        let descriptor = Glibc.open(path, O_WRONLY | flags, 0o640)
        guard descriptor < 0, errno == ENXIO else { return descriptor }
        return Glibc.open(path, O_RDWR | flags, 0o640)
    }
}
