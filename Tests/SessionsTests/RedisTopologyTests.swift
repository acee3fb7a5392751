// COLD. The Redis store over TLS, behind Sentinels, on a cluster: found, followed, failed over.
import Foundation
import Glibc
import TLS
import Testing

@testable import Sessions

@Suite("redis topologies", .timeLimit(.minutes(4)))
struct RedisTopologyTests {
    // MARK: TLS

    /// A certificate authority and a certificate for `localhost`, in a folder.
    private static func makeCertificates(_ folder: Folder) throws {
        let commands = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s.key -out s.csr -subj /CN=localhost "
                + "-addext subjectAltName=DNS:localhost",
            "x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out s.pem",
        ]
        for command in commands {
            let words = ["/bin/sh", "-c", "cd \(folder.path) && openssl \(command)"]
            Program.wait(try Program.start(words))
        }
    }

    private static func client(_ folder: Folder, name: String? = nil) throws -> ClientTLS {
        var plan = ClientTLSPlan()
        plan.authorities = .pem(Array(try Data(contentsOf: URL(fileURLWithPath: folder.file("ca.pem")))))
        plan.serverName = name.flatMap { PeerName($0) }
        plan.certificate = Array(try Data(contentsOf: URL(fileURLWithPath: folder.file("s.pem"))))
        plan.key = Array(try Data(contentsOf: URL(fileURLWithPath: folder.file("s.key"))))
        plan.protocols = []
        return try ClientTLS(plan)
    }

    @Test("over TLS with certificates on both sides, and not with a name that is not the server's")
    func secured() async throws {
        let folder = try Folder()
        try Self.makeCertificates(folder)
        let server = try RedisServer(
            [
                "--tls-cert-file", folder.file("s.pem"), "--tls-key-file", folder.file("s.key"), "--tls-ca-cert-file",
                folder.file("ca.pem"), "--requirepass", "secret",
            ],
            port: RedisServer.freePort(),
            tls: true
        )
        func plan(_ host: String, _ name: String?) throws -> RedisPlan {
            var plan = RedisPlan(servers: [RedisEndpoint(host: host, port: server.port)])
            plan.tls = try Self.client(folder, name: name)
            plan.login = RedisLogin(username: nil, password: Array("secret".utf8))
            return plan
        }
        for (host, name) in [("localhost", nil), ("127.0.0.1", "localhost")] {
            let store = try RedisStore(try plan(host, name))
            #expect(await eventually { store.isAvailable && store.isFollowing })
            // Longer than one record of TLS.
            var ann = redisRecord()
            ann.claims = [UInt8](repeating: 0x61, count: 100_000)
            try await store.create(ann, replacing: nil)
            let some = (0..<200).map { _ in redisRecord("bob") }
            for one in some { try await store.create(one, replacing: nil) }
            #expect(try await store.find(ann.key) == ann)
            #expect(try await store.list(SessionFilter(account: "bob"), after: nil, limit: 1000).count >= 200)
            await store.close()
        }
        let store = try RedisStore(try plan("127.0.0.1", nil))
        #expect(await eventually { store.problem.contains("TLS:") })
        await #expect(throws: StoreError.unavailable) { try await store.count() }
        await store.close()
    }

    // MARK: Sentinel

    @Test("Sentinels name the master; when it dies the store goes on with the next one, and nothing is lost")
    func sentinel() async throws {
        let master = try RedisServer(port: RedisServer.freePort())
        let replica = try RedisServer(
            ["--replicaof", "127.0.0.1 \(master.port)", "--repl-diskless-sync-delay", "0"],
            port: RedisServer.freePort()
        )
        #expect(
            await eventually(within: 30) {
                (try? replica.cli("INFO", "replication").contains("master_link_status:up")) ?? false
            }
        )
        let sentinels = try (0..<3).map { _ in
            try RedisServer(
                port: RedisServer.freePort(),
                sentinel: """
                    sentinel monitor m 127.0.0.1 \(master.port) 2
                    sentinel down-after-milliseconds m 500
                    sentinel failover-timeout m 3000
                    """
            )
        }
        #expect(
            await eventually(within: 30) {
                sentinels.allSatisfy {
                    let facts = (try? $0.cli("SENTINEL", "MASTER", "m")) ?? ""
                    return facts.contains("num-other-sentinels\n2\n") && facts.contains("num-slaves\n1\n")
                }
            }
        )
        var plan = RedisPlan(servers: sentinels.map(\.endpoint))
        plan.mode = .sentinel(master: "m")
        plan.timeout = 500
        let store = try RedisStore(plan)
        let log = RedisEventLog.watch(store)
        #expect(await eventually { store.isAvailable && store.isFollowing })
        let live = (0..<200).map { redisRecord("u\($0)") }
        for one in live { try await store.create(one, replacing: nil) }
        try master.cli("WAIT", "1", "2000")
        #expect(
            await eventually { (try? replica.cli("DBSIZE") == master.cli("DBSIZE")) ?? false }
        )
        await log.clear()
        let began = ContinuousClock.now
        master.kill()
        #expect(await log.has { $0 == .available(false) })
        #expect(await log.has(within: 60) { $0 == .available(true) })
        #expect(ContinuousClock.now - began < .seconds(60))
        #expect(await log.has { $0 == .missed })
        for one in live { #expect(try await store.find(one.key) == one) }
        let next = redisRecord()
        try await store.create(next, replacing: nil)
        #expect(try replica.cli("EXISTS", store.keys.session(next.key)).hasPrefix("1"))
        // The old master comes back as a replica: nobody writes to it.
        try master.start()
        #expect(await eventually(within: 30) { (try? master.cli("ROLE").hasPrefix("slave")) ?? false })
        #expect(try await store.end(next.key, .logout) == next)
        await store.close()
    }

    @Test("a master that was made a replica by hand is left for the other")
    func demoted() async throws {
        let (one, two) = (
            try RedisServer(port: RedisServer.freePort()), try RedisServer(port: RedisServer.freePort())
        )
        let store = try await one.store { $0.servers = [one.endpoint, two.endpoint] }
        let ann = redisRecord()
        try await store.create(ann, replacing: nil)
        try one.cli("REPLICAOF", "127.0.0.1", "\(two.port)")
        let bob = redisRecord("bob")
        try await store.create(bob, replacing: nil)
        #expect(try await store.find(bob.key) == bob)
        #expect(try two.cli("EXISTS", store.keys.session(bob.key)).hasPrefix("1"))
        await store.close()
    }

    // MARK: Cluster

    @Test("slots that move while sessions are used lose nobody")
    func resharding() async throws {
        let cluster = try await RedisCluster.whole()
        let store = try await cluster.members[0].store { $0.mode = .cluster }
        let live = (0..<300).map { redisRecord("u\($0 % 10)") }
        for one in live { try await store.create(one, replacing: nil) }
        let holders = try cluster.members.map { try $0.cli("DBSIZE").filter(\.isNumber) }
        #expect(holders.allSatisfy { (Int($0) ?? 0) > 50 })
        let members = cluster.members
        let mover = Task.detached {
            let ids = try members.map { try $0.cli("CLUSTER", "MYID").trimmingCharacters(in: .whitespacesAndNewlines) }
            let port = members[0].port
            try await members[0].cluster([
                "reshard", "127.0.0.1:\(port)", "--cluster-from", ids[0], "--cluster-to", ids[1], "--cluster-slots",
                "1500", "--cluster-yes", "--cluster-pipeline", "1",
            ])
        }
        let done = Task { _ = try? await mover.value }
        var rounds = 0
        while rounds < 5 {
            for one in live { #expect(try await store.find(one.key) == one) }
            try await store.touch(live.map { ($0.key, $0.lastSeen) })
            rounds += 1
        }
        await done.value
        for one in live { #expect(try await store.end(one.key, .logout) == one) }
        #expect(try await store.count() == 0)
        await store.close()
    }

    @Test("a member that dies makes the store unavailable, and its return makes it whole again")
    func memberDies() async throws {
        let cluster = try await RedisCluster.whole()
        let store = try await cluster.members[0].store {
            $0.mode = .cluster
            $0.servers = cluster.members.map(\.endpoint)
            $0.timeout = 1000
        }
        let log = RedisEventLog.watch(store)
        cluster.members[1].kill()
        #expect(await log.has { $0 == .available(false) })
        let began = ContinuousClock.now
        var failures = 0
        for _ in 0..<120 {
            do throws(StoreError) { _ = try await store.find(redisRecord().key) } catch { failures += 1 }
        }
        #expect(failures > 0)
        // A third of them is for the member that is gone: forty timeouts of a second, if they had to wait.
        #expect(ContinuousClock.now - began < .seconds(25))
        await log.clear()
        try cluster.members[1].start()
        #expect(await log.has(within: 60) { $0 == .available(true) })
        let ann = redisRecord()
        #expect(
            await eventually(within: 20) { (try? await store.create(ann, replacing: nil)) != nil }
        )
        #expect(try await store.find(ann.key) == ann)
        await store.close()
    }
}
