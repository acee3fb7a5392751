// COLD. The audit log's writer: lines wait in a bounded queue, one thread writes them in groups and syncs each group.
import Bytes
import Glibc
import Reactor
import Synchronization

/// The audit log: JSON lines in a hash chain (``AuditChain``), on the disk before `append` returns.
///
/// One thread writes; what waits meanwhile goes with one `fdatasync`. Other processes may write the same file: commands,
/// and the gateway that takes over from this one. While the file cannot be written, lines are
/// refused, not kept: what that means for a login is the caller's policy.
public final class AuditLog: Sendable {
    private struct Waiting {
        let entry: AuditEntry
        let done: (@Sendable (AuditLogError?) -> Void)?
    }

    private struct State {
        var queue: [Waiting] = []
        /// What the writer has in its hands.
        var held: [Waiting] = []
        /// Since when it writes (monotonic milliseconds); nil: it does not.
        var writingSince: Int64?
        /// It has been writing for so long that nobody waits for it.
        var isStuck = false
        var stopping = false
        var reopening = false
        var retrying = false
    }

    /// How long a disk or a reader may take for a group of lines, in milliseconds.
    private static let patience: Int64 = 4000
    /// Most lines of one group.
    private static let group = 256

    private let state = Locked(State())
    private let limit: Int
    private let ended = Atomic<Bool>(false)
    private let lost = Atomic<Int>(0)
    private let written = Atomic<Int>(0)
    private let problem = Locked("")
    private let writer = Locked<Threads.Running?>(nil)
    // Exception to plain Sendable: fixed at init, used only through the semaphore's own calls.
    private nonisolated(unsafe) let ready: UnsafeMutablePointer<sem_t>
    /// The file that it was made with.
    public let path: String

    /// Opens the file, goes on with its chain, and starts the writer.
    ///
    /// - Parameters:
    ///   - path: a file (made with mode 0600) or `/dev/stdout`.
    ///   - queue: lines that may wait, 1 or more.
    /// - Throws: ``AuditFileError`` when the file cannot be used, or the system gives no thread.
    public init(path: String, queue: Int = 4096) throws(AuditFileError) {
        self.path = path
        limit = max(1, queue)
        ready = .allocate(capacity: 1)
        sem_init(ready, 0, 0)
        // Thrown with everything initialised, so that deinit runs and frees the semaphore.
        let file = try AuditFile(path: path)
        do throws(SystemError) {
            let running = try Threads.start("audit-log") { [self] in run(file) }
            writer.withLock { $0 = running }
        } catch {
            var file = file
            file.close()
            throw AuditFileError(description: "\(path): \(error)")
        }
    }

    deinit {
        sem_destroy(ready)
        ready.deallocate()
    }

    /// Lines that wait.
    public var depth: Int { state.withLock { $0.queue.count } }
    /// Lines that were refused or could not be written, since the start.
    public var lostLines: Int { lost.load(ordering: .relaxed) }
    /// Lines that are on the disk, since the start.
    public var writtenLines: Int { written.load(ordering: .relaxed) }

    /// Why the last line is not on the disk, for people; empty when it is.
    public var fault: String { problem.withLock { $0 } }

    /// Adds a line; returns once it is on the disk.
    ///
    /// - Throws: ``AuditLogError``: the line may then not be there.
    public func append(_ entry: AuditEntry) async throws(AuditLogError) {
        let error = await withCheckedContinuation { (continuation: CheckedContinuation<AuditLogError?, Never>) in
            enqueue(Waiting(entry: entry) { continuation.resume(returning: $0) })
        }
        if let error { throw error }
    }

    /// Adds a line for which nobody waits; one that cannot be written is counted in ``lostLines``.
    public func post(_ entry: AuditEntry) { enqueue(Waiting(entry: entry, done: nil)) }

    private func enqueue(_ waiting: Waiting) {
        let refused: AuditLogError? = state.withLock { state in
            if state.stopping { return .closed }
            if state.isStuck { return .failed }
            guard state.queue.count < limit else { return .full }
            state.queue.append(waiting)
            return nil
        }
        guard let refused else {
            sem_post(ready)
            return
        }
        lost.add(1, ordering: .relaxed)
        waiting.done?(refused)
    }

    /// Opens the file again: what SIGUSR1 asks for after a rotation; the chain goes on in the new file.
    public func reopen() {
        state.withLock { $0.reopening = true }
        sem_post(ready)
    }

    /// Finds out whether a file that could not be written can be by now: with a line that says so.
    ///
    /// To be called every second: whoever waits for a line that a disk or a reader does not take is told, after a while.
    public func retry() {
        giveUp()
        guard !fault.isEmpty else { return }
        state.withLock { $0.retrying = true }
        sem_post(ready)
    }

    private func giveUp() {
        let given = state.withLock { state -> [Waiting]? in
            guard let since = state.writingSince, Clock.milliseconds() - since > Self.patience else { return nil }
            defer { (state.held, state.queue, state.isStuck) = ([], [], true) }
            return state.held + state.queue
        }
        guard let given else { return }
        note("\(path): nobody takes what is written")
        lost.add(given.count, ordering: .relaxed)
        for one in given { one.done?(.failed) }
    }

    /// Writes what waits and ends the writer, within `milliseconds`; false when it had to be left behind.
    @discardableResult
    public func close(within milliseconds: Int = 5000) -> Bool {
        state.withLock { $0.stopping = true }
        sem_post(ready)
        for _ in 0..<max(1, milliseconds) where !ended.load(ordering: .acquiring) { usleep(1000) }
        guard ended.load(ordering: .acquiring) else { return false }
        let running = writer.withLock { writer in
            defer { writer = nil }
            return writer
        }
        running?.join()
        return true
    }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    // MARK: The writer's thread

    private func run(_ opened: AuditFile) {
        var file: AuditFile? = opened
        var link = opened.link
        let out = OutputBuffer(capacity: 65_536)
        while true {
            while sem_wait(ready) != 0 {}
            let (reopening, retrying) = state.withLock { state in
                defer { (state.reopening, state.retrying) = (false, false) }
                return (state.reopening, state.retrying)
            }
            if reopening { reopen(&file, &link, out) }
            while case let waiting = take(), !waiting.isEmpty { write(waiting, &file, &link, out) }
            if retrying, !fault.isEmpty {
                state.withLock { $0.writingSince = Clock.milliseconds() }
                _ = write([AuditEntry("resumed", time: Self.now)], &file, &link, out)
                _ = release()
            }
            if state.withLock({ $0.stopping && $0.queue.isEmpty }) { break }
        }
        file?.close()
        ended.store(true, ordering: .releasing)
    }

    private func take() -> [Waiting] {
        state.withLock { state in
            let taken = Array(state.queue.prefix(Self.group))
            state.queue.removeFirst(taken.count)
            state.held = taken
            state.writingSince = taken.isEmpty ? nil : Clock.milliseconds()
            return taken
        }
    }

    /// Those who still wait for what was written, or was not.
    private func release() -> [Waiting] {
        state.withLock { state in
            defer { (state.held, state.writingSince, state.isStuck) = ([], nil, false) }
            return state.held
        }
    }

    private func write(_ waiting: [Waiting], _ file: inout AuditFile?, _ link: inout AuditLink, _ out: OutputBuffer) {
        let isWritten = write(waiting.map(\.entry), &file, &link, out)
        // Without those who were told already.
        let waiting = release()
        if isWritten {
            written.add(waiting.count, ordering: .relaxed)
        } else {
            lost.add(waiting.count, ordering: .relaxed)
        }
        for one in waiting { one.done?(isWritten ? nil : .failed) }
    }

    private func write(
        _ entries: [AuditEntry],
        _ file: inout AuditFile?,
        _ link: inout AuditLink,
        _ out: OutputBuffer
    ) -> Bool {
        if file == nil { file = open(continuing: link) }
        var outcome = file?.write(entries, out) ?? .failed
        if outcome == .moved {
            // Another process has begun a new file after a rotation.
            reopen(&file, &link, out)
            outcome = file?.write(entries, out) ?? .failed
        }
        guard outcome == .written else {
            if let failed = file {
                note(outcome == .moved ? "\(path): was removed, and no new file can be made" : failed.problem)
            }
            file?.close()
            file = nil
            return false
        }
        if let file { link = file.link }
        note("")
        return true
    }

    /// Notes whether lines are written, and says so when that changes.
    private func note(_ reason: String) {
        let before = problem.withLock { problem in
            defer { problem = reason }
            return problem
        }
        if !reason.isEmpty, reason != before {
            Log.error("audit log: lines cannot be written", ("reason", reason))
        } else if reason.isEmpty, !before.isEmpty {
            Log.info("audit log: lines are written again", ("path", path))
        }
    }

    private func open(continuing link: AuditLink) -> AuditFile? {
        do throws(AuditFileError) {
            return try AuditFile(path: path, continuing: link)
        } catch {
            note(error.description)
            return nil
        }
    }

    /// The new file says at once that it continues the old one, so that a restart finds the chain in it.
    private func reopen(_ file: inout AuditFile?, _ link: inout AuditLink, _ out: OutputBuffer) {
        guard path != "/dev/stdout", path != "stdout", path != "-" else { return }
        // Not moved: the same file would be locked by ourselves.
        if let current = file, current.isAt(path) { return }
        // Until the new file has its first line, nobody adds one to the old.
        if file?.lock() == true, (try? file?.catchUp()) != nil, let last = file?.link { link = last }
        defer { file?.unlock() }
        let fault = fault
        guard var fresh = open(continuing: link) else {
            // The old one is as good as it was.
            problem.withLock { $0 = fault }
            Log.error("audit log: still writing to the old file", ("path", path))
            return
        }
        guard fresh.write([AuditEntry("continued", time: Self.now)], out) == .written else {
            fresh.close()
            return
        }
        file?.close()
        link = fresh.link
        file = fresh
    }
}
