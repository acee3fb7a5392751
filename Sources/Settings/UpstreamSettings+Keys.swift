// COLD. The keys of upstreams, their servers, pools and health checks.

extension BalanceSettings: SettingChoice {}
extension HealthTypeSettings: SettingChoice {}

extension ServerSettings {
    /// One server.
    public static let keys: [Key<ServerSettings>] = [
        Key(
            "address",
            \.address,
            required: true,
            must: .reachable,
            doc: "host:port (looked up again and again), IPv4:port, [IPv6]:port or unix:/path."
        ),
        Key("weight", \.weight, in: 1...1000, doc: "Its share."),
    ]
    /// An address.
    public static var shorthandShape: SettingShape? { Endpoint.shape }
    /// An address alone.
    public static func decodeShorthand(_ node: SettingNode, _ decoding: Decoding) -> ServerSettings? {
        guard case .scalar = node.content else { return nil }
        var server = ServerSettings()
        guard let address = Endpoint.decode(node, decoding) else { return server }
        let constraint = Constraint<Endpoint>.reachable
        if !constraint.test(address) { decoding.mismatch(node, expected: constraint.expected) }
        server.address = address
        return server
    }
}

extension PoolSettings {
    /// Kept connections.
    public static let keys: [Key<PoolSettings>] = [
        Key(
            "max_connections",
            \.maxConnections,
            in: 1...65_535,
            doc: "Most connections to one server, for each worker."
        ),
        Key("max_idle", \.maxIdle, in: 0...65_535, doc: "Most idle connections kept to one server, for each worker."),
        Key(
            "max_waiting",
            \.maxWaiting,
            in: 0...1_000_000,
            doc:
                "Most requests that wait, for each worker and no longer than connect_timeout, while all connections are "
                + "taken; more get 503 at once."
        ),
        Key(
            "idle_timeout",
            \.idleTimeout,
            in: .milliseconds(100) ... .hours(1),
            doc: "How long an idle connection is kept; choose less than the server keeps it."
        ),
    ]

    /// Kept are at most as many as there may be.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        guard maxIdle > maxConnections else { return }
        if marks.isWritten("max_idle") {
            decoding.report(
                "\(decoding.currentPath).max_idle: \(maxIdle) is more than max_connections (\(maxConnections))",
                at: marks["max_idle"]
            )
        }
        maxIdle = maxConnections
    }
}

extension HealthSettings {
    /// Active checks.
    public static let keys: [Key<HealthSettings>] = [
        Key(
            "type",
            \.type,
            doc: "How a server is asked: by a GET request, or by grpc.health.v1.Health/Check (protocol h2 or h2c). "
                + "TLS and protocol are the upstream's."
        ),
        Key(
            "service",
            \.service,
            must: .serviceName,
            doc: "The gRPC service that is asked about; empty: the server as a whole."
        ),
        Key("path", \.path, must: .requestTarget, doc: "What is requested, with a query if need be."),
        Key(
            "host",
            \.host,
            example: "api.example.com",
            must: .optionalAuthority,
            doc: "Host of the request; unset: the server's address."
        ),
        Key(
            "interval",
            \.interval,
            in: .milliseconds(100) ... .hours(1),
            doc: "Time between two checks; at most 250ms while a server is out because it refuses connections."
        ),
        Key("timeout", \.timeout, in: .milliseconds(10) ... .minutes(1), doc: "How long an answer may take."),
        Key("healthy", \.healthy, in: 1...100, doc: "Good answers in a row that bring a server back."),
        Key("unhealthy", \.unhealthy, in: 1...100, doc: "Bad answers in a row that take it out."),
        Key("status", \.statuses, count: 1...16, doc: "Good answers: statuses or ranges."),
    ]

    /// Keys of one type are not written for the other.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        guard !decoding.hasError(at: marks["type"]) else { return }
        for key in type == .grpc ? ["path", "status"] : ["service"] where marks.isWritten(key) {
            decoding.report(
                "\(decoding.currentPath).\(key): is for type: \(type == .grpc ? "http" : "grpc"), this is \(type.rawValue)",
                at: marks[key]
            )
        }
    }
}

extension Constraint<String> {
    /// The name of a gRPC service.
    static let serviceName = Constraint(expected: "a service such as pkg.Orders", pattern: "^[A-Za-z0-9_./-]{0,256}$") {
        $0.utf8.count <= 256
            && $0.utf8.allSatisfy {
                switch $0 {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x2e, 0x2f, 0x2d: true
                default: false
                }
            }
    }
}

extension Constraint<String?> {
    static let optionalAuthority = Constraint(expected: Constraint<String>.authority.expected) {
        $0.map(Constraint<String>.authority.test) ?? true
    }
}

extension UpstreamSettings {
    /// A named set of servers.
    public static let keys: [Key<UpstreamSettings>] = [
        Key(
            "name",
            \.name,
            required: true,
            example: "api",
            must: .name,
            doc: "Its name in this file, in logs and metrics."
        ),
        Key(
            "servers",
            \.servers,
            count: 1...64,
            required: true,
            example: "[\"127.0.0.1:9000\"]",
            doc: "Its servers; an address alone is enough."
        ),
        Key(
            "protocol",
            \.protocol,
            doc: "What is spoken with the servers; h2 is HTTP/2 over TLS, h2c HTTP/2 in clear text."
        ),
        Key("tls", \.tls, example: "{ ca_file: tls/services.pem }", doc: "TLS towards the servers; unset: clear text."),
        Key("balance", \.balance, doc: "How a server is chosen."),
        Key(
            "connect_timeout",
            \.connectTimeout,
            in: .milliseconds(10) ... .minutes(1),
            doc: "To open a connection (504; another server is tried first)."
        ),
        Key(
            "first_byte_timeout",
            \.firstByteTimeout,
            in: .zero ... .hours(1),
            doc: "From the end of the request to the response's first byte (504); off: none."
        ),
        Key(
            "idle_timeout",
            \.idleTimeout,
            in: .zero ... .hours(24),
            doc:
                "A response that has begun, without a byte in either direction; off: timeouts.stream_idle alone ends it."
        ),
        Key(
            "keepalive",
            \.keepalive,
            in: .zero ... .hours(2),
            doc: "Silence of a connection after which TCP keepalive asks whether the server is still there; off: never."
        ),
        Key(
            "ping",
            \.ping,
            in: .zero ... .hours(2),
            doc: "Silence of an HTTP/2 connection with open requests after which PING asks whether the server is still "
                + "well; off: never. Many servers of gRPC end connections that ping more often than every five minutes."
        ),
        Key("pool", \.pool, doc: "Kept connections."),
        Key(
            "resolve_ttl",
            \.resolveTTL,
            in: .seconds(1) ... .hours(24),
            doc: "How long the addresses of a name are used before they are looked up again."
        ),
        Key(
            "retries",
            \.retries,
            in: 0...10,
            doc:
                "Most further servers that are tried when a connection cannot be opened. A kept connection that turns out "
                + "stale is replaced once in any case, for GET, HEAD and OPTIONS."
        ),
        Key(
            "refused_pause",
            \.refusedPause,
            in: .zero ... .minutes(1),
            doc: "How long a server is passed over after it refused a connection."
        ),
        Key("health", \.health, example: "{ path: /healthz }", doc: "Active checks; unset: none."),
    ]

    /// No server twice; protocol and TLS fit.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        checkTLS(decoding)
        if health?.type == .grpc, self.protocol == .http1, !decoding.hasError(at: marks["protocol"]) {
            decoding.report(
                "\(decoding.currentPath).health.type: gRPC is spoken over HTTP/2; add protocol: h2, or h2c",
                at: health?.marks["type"] ?? marks["health"]
            )
        }
        var seen: Set<Endpoint> = []
        for (index, server) in servers.enumerated() {
            let place = server.marks["address"]
            guard !decoding.hasError(at: place), !seen.insert(server.address).inserted else { continue }
            decoding.report(
                "\(decoding.currentPath).servers[\(index)]: \(server.address.text) is there twice; use weight for a larger share",
                at: place
            )
        }
    }
}
