// COLD. Where a Redis server is, as the settings, a Sentinel or a cluster says it, and all else that a client needs.
internal import Reactor
internal import TLS

/// A server: an address, a host name, or a unix socket.
struct RedisEndpoint: Hashable, Sendable {
    /// Host name or address without brackets; a path when `port` is 0.
    let host: String
    let port: UInt16

    init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    init(path: String) { self.init(host: path, port: 0) }

    /// `host:port` as a cluster writes it (IPv6 without brackets); without host it is `other`'s.
    init?(cluster text: Substring, seenFrom other: RedisEndpoint) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...].prefix { $0 != "@" }), port > 0
        else { return nil }
        let host = text[..<colon]
        self.init(host: host.isEmpty || host == "?" ? other.host : String(host), port: port)
    }

    /// The address when no name has to be looked up.
    var address: SocketAddress? {
        if port == 0 { return SocketAddress(path: host) }
        guard var ip = IPAddress(text: host) else { return nil }
        ip.port = port
        return SocketAddress(ip: ip)
    }

    var text: String { port == 0 ? "unix:\(host)" : host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Name and password.
struct RedisLogin: Sendable {
    let username: String?
    let password: [UInt8]
}

/// How the server that takes writes is found.
enum RedisMode: Sendable, Equatable {
    /// The first of the servers that is no replica.
    case single
    /// The servers are Sentinels and know it under this name.
    case sentinel(master: String)
    /// The servers belong to a cluster.
    case cluster
}

/// Everything that a client needs to know.
struct RedisPlan: Sendable {
    var mode = RedisMode.single
    /// Servers, Sentinels or members of the cluster, at least one.
    var servers: [RedisEndpoint]
    var tls: ClientTLS?
    var login: RedisLogin?
    var sentinelLogin: RedisLogin?
    var database = 0
    var prefix = "portcullis:"
    /// Until a connection is of use, milliseconds.
    var connectTimeout: Int64 = 2000
    /// For one command, milliseconds.
    var timeout: Int64 = 2000
    /// Most commands under way and waiting.
    var backlog = 16_384
    /// Most sessions.
    var maximum = 1_000_000

    init(servers: [RedisEndpoint]) { self.servers = servers }
}
