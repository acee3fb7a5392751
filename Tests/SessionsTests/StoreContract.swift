// COLD. What every store must do, whatever is behind it; each store runs all of it.
import Bytes
import Sessions
import Testing

/// One kind of store: makes stores that share nothing with those of other places.
struct StoreKind: Sendable, CustomTestStringConvertible {
    /// Several stores on the same sessions, as of several processes.
    final class Place: Sendable {
        /// Opens another store on this place.
        let open: @Sendable () async throws -> any SessionStore
        /// Whether a second store sees what the first holds.
        let isShared: Bool
        /// Removes what the place left behind.
        let remove: @Sendable () async -> Void

        init(
            isShared: Bool,
            open: @escaping @Sendable () async throws -> any SessionStore,
            remove: @escaping @Sendable () async -> Void = {}
        ) {
            self.isShared = isShared
            self.open = open
            self.remove = remove
        }
    }

    let testDescription: String
    let make: @Sendable () async throws -> Place

    /// Runs `body` with a store on a place of its own.
    func with(_ body: (any SessionStore, Place) async throws -> Void) async throws {
        let place = try await make()
        let store = try await place.open()
        do {
            try await body(store, place)
        } catch {
            await store.close()
            await place.remove()
            throw error
        }
        await store.close()
        await place.remove()
    }

    static let memory = StoreKind(testDescription: "memory") {
        let store = MemoryStore(maximum: 1000)
        return Place(isShared: false, open: { store })
    }

    static let sqlite = StoreKind(testDescription: "sqlite") {
        let folder = try Folder()
        return Place(isShared: true, open: { try SQLiteStore(path: folder.file(), maximum: 10_000) })
    }

    /// The stores that the contract runs on; a new store is added here.
    static let all: [StoreKind] = [memory, sqlite, redis, redisCluster]
}

/// Unix time around now, for values that end by the store's own clock.
private let soon: Int64 = UnixTime.now() + 600

@Suite(.timeLimit(.minutes(2))) struct StoreContract {
    @Test("a session is found as it was created, to the last field", arguments: StoreKind.all)
    func find(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let ada = record(created: UnixTime.now())
            try await store.create(ada, replacing: nil)
            #expect(try await store.find(ada.key) == ada)
            #expect(try await store.find(record().key) == nil)
            #expect(try await store.count() == 1)
            #expect(store.isAvailable)
        }
    }

    @Test("a session takes the place of another in one step", arguments: StoreKind.all)
    func replace(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let heard = Heard()
            store.watch(heard.add)
            let (old, new, other) = (record(created: soon), record(created: soon), record(created: soon))
            try await store.create(old, replacing: nil)
            try await store.create(new, replacing: old.key)
            #expect(try await store.find(old.key) == nil)
            #expect(try await store.find(new.key) == new)
            #expect(await heard.ended(old.key))
            try await store.create(other, replacing: old.key)
            #expect(try await store.find(other.key) == other)
            #expect(try await store.count() == 2)
        }
    }

    @Test(
        "of many step-ups of one session at once, each leaves its own session and the old one is gone",
        arguments: StoreKind.all
    )
    func replaceConcurrently(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let old = record(created: soon)
            try await store.create(old, replacing: nil)
            let new = (0..<20).map { _ in record(created: soon) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for one in new { group.addTask { try await store.create(one, replacing: old.key) } }
                try await group.waitForAll()
            }
            #expect(try await store.find(old.key) == nil)
            #expect(try await store.count() == 20)
        }
    }

    @Test("a touch moves the last request forward, never back", arguments: StoreKind.all)
    func touchForward(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let now = UnixTime.now()
            let (a, b) = (record(created: now), record(created: now))
            try await store.create(a, replacing: nil)
            try await store.create(b, replacing: nil)
            try await store.touch([(a.key, now + 100), (b.key, now + 50), (record().key, now + 50)])
            try await store.touch([(a.key, now + 40), (b.key, now - 40)])
            #expect(try await store.find(a.key)?.lastSeen == now + 100)
            #expect(try await store.find(b.key)?.lastSeen == now + 50)
            try await store.touch([])
        }
    }

    @Test("a touch brings back neither a session that ended nor one that is long over", arguments: StoreKind.all)
    func touchNeverRevives(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let now = UnixTime.now()
            let gone = record(created: now)
            let idle = record(created: now, idle: 100)
            let short = record(created: now, idle: 1000, lifetime: 500)
            for one in [gone, idle, short] { try await store.create(one, replacing: nil) }
            _ = try await store.end(gone.key, .logout)
            try await store.touch([(gone.key, now + 10), (idle.key, now + 150), (short.key, now + 500)])
            #expect(try await store.find(gone.key) == nil)
            #expect(try await store.find(idle.key)?.lastSeen == now)
            #expect(try await store.find(short.key)?.lastSeen == now)
            // A touch that was written late, for a request in time.
            try await store.touch([(idle.key, now + 149), (short.key, now + 499)])
            #expect(try await store.find(idle.key)?.lastSeen == now + 149)
            #expect(try await store.find(short.key)?.lastSeen == now + 499)
        }
    }

    @Test("a refresh changes claims and version, and nothing else", arguments: StoreKind.all)
    func refresh(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let heard = Heard()
            store.watch(heard.add)
            var ada = record(created: soon)
            try await store.create(ada, replacing: nil)
            #expect(try await store.refresh(ada.key, claims: Array("{}".utf8), accountVersion: 7))
            ada.claims = Array("{}".utf8)
            ada.accountVersion = 7
            #expect(try await store.find(ada.key) == ada)
            #expect(await heard.refreshed(ada.key))
            #expect(try await !store.refresh(record().key, claims: [], accountVersion: 1))
        }
    }

    @Test("ending a session twice says that it was not there", arguments: StoreKind.all)
    func end(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let heard = Heard()
            store.watch(heard.add)
            let ada = record(created: soon)
            try await store.create(ada, replacing: nil)
            #expect(try await store.end(ada.key, .logout) == ada)
            #expect(try await store.end(ada.key, .logout) == nil)
            #expect(try await store.find(ada.key) == nil)
            #expect(try await store.count() == 0)
            #expect(await heard.ended(ada.key))
        }
    }

    @Test("of many who end one session, one is told that it was there", arguments: StoreKind.all)
    func endConcurrently(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let ada = record(created: soon)
            try await store.create(ada, replacing: nil)
            let winners = try await Self.race { try await store.end(ada.key, .revoked) != nil }
            #expect(winners == 1)
            #expect(try await store.count() == 0)
        }
    }

    @Test(
        "all sessions of an account, an address, a login or an age end, but the one to keep",
        arguments: StoreKind.all
    )
    func endWhere(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let begin = UnixTime.now()
            let all = [
                record("ada", created: begin), record("ada", created: begin + 1),
                record("ada", created: begin + 2, address: "203.0.113.9"), record("bob", created: begin + 3),
                record("bob", created: begin + 4, family: "one-login-over-sites00"),
                record("bob", created: begin + 5, family: "one-login-over-sites00"),
                record("carl", created: begin + 6, address: "203.0.113.9"), record("dora", created: begin + 7),
            ]
            for one in all { try await store.create(one, replacing: nil) }
            func end(_ filter: SessionFilter, except: SessionKey? = nil) async throws -> Set<SessionKey> {
                Set(try await store.end(where: filter, except: except, .revoked).map(\.key))
            }
            let family = try await end(SessionFilter(family: "one-login-over-sites00"))
            #expect(family == [all[4].key, all[5].key])
            let account = try await end(SessionFilter(account: "ada"), except: all[1].key)
            #expect(account == [all[0].key, all[2].key])
            let nobody = try await end(SessionFilter(account: "ad"))
            #expect(nobody == [])
            let both = try await end(SessionFilter(account: "bob", address: "203.0.113.9"))
            #expect(both == [])
            let address = try await end(SessionFilter(address: "203.0.113.9"))
            #expect(address == [all[6].key])
            let old = try await end(SessionFilter(olderThan: begin + 7))
            #expect(old == [all[1].key, all[3].key])
            let rest = try await store.list(SessionFilter(), after: nil, limit: 100)
            #expect(rest.map(\.key) == [all[7].key])
            #expect(try await end(SessionFilter()) == [all[7].key])
        }
    }

    @Test(
        "pages of an account's sessions are newest first, complete, and go on behind one that ended",
        arguments: StoreKind.all
    )
    func list(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let begin = UnixTime.now()
            // Stored out of order, some in the same second.
            var all = (0..<25).map { record("ada", created: begin + Int64($0 / 2)) }
            for one in all.shuffled() { try await store.create(one, replacing: nil) }
            for _ in 0..<5 { try await store.create(record("bob", created: begin), replacing: nil) }
            var seen: [SessionRecord] = []
            while seen.count < 40 {
                let page = try await store.list(SessionFilter(account: "ada"), after: seen.last?.key, limit: 4)
                seen += page
                if seen.count == 12, let last = page.last {
                    _ = try await store.end(last.key, .revoked)
                }
                if page.isEmpty { break }
            }
            #expect(seen.map(\.created) == all.map(\.created).sorted(by: >))
            #expect(Set(seen.map(\.key)) == Set(all.map(\.key)))
            all.removeAll()
            let unknown = try await store.list(SessionFilter(account: "ada"), after: record().key, limit: 4)
            #expect(unknown.isEmpty)
        }
    }

    @Test("pages of all sessions show each of them once", arguments: StoreKind.all)
    func listAll(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let begin = UnixTime.now()
            let all = (0..<30).map { record("user\($0)", created: begin, address: $0 % 3 == 0 ? "::1" : "192.0.2.1") }
            for one in all { try await store.create(one, replacing: nil) }
            func pages(_ filter: SessionFilter) async throws -> [SessionKey] {
                var seen: [SessionKey] = []
                while seen.count < 60 {
                    let page = try await store.list(filter, after: seen.last, limit: 7)
                    if page.isEmpty { break }
                    seen += page.map(\.key)
                }
                return seen
            }
            let whole = try await pages(SessionFilter())
            #expect(whole.count == 30 && Set(whole) == Set(all.map(\.key)))
            let some = try await pages(SessionFilter(address: "::1"))
            #expect(some.count == 10 && Set(some) == Set(all.filter { $0.address == "::1" }.map(\.key)))
        }
    }

    @Test("what is past its end is found until a sweep removes it, at most as many as asked", arguments: StoreKind.all)
    func sweep(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let begin = UnixTime.now()
            let idle = (0..<3).map { _ in record(created: begin, idle: 600) }
            let short = record(created: begin, idle: 600, lifetime: 400)
            let touched = record(created: begin, idle: 600)
            let lasting = record(created: begin, idle: 7200)
            for one in idle + [short, touched, lasting] { try await store.create(one, replacing: nil) }
            try await store.touch([(touched.key, begin + 500)])
            #expect(try await store.sweep(now: begin + 399, limit: 100) == [])
            #expect(try await store.find(short.key) != nil)
            let first = try await store.sweep(now: begin + 400, limit: 100)
            #expect(first.map(\.key) == [short.key])
            #expect(first.map(\.reason) == [.expiredAbsolute])
            #expect(first.first?.record == short)
            // Past the idle end, but a touch may still be on its way.
            #expect(try await store.sweep(now: begin + 600, limit: 100) == [])
            #expect(try await store.find(idle[0].key) != nil)
            var ended: [Ended] = []
            for _ in 0..<4 {
                let some = try await store.sweep(now: begin + 900, limit: 2)
                #expect(some.count <= 2)
                ended += some
            }
            #expect(Set(ended.map(\.key)) == Set(idle.map(\.key)))
            #expect(ended.allSatisfy { $0.reason == .expiredIdle })
            #expect(try await store.find(touched.key)?.lastSeen == begin + 500)
            #expect(try await store.sweep(now: begin + 1400, limit: 100).map(\.key) == [touched.key])
            #expect(try await store.count() == 1)
        }
    }

    @Test("a small value is taken once, by one of many", arguments: StoreKind.all)
    func take(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            try await store.put("code:1", [1, 2, 3], until: soon)
            try await store.put("code:1", [4, 0, 255], until: soon)
            let got = Locked<[[UInt8]]>([])
            let winners = try await Self.race {
                guard let value = try await store.take("code:1") else { return false }
                got.withLock { $0.append(value) }
                return true
            }
            #expect(winners == 1)
            #expect(got.withLock { $0 } == [[4, 0, 255]])
            try await store.put("late", [1], until: UnixTime.now() - 1)
            #expect(try await store.take("late") == nil)
            #expect(try await store.take("never") == nil)
        }
    }

    @Test("a name is claimed by one of many until its time is over", arguments: StoreKind.all)
    func claim(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            let winners = try await Self.race { try await store.claim("totp:ada:1", until: soon) }
            #expect(winners == 1)
            #expect(try await store.claim("totp:ada:2", until: soon))
            #expect(try await store.claim("past", until: UnixTime.now() - 1))
            #expect(try await store.claim("past", until: soon))
            #expect(try await !store.claim("past", until: soon))
        }
    }

    @Test("values and names that are too long are refused", arguments: StoreKind.all)
    func tooLong(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            await #expect(throws: StoreError.full) {
                try await store.put("a", [UInt8](repeating: 0, count: StoreLimits.value + 1), until: soon)
            }
            let name = String(repeating: "n", count: StoreLimits.name + 1)
            await #expect(throws: StoreError.full) { try await store.put(name, [], until: soon) }
            await #expect(throws: StoreError.full) { _ = try await store.claim(name, until: soon) }
            try await store.put("a", [UInt8](repeating: 7, count: StoreLimits.value), until: soon)
            #expect(try await store.take("a")?.count == StoreLimits.value)
        }
    }

    @Test("a secret is made once, and is the same for all stores on one place", arguments: StoreKind.all)
    func secret(_ kind: StoreKind) async throws {
        try await kind.with { store, place in
            let first = try await store.secret("csrf") { SecureRandom.bytes(32) }
            #expect(first.count == 32)
            #expect(try await store.secret("csrf") { [1] } == first)
            #expect(try await store.secret("other") { [1] } == [1])
            guard place.isShared else { return }
            let second = try await place.open()
            #expect(try await second.secret("csrf") { [2] } == first)
            let (mine, its) = (try await place.open(), try await place.open())
            async let a = mine.secret("raced") { SecureRandom.bytes(32) }
            async let b = its.secret("raced") { SecureRandom.bytes(32) }
            #expect(try await a == b)
            for store in [second, mine, its] { await store.close() }
        }
    }

    @Test("what another process did is told by itself, and seen at once", arguments: StoreKind.all)
    func watch(_ kind: StoreKind) async throws {
        try await kind.with { store, place in
            guard place.isShared else { return }
            let other = try await place.open()
            let heard = Heard()
            store.watch(heard.add)
            let (a, b) = (record(created: soon), record(created: soon))
            try await store.create(a, replacing: nil)
            try await store.create(b, replacing: nil)
            #expect(try await other.find(a.key) == a)
            #expect(try await other.end(a.key, .revoked) == a)
            #expect(await heard.ended(a.key, seconds: 10))
            #expect(try await store.find(a.key) == nil)
            #expect(try await other.refresh(b.key, claims: [0x7b, 0x7d], accountVersion: 9))
            #expect(await heard.refreshed(b.key))
            #expect(try await store.count() == 1)
            await other.close()
        }
    }

    @Test("sessions, values and secrets are there after closing and opening again", arguments: StoreKind.all)
    func reopen(_ kind: StoreKind) async throws {
        try await kind.with { store, place in
            guard place.isShared else { return }
            let ada = record(created: UnixTime.now())
            try await store.create(ada, replacing: nil)
            try await store.put("code", [9], until: soon)
            let secret = try await store.secret("s") { SecureRandom.bytes(32) }
            await store.close()
            await #expect(throws: StoreError.self) { _ = try await store.find(ada.key) }
            let again = try await place.open()
            #expect(try await again.find(ada.key) == ada)
            #expect(try await again.take("code") == [9])
            #expect(try await again.secret("s") { [] } == secret)
            #expect(try await again.count() == 1)
            await again.close()
        }
    }

    @Test("many who create, find and end at once all get what is theirs", arguments: StoreKind.all)
    func concurrency(_ kind: StoreKind) async throws {
        try await kind.with { store, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        let mine = record("user\(index)", created: UnixTime.now())
                        try await store.create(mine, replacing: nil)
                        #expect(try await store.find(mine.key) == mine)
                        if index % 2 == 0 { #expect(try await store.end(mine.key, .logout) == mine) }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.count() == 100)
        }
    }

    /// How many of twenty got it.
    private static func race(_ body: @escaping @Sendable () async throws -> Bool) async throws -> Int {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask(operation: body) }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }
}
