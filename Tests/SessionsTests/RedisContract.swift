// COLD. The Redis store under the contract of all stores: one server and one cluster, every place with keys of its own.
import Foundation
import Testing

@testable import Sessions

/// Three members that share the slots.
final class RedisCluster: Sendable {
    let members: [RedisServer]

    private init() throws {
        members = try (0..<3).map { _ in
            let bus = try RedisServer.freePort()
            return try RedisServer(
                ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--cluster-port", "\(bus)"],
                port: RedisServer.freePort()
            )
        }
    }

    /// One whose members all know the whole of it.
    ///
    /// Making it is not what is tested: it may take a second try.
    static func whole() async throws -> RedisCluster {
        var problem = ""
        for _ in 0..<3 {
            let cluster = try RedisCluster()
            guard let why = try await cluster.join() else { return cluster }
            problem += "\n\(why)"
        }
        throw StoreOpening("the cluster does not come together:\(problem)")
    }

    /// What keeps the members from being one cluster, if anything.
    private func join() async throws -> String? {
        for member in members {
            let isUp = await eventually(within: 30) { (try? member.cli("PING").hasPrefix("PONG")) ?? false }
            guard isUp else { return "no member at \(member.port)" }
        }
        let addresses = members.map { "127.0.0.1:\($0.port)" }
        let said = try await members[0].cluster(["create"] + addresses + ["--cluster-yes"])
        let isWhole = await eventually(within: 30) {
            (try? self.members.allSatisfy { try $0.cli("CLUSTER", "INFO").contains("cluster_state:ok") }) ?? false
        }
        return isWhole ? nil : said
    }
}

/// Servers that many tests share; made when first used.
actor RedisTestServers {
    static let one = RedisTestServers()
    private var server: RedisServer?
    private var cluster: Task<RedisCluster, any Error>?

    func single() throws -> RedisServer {
        if let server { return server }
        let made = try RedisServer()
        server = made
        return made
    }

    func members() async throws -> RedisCluster {
        if let cluster { return try await cluster.value }
        let task = Task {
            try await RedisCluster.whole()
        }
        cluster = task
        return try await task.value
    }
}

extension StoreKind {
    static let redis = StoreKind(testDescription: "redis") {
        let server = try await RedisTestServers.one.single()
        let prefix = "t\(SecureRandom.text(6)):"
        return Place(isShared: true, open: { try await server.store { $0.prefix = prefix } })
    }

    static let redisCluster = StoreKind(testDescription: "redis cluster") {
        let cluster = try await RedisTestServers.one.members()
        let prefix = "t\(SecureRandom.text(6)):"
        return Place(
            isShared: true,
            open: {
                try await cluster.members[0].store {
                    $0.mode = .cluster
                    $0.prefix = prefix
                }
            }
        )
    }
}
