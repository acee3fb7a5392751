// COLD. Named sets of servers: addresses, balancing, pools, deadlines, health.

/// How a server is chosen.
public enum BalanceSettings: String, Sendable, CaseIterable {
    /// Smooth weighted round robin.
    case roundRobin = "round_robin"
    /// Fewest active requests relative to weight.
    case leastConnections = "least_connections"
}

/// What is spoken with the servers.
public enum UpstreamProtocolSettings: String, Sendable, CaseIterable {
    /// HTTP/1.1.
    case http1
    /// HTTP/2 over TLS, by ALPN.
    case h2
    /// HTTP/2 in clear text, with prior knowledge.
    case h2c
}

/// TLS towards the servers of an upstream.
public struct UpstreamTLSSettings: SettingsSection {
    /// Authorities in PEM; nil: the system's.
    public var ca: FileReference?
    /// Whether servers must prove who they are.
    public var verifies = true
    /// The name to ask for and to insist on; nil: each server's own.
    public var serverName: String?
    /// The gateway's certificate in PEM; nil: none.
    public var certificate: FileReference?
    /// The key of the gateway's certificate in PEM.
    public var key: FileReference?
    /// Oldest version that is spoken.
    public var minimumVersion = TLSVersionSettings.tls12
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// One server of an upstream.
public struct ServerSettings: SettingsSection {
    /// IPv4, IPv6, a name that is looked up again and again, or a unix socket.
    public var address = Endpoint.loopback(9000)
    /// Its share, 1…1000.
    public var weight = 1
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Connections kept to the servers of an upstream, by each worker.
public struct PoolSettings: SettingsSection {
    /// Most connections to one server.
    public var maxConnections = 1024
    /// Most idle connections kept to one server.
    public var maxIdle = 256
    /// Most requests that wait for a connection when there may be no further one.
    public var maxWaiting = 1024
    /// How long an idle connection is kept; less than the server keeps it.
    public var idleTimeout = Duration.seconds(60)
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// A status code, or a range of them (`200-299`).
public struct StatusRange: Sendable, Hashable {
    /// First and last, 100…599.
    public var range: ClosedRange<Int>

    /// A range.
    public init(_ range: ClosedRange<Int>) { self.range = range }
    /// Whether the status is one of these.
    public func contains(_ status: Int) -> Bool { range.contains(status) }
}

/// How a server is asked.
public enum HealthTypeSettings: String, Sendable, CaseIterable {
    /// A GET request; its status says how the server is.
    case http
    /// `grpc.health.v1.Health/Check`.
    case grpc
}

/// Asking the servers whether they are well.
public struct HealthSettings: SettingsSection {
    /// How a server is asked.
    public var type = HealthTypeSettings.http
    /// The gRPC service that is asked about; empty: the server as a whole.
    public var service = ""
    /// What is requested, with a query if need be.
    public var path = "/healthz"
    /// `Host` of the request; nil: the server's address.
    public var host: String?
    /// Time between two checks.
    public var interval = Duration.seconds(5)
    /// How long an answer may take.
    public var timeout = Duration.seconds(2)
    /// Good answers in a row that bring a server back.
    public var healthy = 2
    /// Bad answers in a row that take it out.
    public var unhealthy = 3
    /// Good answers.
    public var statuses = [StatusRange(200...299)]
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// A named set of servers.
public struct UpstreamSettings: SettingsSection {
    /// Its name in this file.
    public var name = ""
    /// Its servers, 1…64.
    public var servers: [ServerSettings] = []
    /// What is spoken with the servers.
    public var `protocol` = UpstreamProtocolSettings.http1
    /// TLS towards the servers; nil: clear text.
    public var tls: UpstreamTLSSettings?
    /// How a server is chosen.
    public var balance = BalanceSettings.roundRobin
    /// To open a connection (502, another server is tried first).
    public var connectTimeout = Duration.seconds(3)
    /// From the end of the request to the response's first byte (504); off: none.
    public var firstByteTimeout = Duration.seconds(30)
    /// A response that stops in the middle; off: none.
    public var idleTimeout = Duration.seconds(300)
    /// Silence of a connection after which the kernel asks whether the server is there; off: never.
    public var keepalive = Duration.seconds(30)
    /// Silence of an HTTP/2 connection with open requests after which it is asked by PING; off: never.
    public var ping = Duration.zero
    /// Kept connections.
    public var pool = PoolSettings()
    /// How long the addresses of a name are used before they are looked up again.
    public var resolveTTL = Duration.seconds(30)
    /// Most further attempts when a connection cannot be opened, or a kept one turns out stale before any answer.
    public var retries = 2
    /// How long a server is passed over after it refused a connection.
    public var refusedPause = Duration.milliseconds(500)
    /// Active checks; nil: none.
    public var health: HealthSettings?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
