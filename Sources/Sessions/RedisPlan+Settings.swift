// COLD. From the settings to what a Redis client needs; reads the files that they name.
internal import Glibc
internal import Settings
internal import TLS

extension RedisPlan {
    private static let longestFile = 4 << 20

    init(_ settings: RedisSettings, maximum: Int) throws(StoreOpening) {
        guard !settings.servers.isEmpty else { throw StoreOpening("redis: no servers") }
        self.init(
            servers: settings.servers.map {
                switch $0 {
                case .ip(_, let host, let port), .name(let host, let port): RedisEndpoint(host: host, port: port)
                case .unix(let path): RedisEndpoint(path: path)
                }
            }
        )
        if settings.isCluster {
            guard settings.sentinelMaster == nil else {
                throw StoreOpening("redis: a cluster has no Sentinels: cluster or sentinel_master, not both")
            }
            guard settings.database == 0 else { throw StoreOpening("redis: a cluster has no databases beside 0") }
            mode = .cluster
        } else if let name = settings.sentinelMaster {
            mode = .sentinel(master: name)
        }
        guard !settings.keyPrefix.contains(where: { $0 == "{" || $0 == "}" }) else {
            throw StoreOpening("redis: key_prefix holds a brace, which would put all keys into one slot of a cluster")
        }
        prefix = settings.keyPrefix
        database = settings.database
        login = Self.login(settings.username, settings.password?.reveal())
        sentinelLogin = Self.login(settings.sentinelUsername, settings.sentinelPassword?.reveal())
        connectTimeout = settings.connectTimeout.milliseconds
        timeout = settings.timeout.milliseconds
        backlog = max(256, settings.pipeline)
        self.maximum = maximum
        if let security = settings.tls { tls = try Self.client(security) }
    }

    private static func login(_ username: String?, _ password: [UInt8]?) -> RedisLogin? {
        password.map { RedisLogin(username: username, password: $0) }
    }

    private static func client(_ settings: UpstreamTLSSettings) throws(StoreOpening) -> ClientTLS {
        var plan = ClientTLSPlan()
        if !settings.verifies {
            plan.authorities = .insecure
        } else if let file = settings.ca {
            plan.authorities = .pem(try read(file, "ca_file"))
        }
        if let name = settings.serverName {
            guard let name = PeerName(name) else { throw StoreOpening("redis: tls.server_name is no host name") }
            plan.serverName = name
        }
        if let file = settings.certificate { plan.certificate = try read(file, "certificate_file") }
        if let file = settings.key { plan.key = try read(file, "key_file") }
        plan.minimumVersion = settings.minimumVersion == .tls13 ? .tls13 : .tls12
        plan.protocols = []
        do throws(TLSError) {
            return try ClientTLS(plan)
        } catch {
            throw StoreOpening("redis: tls.\(error.description)")
        }
    }

    private static func read(_ file: FileReference, _ key: String) throws(StoreOpening) -> [UInt8] {
        guard let handle = fopen(file.path, "re") else {
            throw StoreOpening("redis: tls.\(key): \(file.path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(handle) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= longestFile {
            let count = fread(&buffer, 1, buffer.count, handle)
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
