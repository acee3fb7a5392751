// COLD. One page of sessions of a filter, in steps that are bounded by the rows they look at.
internal import GRDB

/// Which sessions come next.
struct SessionQuery: Sendable {
    /// A place in a list.
    struct Place: Sendable {
        var created: Int64
        var id: Int64
    }

    /// What a step found.
    struct Page {
        var found: [SessionRow.Stored]
        /// Where to go on; nil at the end.
        var next: SessionQuery?
    }

    private let filter: SessionFilter
    /// Only what comes behind this place.
    var behind: Place?

    init(_ filter: SessionFilter) { self.filter = filter }

    /// Whether an index leads to its sessions.
    var isIndexed: Bool { filter.account != nil || filter.family != nil }

    /// Where a session stands, or stood until a while ago.
    static func place(of key: SessionKey, _ db: Database) throws -> Place? {
        let live = try db.cachedStatement(sql: "SELECT created, id FROM session WHERE key = ?")
        let ended = try db.cachedStatement(
            sql: "SELECT created, session FROM change WHERE key = ? ORDER BY seq DESC LIMIT 1"
        )
        guard
            let row = try Row.fetchOne(live, arguments: [key.data]) ?? Row.fetchOne(ended, arguments: [key.data]),
            let created = row[0] as Int64?, let id = row[1] as Int64?
        else { return nil }
        return Place(created: created, id: id)
    }

    /// At most `limit` sessions, after looking at `scanning` rows at most.
    func page(_ limit: Int, scanning: Int, _ db: Database) throws -> Page {
        // An index leads to the sessions of an account or a login; anything else is looked for row by row.
        if isIndexed { return try indexed(limit, db) }
        let statement = try db.cachedStatement(
            sql: "SELECT \(SessionRow.columns) FROM session WHERE id < ? ORDER BY id DESC LIMIT ?"
        )
        let isOpen = filter.address == nil && filter.olderThan == nil
        let rows = isOpen ? limit : scanning
        let cursor = try Row.fetchCursor(statement, arguments: [behind?.id ?? Int64.max, rows])
        var found: [SessionRow.Stored] = []
        var looked = 0
        var last: Place?
        while let row = try cursor.next() {
            looked += 1
            let stored = try SessionRow.decode(row)
            last = Place(created: stored.record.created, id: stored.id)
            if filter.matches(stored.record) { found.append(stored) }
            if found.count == limit { break }
        }
        return Page(found: found, next: looked == rows || found.count == limit ? last.map(from) : nil)
    }

    private func indexed(_ limit: Int, _ db: Database) throws -> Page {
        var sql = "SELECT \(SessionRow.columns) FROM session WHERE "
        var arguments: StatementArguments = []
        if let account = filter.account {
            sql += "account = ?"
            arguments += [account]
        } else {
            sql += "family = ?"
            arguments += [filter.family]
        }
        if let behind {
            sql += " AND (created, id) < (?, ?)"
            arguments += [behind.created, behind.id]
        }
        for (column, value) in [
            ("family = ?", filter.account == nil ? nil : filter.family?.databaseValue),
            ("address = ?", filter.address?.databaseValue), ("created < ?", filter.olderThan?.databaseValue),
        ] {
            guard let value else { continue }
            sql += " AND \(column)"
            arguments += [value]
        }
        let statement = try db.cachedStatement(sql: sql + " ORDER BY created DESC, id DESC LIMIT ?")
        arguments += [limit]
        let found = try Row.fetchAll(statement, arguments: arguments).map(SessionRow.decode)
        let last = found.last.map { Place(created: $0.record.created, id: $0.id) }
        return Page(found: found, next: found.count == limit ? last.map(from) : nil)
    }

    private func from(_ place: Place) -> SessionQuery {
        var next = self
        next.behind = place
        return next
    }
}
