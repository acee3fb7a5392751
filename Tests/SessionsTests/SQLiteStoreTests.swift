// COLD. What only the SQLite store promises: its file, its locks, its copies, and that it does not load what it holds.
import Foundation
import GRDB
import Sessions
import Testing

@Suite(.timeLimit(.minutes(2))) struct SQLiteStoreTests {
    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    private func opening(_ path: String) -> String {
        do {
            _ = try SQLiteStore(path: path, maximum: 10)
            return "it opened"
        } catch {
            return error.description
        }
    }

    @Test("the file, its log and its index are for their owner only, also when they were not before")
    func fileMode() async throws {
        let folder = try Folder()
        #expect(
            FileManager.default.createFile(atPath: folder.file(), contents: nil, attributes: [.posixPermissions: 0o644])
        )
        let store = try SQLiteStore(path: folder.file(), maximum: 10)
        try await store.create(record(), replacing: nil)
        for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
            #expect(try mode(folder.file(name)) == 0o600)
        }
        await store.close()
    }

    @Test("what cannot be opened is named with its path and a reason")
    func openingErrors() throws {
        let folder = try Folder()
        #expect(
            opening(folder.file("no/such/folder.db")).hasSuffix("folder.db: cannot be made: No such file or directory")
        )
        #expect(opening(folder.path).hasSuffix(": is not a file"))
        try Data("this is not a database, whatever its name says; it goes on for a while".utf8)
            .write(to: URL(fileURLWithPath: folder.file("text.db")))
        #expect(opening(folder.file("text.db")).contains("text.db: is damaged, or no database; restore a backup"))
        let other = try DatabaseQueue(path: folder.file("other.db"))
        try other.write { try $0.execute(sql: "CREATE TABLE their (x)") }
        try other.close()
        #expect(opening(folder.file("other.db")).hasSuffix("is the database of another program; name another file"))
        #expect(try DatabaseQueue(path: folder.file("other.db")).read { try $0.tableExists("their") })
    }

    @Test("a file with a later schema is left alone")
    func laterSchema() async throws {
        let folder = try Folder()
        await (try SQLiteStore(path: folder.file(), maximum: 10)).close()
        let later = try DatabaseQueue(path: folder.file())
        try await later.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99 later')") }
        try later.close()
        #expect(opening(folder.file()).hasSuffix("was made by a newer version of Portcullis"))
    }

    @Test("a damaged page is an error, not a session that was never there")
    func damagedPages() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(path: folder.file(), maximum: 10_000)
        let all = (0..<200).map { _ in record() }
        for one in all { try await store.create(one, replacing: nil) }
        await store.close()
        let file = try #require(FileHandle(forUpdatingAtPath: folder.file()))
        let size = Int(try file.seekToEnd())
        for page in stride(from: 4096 * 12, to: size - 4096, by: 4096) {
            try file.seek(toOffset: UInt64(page))
            try file.write(contentsOf: Data(repeating: 0xff, count: 4096))
        }
        try file.close()
        let again = try SQLiteStore(path: folder.file(), maximum: 10_000)
        let heard = Heard()
        again.watch(heard.add)
        var failures = 0
        for one in all {
            do {
                #expect(try await again.find(one.key) == one)
            } catch {
                #expect(error == .corrupt)
                failures += 1
            }
        }
        #expect(failures > 0)
        #expect(await heard.wait { $0.contains(.available(false)) })
        await again.close()
    }

    @Test("beyond the maximum a session is refused, unless it takes the place of one", arguments: [true, false])
    func full(inFile: Bool) async throws {
        let folder = try Folder()
        let store: any SessionStore =
            inFile ? try SQLiteStore(path: folder.file(), maximum: 3) : MemoryStore(maximum: 3)
        let all = [record(), record(), record()]
        for one in all { try await store.create(one, replacing: nil) }
        await #expect(throws: StoreError.full) { try await store.create(record(), replacing: nil) }
        await #expect(throws: StoreError.full) { try await store.create(record(), replacing: record().key) }
        try await store.create(record(), replacing: all[0].key)
        #expect(try await store.count() == 3)
        #expect(store.isAvailable)
        await store.close()
    }

    @Test("while another process keeps the file locked, writes fail in time and reads go on")
    func locked() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(path: folder.file(), maximum: 10, patience: 300)
        let ada = record()
        try await store.create(ada, replacing: nil)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: folder.file(), configuration: configuration)
        try other.inDatabase { try $0.execute(sql: "BEGIN IMMEDIATE") }
        let begin = ContinuousClock.now
        await #expect(throws: StoreError.timedOut) { try await store.create(record(), replacing: nil) }
        #expect(ContinuousClock.now - begin < .seconds(30))
        #expect(try await store.find(ada.key) == ada)
        try other.inDatabase { try $0.execute(sql: "COMMIT") }
        try other.close()
        var isBack = false
        for _ in 0..<30 where !isBack {
            isBack = (try? await store.create(record(), replacing: nil)) != nil
        }
        #expect(isBack)
        await store.close()
    }

    @Test("a backup made in use is a store of its own with what was there, for its owner only")
    func backup() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(path: folder.file(), maximum: 1000)
        let all = (0..<100).map { _ in record() }
        for one in all { try await store.create(one, replacing: nil) }
        let secret = try await store.secret("s") { SecureRandom.bytes(32) }
        try await store.backup(to: folder.file("copy.db"))
        try await store.create(record(), replacing: nil)
        #expect(try mode(folder.file("copy.db")) == 0o600)
        #expect(!FileManager.default.fileExists(atPath: folder.file("copy.db-wal")))
        await #expect(throws: StoreOpening.self) { try await store.backup(to: folder.file("copy.db")) }
        let copy = try SQLiteStore(path: folder.file("copy.db"), maximum: 1000)
        #expect(try await copy.count() == 100)
        for one in all { #expect(try await copy.find(one.key) == one) }
        #expect(try await copy.secret("s") { [] } == secret)
        await copy.close()
        await store.close()
    }

    @Test("a session that ended while changes were forgotten is told as a change that was missed")
    func missed() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(path: folder.file(), maximum: 1000)
        let heard = Heard()
        store.watch(heard.add)
        let ada = record()
        try await store.create(ada, replacing: nil)
        let other = try DatabaseQueue(path: folder.file())
        try await other.write { db in
            try db.execute(sql: "INSERT INTO change (at, origin, kind, key, created, session) VALUES (1,1,0,x'00',1,1)")
            try db.execute(sql: "DELETE FROM change")
        }
        #expect(await heard.wait { $0.contains(.missed) })
        try other.close()
        await store.close()
    }

    @Test("the durability that logins and logouts need is switched on where it is written")
    func durability() async throws {
        let folder = try Folder()
        let store = try SQLiteStore(path: folder.file(), maximum: 10)
        #expect(try await store.durability() == "wal, full")
        await store.close()
    }

    @Test("a file whose making was broken off is made ready, one of another program is not touched")
    func brokenOff() async throws {
        let folder = try Folder()
        let file = try DatabaseQueue(path: folder.file())
        try await file.write { db in
            try db.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
        }
        try file.close()
        let store = try SQLiteStore(path: folder.file(), maximum: 10)
        try await store.create(record(), replacing: nil)
        await store.close()
        let other = try Folder()
        let foreign = try DatabaseQueue(path: other.file())
        try await foreign.write { try $0.execute(sql: "CREATE TABLE mail (id INTEGER PRIMARY KEY)") }
        try foreign.close()
        #expect(throws: StoreOpening.self) { try SQLiteStore(path: other.file(), maximum: 10) }
    }

    @Test("two stores that make the same new file at once both open it")
    func openingTogether() async throws {
        let folder = try Folder()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    let store = try SQLiteStore(path: folder.file(), maximum: 10_000)
                    for _ in 0..<20 { try await store.create(record(), replacing: nil) }
                    await store.close()
                }
            }
            try await group.waitForAll()
        }
        let store = try SQLiteStore(path: folder.file(), maximum: 10_000)
        #expect(try await store.count() == 120)
        await store.close()
    }
}
