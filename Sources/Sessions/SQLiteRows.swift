// COLD. Records as rows, and the statements that the SQLite store is made of.
import Foundation
internal import GRDB

extension SessionKey {
    var data: Data { Data(bytes) }
}

/// Rows of the table of sessions.
enum SessionRow {
    static let columns = """
        id, key, family, account, issuer, method, strength, claims, version, created, authenticated, seen, idle, \
        expires, address, device, site, csrf
        """
    private static let insert = """
        INSERT INTO session (key, family, account, issuer, method, strength, claims, version, created, authenticated, \
        seen, idle, expires, address, device, site, csrf, due) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
        """

    /// A record with its place in lists.
    struct Stored {
        var id: Int64
        var record: SessionRecord
    }

    static func insert(_ record: SessionRecord, _ db: Database) throws {
        try db.cachedStatement(sql: insert).execute(arguments: [
            record.key.data, record.family, record.account, record.issuer, record.method, record.strength,
            Data(record.claims), Int64(bitPattern: record.accountVersion), record.created, record.authenticated,
            record.lastSeen, record.idle, record.expires, record.address, record.device, record.site, record.csrf,
            record.removal,
        ])
    }

    static func find(_ key: SessionKey, _ db: Database) throws -> Stored? {
        let statement = try db.cachedStatement(sql: "SELECT \(columns) FROM session WHERE key = ?")
        return try Row.fetchOne(statement, arguments: [key.data]).map(decode)
    }

    /// The record of a row with ``columns``; ``StoreError/corrupt`` when it holds anything else.
    static func decode(_ row: Row) throws -> Stored {
        func number(_ index: Int) throws -> Int64 {
            guard let value = row[index] as Int64? else { throw StoreError.corrupt }
            return value
        }
        func text(_ index: Int) throws -> String {
            guard let value = row[index] as String? else { throw StoreError.corrupt }
            return value
        }
        func data(_ index: Int) throws -> Data {
            guard let value = row[index] as Data? else { throw StoreError.corrupt }
            return value
        }
        guard let key = SessionKey(bytes: try data(1)) else { throw StoreError.corrupt }
        return Stored(
            id: try number(0),
            record: SessionRecord(
                key: key,
                family: try text(2),
                account: try text(3),
                issuer: try text(4),
                method: try text(5),
                strength: Int(truncatingIfNeeded: try number(6)),
                claims: [UInt8](try data(7)),
                accountVersion: UInt64(bitPattern: try number(8)),
                created: try number(9),
                authenticated: try number(10),
                lastSeen: try number(11),
                idle: try number(12),
                expires: try number(13),
                address: try text(14),
                device: try text(15),
                site: try text(16),
                csrf: try text(17)
            )
        )
    }
}

/// What happened, for other processes on the same file.
enum ChangeLog {
    /// Seconds for which changes are kept.
    static let retention: Int64 = 600

    enum Kind: Int { case ended = 0, refreshed = 1 }

    static func add(
        _ kind: Kind,
        _ key: SessionKey,
        created: Int64,
        id: Int64,
        _ writer: SQLiteStore.Origin,
        _ db: Database
    ) throws {
        try db.cachedStatement(
            sql: "INSERT INTO change (at, origin, kind, key, created, session) VALUES (?,?,?,?,?,?)"
        ).execute(arguments: [writer.now(), writer.id, kind.rawValue, key.data, created, id])
    }

    /// Number of the last change that was ever made.
    static func last(_ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(sql: "SELECT seq FROM sqlite_sequence WHERE name = 'change'")
        return try Int64.fetchOne(statement) ?? 0
    }

    /// Number of the oldest change that is kept; nil: none is.
    static func first(_ db: Database) throws -> Int64? {
        try Int64.fetchOne(try db.cachedStatement(sql: "SELECT min(seq) FROM change"))
    }

    /// Forgets changes from before `time`, some at a time.
    static func prune(before time: Int64, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                DELETE FROM change WHERE seq <= (SELECT max(seq) FROM \
                (SELECT seq, at FROM change ORDER BY seq LIMIT 2000) WHERE at < ?)
                """
        ).execute(arguments: [time])
    }
}
