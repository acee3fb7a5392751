// COLD. The Redis store under the contract of all stores: one server and one cluster, every place with keys of its own.
import Foundation
import Testing

@testable import Sessions

/// Three members that share the slots.
final class RedisCluster: Sendable {
    let members: [RedisServer]

    init() throws {
        members = try (0..<3).map { _ in
            try RedisServer(
                ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"],
                port: RedisServer.clusterPort()
            )
        }
    }

    /// Waits until every member knows the whole cluster.
    func whole() async throws {
        let addresses = members.map { "127.0.0.1:\($0.port)" }
        _ = await eventually { (try? self.members.allSatisfy { try $0.cli("PING").hasPrefix("PONG") }) ?? false }
        try await members[0].cluster(["create"] + addresses + ["--cluster-yes"])
        let isWhole = await eventually(within: 60) {
            (try? self.members.allSatisfy { try $0.cli("CLUSTER", "INFO").contains("cluster_state:ok") }) ?? false
        }
        guard isWhole else { throw StoreOpening("the cluster does not come together") }
    }
}

extension RedisServer {
    /// A free port whose cluster bus port (10000 more) is one, too.
    static func clusterPort() throws -> UInt16 {
        while true {
            let port = try freePort()
            if port < 55_000 { return port }
        }
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
            let cluster = try RedisCluster()
            try await cluster.whole()
            return cluster
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
