// COLD. Several gateways on the same Redis: what one ends the others hear of, what is missed is noticed, keys expire.
import Bytes
import Foundation
import Testing

@testable import Sessions

@Suite("redis sharing", .timeLimit(.minutes(3)))
struct RedisSharingTests {
    @Test("an end reaches another gateway within a second")
    func invalidation() async throws {
        let server = try RedisServer()
        let (one, two) = (try await server.store(), try await server.store())
        let log = RedisEventLog.watch(two)
        for _ in 0..<20 {
            let ann = redisRecord()
            try await one.create(ann, replacing: nil)
            #expect(try await two.find(ann.key) == ann)
            #expect(try await one.end(ann.key, .logout) == ann)
            #expect(await log.has { $0 == .ended([ann.key]) })
        }
        await one.close()
        await two.close()
    }

    @Test("events that were cut before they were read are noticed")
    func missed() async throws {
        let server = try RedisServer()
        let (one, two) = (try await server.store(), try await server.store())
        let log = RedisEventLog.watch(two)
        let first = redisRecord()
        try await one.create(first, replacing: nil)
        _ = try await one.end(first.key, .logout)
        #expect(await log.has { $0 == .ended([first.key]) })
        // Two entries in one step, of which the reader can see the second only.
        let script = """
            redis.call('XADD', KEYS[1], '*', 'e', 'x')
            redis.call('XADD', KEYS[1], 'MAXLEN', '1', '*', 'e', 'x')
            """
        try server.cli("EVAL", script, "1", one.keys.events)
        #expect(await log.has { $0 == .missed })
        await one.close()
        await two.close()
    }

    @Test("the connection for events alone may break: missed is told, and events go on")
    func eventsBreak() async throws {
        let server = try RedisServer()
        let (one, two) = (try await server.store(), try await server.store())
        let log = RedisEventLog.watch(two)
        try server.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        #expect(await log.has { $0 == .missed })
        #expect(await eventually { two.isAvailable && two.isFollowing && one.isAvailable })
        let ann = redisRecord()
        try await one.create(ann, replacing: nil)
        _ = try await one.end(ann.key, .logout)
        #expect(await log.has { $0 == .ended([ann.key]) })
        await one.close()
        await two.close()
    }

    @Test("while no events can be read, missed is told every second")
    func deaf() async throws {
        let server = try RedisServer(["--user", "gate on nopass ~* +@all -xread"])
        var plan = RedisPlan(servers: [server.endpoint])
        plan.login = RedisLogin(username: "gate", password: Array("any".utf8))
        let store = try RedisStore(plan)
        #expect(await eventually { store.isAvailable })
        let log = RedisEventLog.watch(store)
        for _ in 0..<2 {
            await log.clear()
            #expect(await log.has(within: 10) { $0 == .missed })
        }
        #expect(store.client.shared.problem.withLock { $0 }.contains("NOPERM"))
        await store.close()
    }

    @Test("the server forgets a session by itself an hour after its end, and a touch moves that")
    func timeToLive() async throws {
        let server = try RedisServer()
        let store = try await server.store()
        let now = Int64(time(nil))
        let ann = redisRecord(created: now, idle: 600, lifetime: 28_800)
        try await store.create(ann, replacing: nil)
        func life(_ key: String) throws -> Int64 {
            Int64(try server.cli("TTL", key).filter(\.isNumber)) ?? -1
        }
        let first = try life(store.keys.session(ann.key))
        #expect((4480...4500).contains(first))
        try await store.touch([(ann.key, now + 300)])
        #expect((4780...4800).contains(try life(store.keys.session(ann.key))))
        #expect(try life(store.keys.account("ann")) > 28_800)
        #expect(try await store.refresh(ann.key, claims: [1], accountVersion: 1))
        #expect((4780...4800).contains(try life(store.keys.session(ann.key))))
        await store.close()
    }

    @Test("a session that the server forgot is in no list, and a sweep drops what is left of it")
    func forgotten() async throws {
        let server = try RedisServer()
        let store = try await server.store()
        let old = redisRecord(created: Int64(time(nil)) - 100)
        try await store.create(old, replacing: nil)
        try server.cli("DEL", store.keys.session(old.key))
        #expect(try await store.list(SessionFilter(account: "ann"), after: nil, limit: 10).isEmpty)
        #expect(try server.cli("EXISTS", store.keys.account("ann")).hasPrefix("0"))
        #expect(try await store.list(SessionFilter(), after: nil, limit: 10).isEmpty)
        #expect(try await store.sweep(now: old.expires, limit: 10).isEmpty)
        #expect(try await store.count() == 0)
        await store.close()
    }

    @Test("of two gateways that sweep at once each expired session goes to one")
    func sweepTogether() async throws {
        let server = try RedisServer()
        let (one, two) = (try await server.store(), try await server.store())
        let now = Int64(time(nil))
        for index in 0..<300 {
            try await one.create(redisRecord("u\(index % 7)", created: now - 1000, idle: 100), replacing: nil)
        }
        async let a = one.sweep(now: now, limit: 1000)
        async let b = two.sweep(now: now, limit: 1000)
        let both = try await (a, b)
        #expect(both.0.count + both.1.count == 300)
        #expect(Set((both.0 + both.1).map(\.key)).count == 300)
        #expect(try await one.count() == 0)
        #expect(try server.cli("DBSIZE").filter(\.isNumber) == "1")
        await one.close()
        await two.close()
    }
}
