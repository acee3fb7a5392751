// COLD. Sessions in one SQLite file: they survive a restart, a kill and a power cut. Threads of its own do the waiting.
internal import Bytes
import Foundation
internal import GRDB
internal import Reactor

/// Sessions in a file.
///
/// One thread writes, in groups; some threads read. Start-up reads nothing of what the file holds, and what a call costs
/// does not depend on how many sessions there are.
public final class SQLiteStore: SessionStore {
    /// Who writes into the log of changes.
    struct Origin: Sendable {
        let id: Int64
        let now: @Sendable () -> Int64
    }

    private static let readers = 2
    /// Most calls that wait for the writer, and for the readers.
    private static let mostWaiting = 32_768
    /// Rows that a list without account looks at before it lets others have a turn.
    private static let scan = 5000
    /// Sessions that end in one transaction.
    private static let portion = 200

    private let pool: DatabasePool
    private let maximum: Int
    private let patience: Int
    let origin: Origin
    private let writer: SQLiteWriter
    private let reads: JobQueue
    private let threads: SQLiteThreads

    /// Opens the file, and makes it when it is not there.
    ///
    /// - Parameters:
    ///   - path: Of the file; SQLite puts two more beside it while it is open.
    ///   - maximum: Most sessions.
    ///   - patience: How long a call may take, in milliseconds, before it fails with ``StoreError/timedOut``.
    ///   - clock: Unix seconds.
    /// - Throws: ``StoreOpening`` with a readable reason.
    public init(
        path: String,
        maximum: Int,
        patience: Int = 5000,
        clock: @escaping @Sendable () -> Int64 = UnixTime.now
    ) throws(StoreOpening) {
        pool = try SQLiteFile.open(path, readers: Self.readers)
        self.maximum = maximum
        self.patience = patience
        origin = Origin(id: Int64.random(in: 1 ... .max), now: clock)
        reads = JobQueue(limit: Self.mostWaiting)
        writer = SQLiteWriter(pool, JobQueue(limit: Self.mostWaiting), origin)
        do {
            threads = try SQLiteThreads(writer, reads, pool, readers: Self.readers)
        } catch {
            throw StoreOpening("\(path): the system gives no threads: \(error)")
        }
    }

    deinit { threads.stop() }

    /// `sqlite`.
    public var name: String { "sqlite" }
    /// Whether the last write went well.
    public var isAvailable: Bool { writer.isAvailable }

    /// Why the last write that the file did not take failed.
    public var problem: String { writer.problem.withLock { $0 } }
    /// Whether the name leads to another file by now, or to none: what is written is gone with the process.
    public var hazard: String { writer.hazard.withLock { $0 } }

    // MARK: Sessions

    /// Adds a session; ``StoreError/full`` when there is no room.
    public func create(_ record: SessionRecord, replacing: SessionKey?) async throws(StoreError) {
        try await write { [maximum, origin] db, changes in
            let replaced = try replacing.flatMap { try SessionRow.find($0, db) }
            guard changes.totals.sessions + changes.sessions - (replaced == nil ? 0 : 1) < maximum else {
                throw StoreError.full
            }
            if let replaced { try Self.remove(replaced, origin, db, &changes) }
            try SessionRow.insert(record, db)
            changes.sessions += 1
        }
    }

    /// A session as stored.
    public func find(_ key: SessionKey) async throws(StoreError) -> SessionRecord? {
        try await read { db, _ in try SessionRow.find(key, db)?.record }
    }

    /// Moves `lastSeen` forward.
    public func touch(_ seen: [(SessionKey, Int64)]) async throws(StoreError) {
        for start in stride(from: 0, to: seen.count, by: 1000) {
            let part = seen[start..<min(start + 1000, seen.count)]
            try await write { db, _ in
                // As in SessionRecord.accepts(touch:).
                let statement = try db.cachedStatement(
                    sql: """
                        UPDATE session SET seen = ?2 WHERE key = ?1 AND seen < ?2 AND ?2 < expires
                        AND ?2 < seen + idle + min(idle / 2, 300)
                        """
                )
                for (key, time) in part { try statement.execute(arguments: [key.data, time]) }
            }
        }
    }

    /// Gives a session new claims.
    public func refresh(_ key: SessionKey, claims: [UInt8], accountVersion: UInt64) async throws(StoreError) -> Bool {
        try await write { [origin] db, changes in
            guard let stored = try SessionRow.find(key, db) else { return false }
            try db.cachedStatement(sql: "UPDATE session SET claims = ?, version = ? WHERE id = ?")
                .execute(arguments: [Data(claims), Int64(bitPattern: accountVersion), stored.id])
            try ChangeLog.add(.refreshed, key, created: stored.record.created, id: stored.id, origin, db)
            changes.refreshed.append(key)
            return true
        }
    }

    /// Ends a session.
    public func end(_ key: SessionKey, _: EndReason) async throws(StoreError) -> SessionRecord? {
        try await write { [origin] db, changes in
            guard let stored = try SessionRow.find(key, db) else { return nil }
            try Self.remove(stored, origin, db, &changes)
            return stored.record
        }
    }

    /// Ends the sessions of a filter, 200 in a transaction.
    public func end(
        where filter: SessionFilter,
        except: SessionKey?,
        _: EndReason
    ) async throws(StoreError) -> [SessionRecord] {
        var ended: [SessionRecord] = []
        var query = SessionQuery(filter)
        while true {
            let part = try await query.isIndexed ? endFound(query, except) : endSeen(query, except)
            ended += part.ended
            guard let next = part.next else { return ended }
            query = next
        }
    }

    private struct Portion: Sendable {
        var ended: [SessionRecord]
        var next: SessionQuery?
    }

    /// Ends what an index leads to, found and ended in one transaction.
    private func endFound(_ query: SessionQuery, _ except: SessionKey?) async throws(StoreError) -> Portion {
        try await write { [origin] db, changes -> Portion in
            let page = try query.page(Self.portion, scanning: Self.scan, db)
            let gone = page.found.filter { $0.record.key != except }
            for stored in gone { try Self.remove(stored, origin, db, &changes) }
            return Portion(ended: gone.map(\.record), next: page.next)
        }
    }

    /// Ends what is found by looking at many rows: the readers look, so that no login waits for it.
    private func endSeen(_ query: SessionQuery, _ except: SessionKey?) async throws(StoreError) -> Portion {
        let seen = try await read { db, _ -> Portion in
            let page = try query.page(Self.portion, scanning: Self.scan, db)
            return Portion(ended: page.found.map(\.record), next: page.next)
        }
        let keys = seen.ended.map(\.key).filter { $0 != except }
        if keys.isEmpty { return Portion(ended: [], next: seen.next) }
        let ended = try await write { [origin] db, changes -> [SessionRecord] in
            let here = try keys.compactMap { try SessionRow.find($0, db) }
            for stored in here { try Self.remove(stored, origin, db, &changes) }
            return here.map(\.record)
        }
        return Portion(ended: ended, next: seen.next)
    }

    /// One page of sessions, newest first: by `created` where an account is given, else in the order they were stored.
    public func list(
        _ filter: SessionFilter,
        after: SessionKey?,
        limit: Int
    ) async throws(StoreError) -> [SessionRecord] {
        let limit = min(max(limit, 1), StoreLimits.page)
        var query = SessionQuery(filter)
        if let after {
            guard let place = try await read({ db, _ in try SessionQuery.place(of: after, db) }) else { return [] }
            query.behind = place
        }
        var found: [SessionRecord] = []
        while true {
            let (step, wanted) = (query, limit - found.count)
            let part = try await read { db, _ in
                let page = try step.page(wanted, scanning: Self.scan, db)
                return (records: page.found.map(\.record), next: page.next)
            }
            found += part.records
            guard found.count < limit, let next = part.next else { return found }
            query = next
        }
    }

    /// Number of sessions.
    public func count() async throws(StoreError) -> Int {
        try await read { db, _ in try SQLiteWriter.totals(db).sessions }
    }

    /// Removes what is past its end, 200 in a transaction.
    public func sweep(now: Int64, limit: Int) async throws(StoreError) -> [Ended] {
        var ended: [Ended] = []
        while ended.count < limit {
            let most = min(Self.portion, limit - ended.count)
            let part = try await write { [origin] db, changes in
                try Self.sweep(now, most, origin, db, &changes)
            }
            ended += part.ended
            if part.looked < most { break }
        }
        try await write { db, changes in
            try db.cachedStatement(
                sql: "DELETE FROM value WHERE name IN (SELECT name FROM value WHERE until <= ? LIMIT 1000)"
            ).execute(arguments: [now])
            changes.values -= db.changesCount
        }
        return ended
    }

    private static func sweep(
        _ now: Int64,
        _ most: Int,
        _ origin: Origin,
        _ db: Database,
        _ changes: inout Changes
    ) throws -> (ended: [Ended], looked: Int) {
        let due = try db.cachedStatement(
            sql: "SELECT \(SessionRow.columns) FROM session WHERE due <= ? ORDER BY due LIMIT ?"
        )
        let looked = try Row.fetchAll(due, arguments: [now, most]).map(SessionRow.decode)
        var ended: [Ended] = []
        for stored in looked {
            if stored.record.removal <= now {
                try remove(stored, origin, db, &changes)
                ended.append(
                    Ended(key: stored.record.key, record: stored.record, reason: stored.record.expiry(at: now))
                )
            } else {
                // Seen since: it is looked at again when it could be over the next time.
                try db.cachedStatement(sql: "UPDATE session SET due = ? WHERE id = ?")
                    .execute(arguments: [stored.record.removal, stored.id])
            }
        }
        return (ended, looked.count)
    }

    private static func remove(
        _ stored: SessionRow.Stored,
        _ origin: Origin,
        _ db: Database,
        _ changes: inout Changes
    ) throws {
        try db.cachedStatement(sql: "DELETE FROM session WHERE id = ?").execute(arguments: [stored.id])
        let record = stored.record
        try ChangeLog.add(.ended, record.key, created: record.created, id: stored.id, origin, db)
        changes.ended.append(record.key)
        changes.sessions -= 1
    }

    // MARK: The rest

    /// Sets the watcher.
    public func watch(_ changed: @escaping @Sendable (StoreEvent) -> Void) { writer.watch(changed) }

    /// Does what waits, then closes the file.
    public func close() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            threads.stop { done.resume() }
        }
    }

    /// How SQLite keeps what it acknowledged, for the log: `wal, full` when it survives a power cut.
    public func durability() async throws(StoreError) -> String {
        try await write { db, _ in
            let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode") ?? ""
            let level = try Int.fetchOne(db, sql: "PRAGMA synchronous") ?? 0
            return "\(mode), \(level == 2 ? "full" : level == 3 ? "extra" : "weak")"
        }
    }

    /// Copies the store into a new file while it is in use, as of one moment.
    ///
    /// - Throws: ``StoreOpening`` when there is a file already, or it cannot be written.
    public func backup(to path: String) async throws(StoreOpening) {
        let pool = pool
        let failure: StoreOpening? = await withCheckedContinuation { done in
            let work: @Sendable () -> Void = { done.resume(returning: SQLiteFile.backup(pool, to: path)) }
            guard let copying = try? Threads.start("backup", work) else {
                return done.resume(returning: StoreOpening("\(path): the system gives no thread"))
            }
            copying.detach()
        }
        if let failure { throw failure }
    }

    /// Runs `body` in the next transaction; it is durable when this returns.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database, inout Changes) throws -> Value
    ) async throws(StoreError) -> Value {
        try await submit(to: writer.queue, body)
    }

    /// Runs `body` on a reader's connection.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database, inout Changes) throws -> Value
    ) async throws(StoreError) -> Value {
        try await submit(to: reads, body)
    }

    private func submit<Value: Sendable>(
        to queue: JobQueue,
        _ body: @escaping @Sendable (Database, inout Changes) throws -> Value
    ) async throws(StoreError) -> Value {
        let deadline = Monotonic.milliseconds + patience
        let answer = Locked<Result<Value, StoreError>>(.failure(.unavailable))
        await withCheckedContinuation { waiting in
            let job = ValueJob(deadline: deadline, waiting, answer: answer, body)
            if let refusal = queue.submit(job) { job.finish(refusal) }
        }
        return try answer.withLock { $0 }.get()
    }
}
