// COLD. The one thread that writes: what waits for it goes into one transaction, so that many logins share one flush.
import Bytes
import Foundation
internal import GRDB
internal import Reactor
import Synchronization

/// Writes in groups, tells the watcher, and looks what other processes wrote.
final class SQLiteWriter: Sendable {
    /// Most jobs of one transaction.
    private static let group = 256
    /// How often other processes' changes are looked for, in milliseconds.
    private static let poll = 250
    private static let pruneEvery = 10_000
    private static let probeEvery = 1000
    /// Size from which the write-ahead log is cut back, in bytes.
    private static let longestLog = 32 << 20
    /// Most changes that are read at once.
    private static let page = 1000

    private struct Tick {
        var version = 0
        var seen: Int64 = 0
        var polled = 0
        var pruned = 0
        var probed = 0
        var looked = 0
    }

    let queue: JobQueue
    private let pool: DatabasePool
    private let origin: SQLiteStore.Origin
    private let watcher = Locked<(@Sendable (StoreEvent) -> Void)?>(nil)
    private let isUp = Atomic<Bool>(true)
    /// What the file did not take last, and what has become of it, for people.
    let problem = Locked("")
    let hazard = Locked("")
    private let identity: FileIdentity?

    init(_ pool: DatabasePool, _ queue: JobQueue, _ origin: SQLiteStore.Origin) {
        self.pool = pool
        self.queue = queue
        self.origin = origin
        identity = FileIdentity(pool.path)
    }

    var isAvailable: Bool { isUp.load(ordering: .relaxed) }

    func watch(_ changed: @escaping @Sendable (StoreEvent) -> Void) { watcher.withLock { $0 = changed } }

    private func tell(_ event: StoreEvent) { watcher.withLock { $0 }?(event) }

    /// Notes whether the store works; said once for each change.
    func note(_ error: (any Error)?) {
        if let error = error as? DatabaseError {
            switch error.resultCode.primaryResultCode {
            case .SQLITE_IOERR, .SQLITE_FULL, .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_READONLY, .SQLITE_CANTOPEN,
                .SQLITE_PERM, .SQLITE_NOMEM:
                problem.withLock { $0 = "\(pool.path): \(SQLiteFile.sentence(error))" }
                if isUp.exchange(false, ordering: .relaxed) { tell(.available(false)) }
            default: break
            }
        } else if error == nil {
            if !isUp.exchange(true, ordering: .relaxed) { tell(.available(true)) }
        }
    }

    /// The thread's whole life.
    func run() {
        var tick = Tick()
        // From here on others' changes are told.
        try? pool.writeWithoutTransaction { db in
            tick.seen = try ChangeLog.last(db)
            tick.version = try Self.version(db)
        }
        while let jobs = queue.take(most: Self.group, within: Self.poll) {
            if !jobs.isEmpty {
                write(jobs)
                queue.done(jobs)
            }
            look(&tick)
        }
    }

    // MARK: Writing

    private func write(_ jobs: [any StoreJob]) {
        do {
            let changes = try commit(jobs)
            note(nil)
            for job in jobs { job.finish(nil) }
            tell(changes)
        } catch {
            // When it is one of them, each gets what is its own; a lock or a disk is everybody's, and tried once.
            if jobs.count > 1, Self.isOfOneJob(error) {
                for job in jobs { write([job]) }
            } else {
                note(error)
                for job in jobs { job.finish(SQLiteFile.storeError(error)) }
            }
        }
    }

    private static func isOfOneJob(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        switch error.resultCode.primaryResultCode {
        case .SQLITE_CONSTRAINT, .SQLITE_CORRUPT, .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_ERROR: return true
        default: return false
        }
    }

    private func commit(_ jobs: [any StoreJob]) throws -> Changes {
        var changes = Changes()
        try pool.writeWithoutTransaction { db in
            try db.inTransaction(.immediate) {
                changes.totals = try Self.totals(db)
                for job in jobs { try job.run(db, &changes) }
                if changes.sessions != 0 || changes.values != 0 {
                    try db.cachedStatement(
                        sql: "UPDATE total SET sessions = sessions + ?, small = small + ? WHERE id = 1"
                    ).execute(arguments: [changes.sessions, changes.values])
                }
                return .commit
            }
        }
        return changes
    }

    private func tell(_ changes: Changes) {
        if !changes.ended.isEmpty { tell(.ended(changes.ended)) }
        if !changes.refreshed.isEmpty { tell(.refreshed(changes.refreshed)) }
    }

    static func totals(_ db: Database) throws -> (sessions: Int, values: Int) {
        let statement = try db.cachedStatement(sql: "SELECT sessions, small FROM total WHERE id = 1")
        guard let row = try Row.fetchOne(statement), let sessions = row[0] as Int?, let values = row[1] as Int? else {
            throw StoreError.corrupt
        }
        return (sessions, values)
    }

    // MARK: Looking

    /// Changes only when another connection wrote.
    private static func version(_ db: Database) throws -> Int {
        try Int.fetchOne(try db.cachedStatement(sql: "PRAGMA data_version")) ?? 0
    }

    private func look(_ tick: inout Tick) {
        let now = Monotonic.milliseconds
        guard now - tick.polled >= Self.poll else { return }
        tick.polled = now
        if now - tick.looked >= Self.probeEvery {
            tick.looked = now
            checkPlace()
        }
        do {
            try pool.writeWithoutTransaction { db in try follow(db, &tick) }
            if !isAvailable, now - tick.probed >= Self.probeEvery {
                tick.probed = now
                try pool.write { try $0.execute(sql: "UPDATE total SET sessions = sessions WHERE id = 1") }
                note(nil)
                tell(.missed)
            }
            guard now - tick.pruned >= Self.pruneEvery else { return }
            tick.pruned = now
            try pool.write { try ChangeLog.prune(before: origin.now() - ChangeLog.retention, $0) }
            try cutLog()
        } catch {
            note(error)
        }
    }

    /// Whether the file is still where it was opened: removed or replaced, it is lost with the process.
    private func checkPlace() {
        guard let identity else { return }
        let place = FileIdentity(pool.path)
        let text =
            place == nil
            ? "\(pool.path) was removed: sessions are lost at the next restart"
            : place == identity ? "" : "\(pool.path) was replaced by another file: it counts from the next restart on"
        hazard.withLock { $0 = text }
    }

    private func follow(_ db: Database, _ tick: inout Tick) throws {
        // In this order: when nobody wrote until the version is read, the last change before it is our own.
        let last = try ChangeLog.last(db)
        let version = try Self.version(db)
        if version == tick.version {
            tick.seen = last
            return
        }
        tick.version = version
        if last < tick.seen {
            // Somebody put another file's content in its place.
            tick.seen = last
            return tell(.missed)
        }
        // What is missing at the beginning was forgotten before we saw it.
        if last > tick.seen, (try ChangeLog.first(db) ?? last + 1) > tick.seen + 1 { tell(.missed) }
        let statement = try db.cachedStatement(
            sql: "SELECT seq, origin, kind, key FROM change WHERE seq > ? ORDER BY seq LIMIT \(Self.page)"
        )
        while true {
            let rows = try Row.fetchAll(statement, arguments: [tick.seen])
            var changes = Changes()
            for row in rows {
                tick.seen = row[0] as Int64? ?? tick.seen
                guard let writer = row[1] as Int64?, writer != origin.id, let bytes = row[3] as Data?,
                    let key = SessionKey(bytes: bytes)
                else { continue }
                if row[2] as Int? == ChangeLog.Kind.ended.rawValue {
                    changes.ended.append(key)
                } else {
                    changes.refreshed.append(key)
                }
            }
            tell(changes)
            if rows.count < Self.page { return }
        }
    }

    /// Readers that follow one another closely can keep SQLite from starting over at the log's beginning.
    private func cutLog() throws {
        let attributes = try? FileManager.default.attributesOfItem(atPath: pool.path + "-wal")
        guard let size = attributes?[.size] as? Int, size > Self.longestLog else { return }
        try pool.writeWithoutTransaction { db in
            // A reader that takes long, such as a backup, must not keep logins waiting.
            try db.execute(sql: "PRAGMA busy_timeout = 20")
            defer { try? db.execute(sql: "PRAGMA busy_timeout = \(Int(SQLiteFile.busySeconds * 1000))") }
            do {
                _ = try db.checkpoint(.truncate)
            } catch let error as DatabaseError where error.resultCode.primaryResultCode == .SQLITE_BUSY {
                // The next time, then.
            }
        }
    }
}
