// COLD. The Redis store when things go wrong: no server, a stopped one, a killed one, a full one, wrong passwords.
import Foundation
import Glibc
import Synchronization
import Testing

@testable import Sessions

@Suite("redis failures", .timeLimit(.minutes(3)))
struct RedisFailureTests {
    @Test("without a server calls fail at once, and the reason names it")
    func nobody() async throws {
        let store = try RedisStore(RedisPlan(servers: [RedisEndpoint(path: "/nonexistent/redis.sock")]))
        await #expect(throws: StoreError.unavailable) { try await store.find(redisRecord().key) }
        let began = ContinuousClock.now
        for _ in 0..<100 {
            await #expect(throws: StoreError.unavailable) { try await store.find(redisRecord().key) }
        }
        #expect(ContinuousClock.now - began < .seconds(30))
        #expect(!store.isAvailable)
        #expect(store.problem.contains("unix:/nonexistent/redis.sock"))
        await store.close()
        await #expect(throws: StoreError.unavailable) { try await store.count() }
    }

    @Test("a host name that nobody knows is a reason, not a wait")
    func unknownName() async throws {
        let store = try RedisStore(RedisPlan(servers: [RedisEndpoint(host: "no-such-host.invalid", port: 6379)]))
        await #expect(throws: StoreError.self) { try await store.count() }
        #expect(await eventually { store.problem.contains("the name is not known") })
        await store.close()
    }

    @Test("a server that is stopped costs one timeout, then calls fail at once; it comes back by itself")
    func stopped() async throws {
        let server = try RedisServer()
        let store = try await server.store {
            $0.timeout = 300
            $0.connectTimeout = 300
        }
        let log = RedisEventLog.watch(store)
        let ann = redisRecord()
        try await store.create(ann, replacing: nil)
        server.send(SIGSTOP)
        let began = ContinuousClock.now
        await #expect(throws: StoreError.self) { try await store.find(ann.key) }
        #expect(ContinuousClock.now - began < .seconds(30))
        #expect(await log.has { $0 == .available(false) })
        #expect(await eventually { store.client.shared.isDown.load(ordering: .relaxed) })
        let again = ContinuousClock.now
        for _ in 0..<100 {
            await #expect(throws: StoreError.unavailable) { try await store.find(ann.key) }
        }
        // A hundred timeouts would be half a minute.
        #expect(ContinuousClock.now - again < .seconds(20))
        await log.clear()
        server.send(SIGCONT)
        #expect(await log.has { $0 == .available(true) })
        #expect(await log.has { $0 == .missed })
        #expect(try await store.find(ann.key) == ann)
        await store.close()
    }

    @Test("what was acknowledged is there after kill -9 and a restart, what ended is not")
    func killed() async throws {
        let server = try RedisServer(["--appendonly", "yes", "--appendfsync", "always"])
        let store = try await server.store()
        let log = RedisEventLog.watch(store)
        var live: [SessionRecord] = []
        var ended: [SessionKey] = []
        for round in 0..<4 {
            var index = 0
            let last = Int.random(in: 10...40)
            var killer: Task<Void, Never>?
            // Until the kill, which comes at any moment after that many.
            while true {
                if index == last, killer == nil {
                    killer = Task.detached {
                        try? await Task.sleep(for: .microseconds(Int.random(in: 0...5000)))
                        server.kill()
                    }
                }
                let one = redisRecord("user\(round)")
                do {
                    try await store.create(one, replacing: nil)
                    index += 1
                    if index % 3 == 0 {
                        _ = try await store.end(one.key, .logout)
                        ended.append(one.key)
                    } else {
                        live.append(one)
                    }
                } catch {
                    if killer != nil { break }
                }
            }
            await killer?.value
            await log.clear()
            try server.start()
            #expect(await log.has { $0 == .available(true) })
            #expect(await log.has { $0 == .missed })
        }
        #expect(live.count >= 4 * 6)
        for one in live { #expect(try await store.find(one.key) == one) }
        for key in ended { #expect(try await store.find(key) == nil) }
        await store.close()
    }

    @Test("a wrong password is a reason that does not show it")
    func wrongPassword() async throws {
        let server = try RedisServer(["--user", "gate on >right ~portcullis:* +@all", "--user", "default off"])
        let store = try await server.store { $0.login = RedisLogin(username: "gate", password: Array("right".utf8)) }
        let ann = redisRecord()
        try await store.create(ann, replacing: nil)
        #expect(try await store.find(ann.key) == ann)
        await store.close()
        var plan = RedisPlan(servers: [server.endpoint])
        plan.login = RedisLogin(username: "gate", password: Array("wr0ng-secret".utf8))
        let other = try RedisStore(plan)
        await #expect(throws: StoreError.unavailable) { try await other.find(ann.key) }
        #expect(other.problem.contains("WRONGPASS"))
        #expect(!other.problem.contains("wr0ng-secret"))
        await other.close()
    }

    @Test("the rights that the handbook names are enough")
    func leastRights() async throws {
        let server = try RedisServer([
            "--requirepass", "boss", "--user",
            "gate on >pw ~portcullis:* resetchannels -@all +get +set +del +setnx +exists +getrange +setrange +pttl "
                + "+pexpire +pexpireat +zadd +zrem +zcard +zscore +zrangebyscore +zrevrangebyscore +zrangebylex +xadd "
                + "+xread +xrange +xrevrange +eval +evalsha +ping",
        ])
        let store = try await server.store { $0.login = RedisLogin(username: "gate", password: Array("pw".utf8)) }
        let (ann, next) = (redisRecord(), redisRecord())
        try await store.create(ann, replacing: nil)
        try await store.create(next, replacing: ann.key)
        try await store.touch([(next.key, next.created + 60)])
        #expect(try await store.refresh(next.key, claims: [], accountVersion: 8))
        #expect(try await store.list(SessionFilter(account: "ann"), after: nil, limit: 10).map(\.key) == [next.key])
        #expect(try await store.list(SessionFilter(), after: nil, limit: 10).count == 1)
        #expect(try await store.end(where: SessionFilter(account: "ann"), except: nil, .logoutEverywhere).count == 1)
        #expect(try await store.sweep(now: ann.expires + 10, limit: 10).isEmpty)
        #expect(try await store.claim("a", until: ann.expires))
        #expect(try await store.secret("s") { [1, 2] } == [1, 2])
        #expect(try await store.count() == 0)
        await store.close()
    }

    @Test("a server without memory is full, one without replicas is unavailable")
    func full() async throws {
        let server = try RedisServer()
        let store = try await server.store()
        try await store.create(redisRecord(), replacing: nil)
        try server.cli("CONFIG", "SET", "maxmemory", "1")
        await #expect(throws: StoreError.full) { try await store.create(redisRecord(), replacing: nil) }
        try server.cli("CONFIG", "SET", "maxmemory", "0")
        try server.cli("CONFIG", "SET", "min-replicas-to-write", "1")
        await #expect(throws: StoreError.unavailable) { try await store.create(redisRecord(), replacing: nil) }
        try server.cli("CONFIG", "SET", "min-replicas-to-write", "0")
        try await store.create(redisRecord(), replacing: nil)
        #expect(try await store.count() == 2)
        await store.close()
    }

    @Test("more sessions than allowed are refused, a replacement is not")
    func maximum() async throws {
        let server = try RedisServer()
        let store = try await server.store { $0.maximum = 2 }
        let (a, b) = (redisRecord(), redisRecord())
        try await store.create(a, replacing: nil)
        try await store.create(b, replacing: nil)
        await #expect(throws: StoreError.full) { try await store.create(redisRecord(), replacing: nil) }
        try await store.create(redisRecord(), replacing: a.key)
        #expect(try await store.count() == 2)
        await store.close()
    }

    @Test("more commands than may wait fail at once, and the rest are answered")
    func backlog() async throws {
        let server = try RedisServer()
        let store = try await server.store {
            $0.backlog = 64
            $0.timeout = 20_000
        }
        server.send(SIGSTOP)
        let key = redisRecord().key
        let results = await withTaskGroup(of: StoreError?.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    do throws(StoreError) {
                        _ = try await store.find(key)
                        return nil
                    } catch { return error }
                }
            }
            // Those that are refused come back while the server still stands.
            var results: [StoreError?] = []
            for await result in group {
                results.append(result)
                if results.count == 136 { server.send(SIGCONT) }
            }
            return results
        }
        #expect(results.prefix(136).allSatisfy { $0 == .unavailable })
        #expect(results.suffix(64).allSatisfy { $0 == nil })
        await store.close()
    }

    @Test("scripts that the server forgot are sent again")
    func forgottenScripts() async throws {
        let server = try RedisServer()
        let store = try await server.store()
        for _ in 0..<3 {
            let ann = redisRecord()
            try await store.create(ann, replacing: nil)
            try server.cli("SCRIPT", "FLUSH")
            #expect(try await store.end(ann.key, .logout) == ann)
        }
        await store.close()
    }

    @Test("bytes in the store that are no record are an error, not a missing session")
    func corrupt() async throws {
        let server = try RedisServer()
        let store = try await server.store()
        let key = redisRecord().key
        try server.cli("SET", store.keys.session(key), "garbage")
        await #expect(throws: StoreError.corrupt) { try await store.find(key) }
        try server.cli("DEL", store.keys.session(key))
        try server.cli("LPUSH", store.keys.session(key), "garbage")
        await #expect(throws: StoreError.corrupt) { try await store.find(key) }
        await store.close()
    }

    @Test("a server that is something else altogether is a reason")
    func stranger() async throws {
        let server = try RedisServer(["--requirepass", "secret"])
        let store = try RedisStore(RedisPlan(servers: [server.endpoint]))
        #expect(await eventually { store.problem.contains("NOAUTH") })
        await #expect(throws: StoreError.unavailable) { try await store.count() }
        await store.close()
    }
}
