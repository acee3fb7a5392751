// COLD. Opens the file of the SQLite store: its mode, its schema, and sentences for what is wrong with it.
import Foundation
internal import GRDB
import Glibc

/// The file of the SQLite store.
enum SQLiteFile {
    /// "PCSS" in the file's header says whose it is.
    static let applicationID: Int32 = 0x5043_5353
    /// How long a connection waits for a lock that another process holds.
    static let busySeconds: TimeInterval = 2

    /// Opens the file, and makes it when it is not there.
    static func open(_ path: String, readers: Int) throws(StoreOpening) -> DatabasePool {
        try prepare(path)
        var configuration = Configuration()
        configuration.label = "sessions"
        configuration.busyMode = .timeout(busySeconds)
        // One more for a backup.
        configuration.maximumReaderCount = readers + 1
        configuration.persistentReadOnlyConnections = true
        configuration.prepareDatabase { db in
            // Refuse what a damaged or hostile schema could do; keep sorting out of files.
            try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000")
        }
        do {
            try checkOwner(path, configuration)
            let pool = try DatabasePool(path: path, configuration: configuration)
            try migrate(pool)
            try pool.writeWithoutTransaction { db in
                // GRDB chooses NORMAL, which loses acknowledged commits with the power.
                try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864")
                // New sessions have random keys: with many of them every write meets other pages of the index.
                try db.execute(sql: "PRAGMA cache_size = -65536")
            }
            return pool
        } catch let error as StoreOpening {
            throw error
        } catch {
            throw StoreOpening("\(path): \(sentence(error))")
        }
    }

    /// Makes the file for its owner only; SQLite gives the files beside it the same mode.
    private static func prepare(_ path: String) throws(StoreOpening) {
        // Never opened here when it is there: closing it again would drop the locks of this process on it.
        let made = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if made >= 0 {
            Glibc.close(made)
            return
        }
        guard errno == EEXIST else {
            throw StoreOpening("\(path): cannot be made: \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw StoreOpening("\(path): cannot be read: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw StoreOpening("\(path): is not a file") }
        if status.st_mode & 0o077 != 0, chmod(path, 0o600) != 0 {
            throw StoreOpening("\(path): others can read it, and its mode cannot be changed; chmod 600 it")
        }
        guard access(path, R_OK | W_OK) == 0 else {
            throw StoreOpening("\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// Only an empty file, or one of ours.
    private static func checkOwner(_ path: String, _ configuration: Configuration) throws {
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let isOurs = try queue.read { db in
            let id = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
            // The list of migrations is made before the first of them says whose file it is.
            let others = "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'grdb_migrations'"
            let isEmpty = try Int.fetchOne(db, sql: others) == 0
            return id == applicationID || (id == 0 && isEmpty)
        }
        try queue.close()
        if !isOurs { throw StoreOpening("\(path): is the database of another program; name another file") }
    }

    private static func migrate(_ pool: DatabasePool) throws {
        let migrator = SQLiteSchema.migrator
        if try pool.read({ try migrator.hasBeenSuperseded($0) }) {
            throw StoreOpening("\(pool.path): was made by a newer version of Portcullis")
        }
        // Another process may be doing the same at the same moment.
        var attempts = 0
        while true {
            do {
                return try migrator.migrate(pool)
            } catch {
                attempts += 1
                if attempts == 3 { throw error }
            }
        }
    }

    /// What is wrong, for people.
    static func sentence(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "\(error)" }
        switch error.resultCode.primaryResultCode {
        case .SQLITE_NOTADB, .SQLITE_CORRUPT:
            return "is damaged, or no database; restore a backup, or move it away to begin with an empty one"
        case .SQLITE_BUSY, .SQLITE_LOCKED: return "another process keeps it locked"
        case .SQLITE_FULL: return "there is no room on the disk"
        case .SQLITE_READONLY, .SQLITE_PERM: return "cannot be written"
        case .SQLITE_CANTOPEN: return "cannot be opened, or the files beside it cannot be made in its folder"
        default: return error.message ?? "SQLite says \(error.resultCode.rawValue)"
        }
    }

    /// The error for callers of the store.
    static func storeError(_ error: any Error) -> StoreError {
        if let error = error as? StoreError { return error }
        guard let error = error as? DatabaseError else { return .unavailable }
        switch error.resultCode.primaryResultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_INTERRUPT: return .timedOut
        case .SQLITE_FULL: return .full
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: return .corrupt
        default: return .unavailable
        }
    }
}

/// Tables and indices, version by version.
enum SQLiteSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 sessions") { db in
            try db.execute(sql: "PRAGMA application_id = \(SQLiteFile.applicationID)")
            // Records are too long for a table without row ids, whose inner pages hold whole rows: look-ups would
            // read twice as many pages. `due` is a lower bound of the removal, moved by the sweep only, so that a
            // touch writes no index.
            try db.execute(
                sql: """
                    CREATE TABLE session (
                        id INTEGER PRIMARY KEY, key BLOB NOT NULL, due INTEGER NOT NULL, seen INTEGER NOT NULL,
                        idle INTEGER NOT NULL, expires INTEGER NOT NULL, created INTEGER NOT NULL,
                        authenticated INTEGER NOT NULL, strength INTEGER NOT NULL, version INTEGER NOT NULL,
                        family TEXT NOT NULL, account TEXT NOT NULL, issuer TEXT NOT NULL, method TEXT NOT NULL,
                        address TEXT NOT NULL, device TEXT NOT NULL, site TEXT NOT NULL, csrf TEXT NOT NULL,
                        claims BLOB NOT NULL
                    ) STRICT;
                    CREATE UNIQUE INDEX session_key ON session (key);
                    CREATE INDEX session_account ON session (account, created);
                    CREATE INDEX session_family ON session (family);
                    CREATE INDEX session_due ON session (due);
                    CREATE TABLE change (
                        seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, origin INTEGER NOT NULL,
                        kind INTEGER NOT NULL, key BLOB NOT NULL, created INTEGER NOT NULL, session INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX change_key ON change (key);
                    CREATE TABLE value (
                        name TEXT PRIMARY KEY, data BLOB NOT NULL, until INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX value_until ON value (until);
                    CREATE TABLE secret (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
                    CREATE TABLE total (
                        id INTEGER PRIMARY KEY CHECK (id = 1), sessions INTEGER NOT NULL, small INTEGER NOT NULL
                    ) STRICT;
                    INSERT INTO total (id, sessions, small) VALUES (1, 0, 0);
                    """
            )
        }
        return migrator
    }
}

extension SQLiteFile {
    /// Copies the database of one moment into a new file, which is on the disk when this returns; nil when all went well.
    static func backup(_ pool: DatabasePool, to path: String) -> StoreOpening? {
        let made = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard made >= 0 else { return StoreOpening("\(path): cannot be made: \(String(cString: strerror(errno)))") }
        Glibc.close(made)
        do {
            var configuration = Configuration()
            configuration.label = "backup"
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            let copy = try DatabaseQueue(path: path, configuration: configuration)
            try pool.backup(to: copy)
            // A single file, without the log beside it.
            try copy.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
            try copy.close()
            return nil
        } catch {
            unlink(path)
            return StoreOpening("\(path): \(sentence(error))")
        }
    }
}
