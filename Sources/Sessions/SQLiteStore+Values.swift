// COLD. Small values of the SQLite store: taken once, claimed once, and secrets that all processes share.
import Foundation
internal import GRDB

extension SQLiteStore {
    /// Keeps a small value.
    public func put(_ name: String, _ value: [UInt8], until: Int64) async throws(StoreError) {
        guard StoreLimits.allow(name, value) else { throw .full }
        try await write { db, changes in
            let isThere = try Self.end(of: name, db) != nil
            try Self.keep(name, value, until, isThere, db, &changes)
        }
    }

    /// Takes a value away.
    public func take(_ name: String) async throws(StoreError) -> [UInt8]? {
        try await write { [origin] db, changes in
            let find = try db.cachedStatement(sql: "SELECT data, until FROM value WHERE name = ?")
            guard let row = try Row.fetchOne(find, arguments: [name]) else { return nil }
            guard let data = row[0] as Data?, let until = row[1] as Int64? else { throw StoreError.corrupt }
            try db.cachedStatement(sql: "DELETE FROM value WHERE name = ?").execute(arguments: [name])
            changes.values -= 1
            return until > origin.now() ? [UInt8](data) : nil
        }
    }

    /// Claims a name.
    public func claim(_ name: String, until: Int64) async throws(StoreError) -> Bool {
        guard StoreLimits.allow(name, []) else { throw .full }
        return try await write { [origin] db, changes in
            let end = try Self.end(of: name, db)
            if let end, end > origin.now() { return false }
            try Self.keep(name, [], until, end != nil, db, &changes)
            return true
        }
    }

    /// The secret of a name.
    public func secret(_ name: String, make: @Sendable () -> [UInt8]) async throws(StoreError) -> [UInt8] {
        let find = "SELECT data FROM secret WHERE name = ?"
        if let known = try await read({ db, _ in
            try Data.fetchOne(try db.cachedStatement(sql: find), arguments: [name])
        }) {
            return [UInt8](known)
        }
        let mine = Data(make())
        return try await write { db, _ in
            try db.cachedStatement(sql: "INSERT OR IGNORE INTO secret (name, data) VALUES (?, ?)")
                .execute(arguments: [name, mine])
            // Another process may have been quicker.
            guard let data = try Data.fetchOne(try db.cachedStatement(sql: find), arguments: [name]) else {
                throw StoreError.corrupt
            }
            return [UInt8](data)
        }
    }

    private static func end(of name: String, _ db: Database) throws -> Int64? {
        try Int64.fetchOne(
            try db.cachedStatement(sql: "SELECT until FROM value WHERE name = ?"),
            arguments: [name]
        )
    }

    private static func keep(
        _ name: String,
        _ value: [UInt8],
        _ until: Int64,
        _ isThere: Bool,
        _ db: Database,
        _ changes: inout Changes
    ) throws {
        if !isThere {
            guard changes.totals.values + changes.values < StoreLimits.values else { throw StoreError.full }
            changes.values += 1
        }
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO value (name, data, until) VALUES (?, ?, ?)")
            .execute(arguments: [name, Data(value), until])
    }
}
