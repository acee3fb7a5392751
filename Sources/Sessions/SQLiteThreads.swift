// COLD. The threads of the SQLite store: one that writes, some that read, one that gives up for those who wait.
internal import Bytes
internal import GRDB
internal import Reactor

/// Threads and their end.
final class SQLiteThreads: Sendable {
    private static let group = 32
    private static let tick = 250

    private struct State {
        var running: [Threads.Running] = []
        var clock: Threads.Running?
        var isStopped = false
    }

    private let state = Locked(State())
    private let writer: SQLiteWriter
    private let reads: JobQueue
    /// Never gets a job: it is what the clock sleeps on.
    private let nothing = JobQueue(limit: 0)
    private let pool: DatabasePool

    init(_ writer: SQLiteWriter, _ reads: JobQueue, _ pool: DatabasePool, readers: Int) throws {
        self.writer = writer
        self.reads = reads
        self.pool = pool
        do {
            var running = [try Threads.start("sessions-write") { writer.run() }]
            for index in 0..<readers {
                running.append(
                    try Threads.start("sessions-read-\(index)") { Self.read(reads, pool, writer) }
                )
            }
            let clock = try Threads.start("sessions-clock") { [nothing] in
                while nothing.take(most: 1, within: Self.tick) != nil {
                    let now = Monotonic.milliseconds
                    writer.queue.failOverdue(now)
                    reads.failOverdue(now)
                }
            }
            state.withLock { [running] state in
                state.running = running
                state.clock = clock
            }
        } catch {
            for queue in [writer.queue, reads, nothing] { queue.close() }
            throw error
        }
    }

    private static func read(_ reads: JobQueue, _ pool: DatabasePool, _ writer: SQLiteWriter) {
        while let jobs = reads.take(most: group, within: 60_000) {
            guard !jobs.isEmpty else { continue }
            for (job, error) in run(jobs, pool) {
                if let error { writer.note(error) }
                job.finish(error.map(SQLiteFile.storeError))
            }
            reads.done(jobs)
        }
    }

    /// All in one transaction; an error of one is its own.
    private static func run(_ jobs: [any StoreJob], _ pool: DatabasePool) -> [((any StoreJob), (any Error)?)] {
        do {
            return try pool.read { db in
                var unused = Changes()
                return jobs.map { job in
                    do {
                        try job.run(db, &unused)
                        return (job, nil)
                    } catch {
                        return (job, error)
                    }
                }
            }
        } catch {
            return jobs.map { ($0, error) }
        }
    }

    /// Lets the threads finish what waits and closes the file, on a thread of its own; the first call does it.
    func stop(_ done: @escaping @Sendable () -> Void = {}) {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        for queue in [writer.queue, reads] { queue.close() }
        guard isFirst else { return done() }
        let (running, clock) = state.withLock { ($0.running, $0.clock) }
        let (pool, nothing) = (pool, nothing)
        let end: @Sendable () -> Void = {
            for thread in running { thread.join() }
            nothing.close()
            clock?.join()
            try? pool.close()
            done()
        }
        guard let closing = try? Threads.start("sessions-close", end) else {
            nothing.close()
            return done()
        }
        closing.detach()
    }
}
