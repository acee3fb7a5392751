// COLD. The keys of the redis store.

extension Constraint<String> {
    /// The beginning of a key.
    static let keyPrefix = Constraint(
        expected: "text of letters, digits and \":._-\", at most 64",
        pattern: "^[A-Za-z0-9:._-]{0,64}$"
    ) {
        $0.utf8.count <= 64
            && $0.utf8.allSatisfy {
                switch $0 {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: ":._-".utf8.contains($0)
                }
            }
    }
}

extension RedisSettings {
    /// The servers of the redis store.
    public static let keys: [Key<RedisSettings>] = [
        Key(
            "servers",
            \.servers,
            count: 1...16,
            each: .reachable,
            doc: "One server, some servers of a cluster, or the Sentinels."
        ),
        Key("tls", \.tls, doc: "TLS towards them (and the Sentinels); unset: clear text."),
        Key("username", \.username, example: "portcullis", must: .optionalWord, doc: "ACL user; unset: default."),
        Key("password", \.password, example: "file:redis.password", doc: "Its password: ${NAME} or file:path."),
        Key("database", \.database, in: 0...1023, doc: "Number of the database; 0 in a cluster."),
        Key("key_prefix", \.keyPrefix, must: .keyPrefix, doc: "Beginning of all keys."),
        Key(
            "sentinel_master",
            \.sentinelMaster,
            example: "mymaster",
            must: .optionalWord,
            doc: "The master's name, when servers are Sentinels."
        ),
        Key(
            "sentinel_username",
            \.sentinelUsername,
            example: "portcullis",
            must: .optionalWord,
            doc: "ACL user there."
        ),
        Key("sentinel_password", \.sentinelPassword, example: "file:sentinel.password", doc: "The password there."),
        Key("cluster", \.isCluster, doc: "Whether the servers belong to a cluster."),
        Key("connect_timeout", \.connectTimeout, in: .milliseconds(50) ... .seconds(30), doc: "To open a connection."),
        Key("timeout", \.timeout, in: .milliseconds(50) ... .seconds(30), doc: "How long an answer may take."),
        Key("pipeline", \.pipeline, in: 16...65_536, doc: "Most commands that wait for an answer; more get 503."),
    ]

    /// One way of addressing, and what belongs to it.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        let place = decoding.currentPath
        func reject(_ key: String, _ why: String) { decoding.report("\(place).\(key): \(why)", at: marks[key]) }
        if isCluster, sentinelMaster != nil {
            reject("cluster", "Sentinels know servers of no cluster; leave out cluster or sentinel_master")
        } else if isCluster, database != 0 {
            reject("database", "a cluster has only database 0")
        } else if !isCluster, sentinelMaster == nil, servers.count > 1 {
            reject("servers", "several servers need sentinel_master or cluster: true beside them")
        }
        for key in ["sentinel_username", "sentinel_password"] where marks.isWritten(key) && sentinelMaster == nil {
            reject(key, "needs the key \"sentinel_master\" beside it")
        }
        for (user, password) in [("username", "password"), ("sentinel_username", "sentinel_password")]
        where marks.isWritten(user) && !marks.isWritten(password) {
            reject(user, "needs the key \"\(password)\" beside it")
        }
        if tls == nil, password != nil, servers.contains(where: { !$0.isLocal }) {
            let key = marks.isWritten("password") ? "password" : "servers"
            decoding.report(
                "\(place).\(key): goes in clear text to another machine; add tls: {}",
                at: marks[key],
                severity: .warning
            )
        }
    }
}

extension Endpoint {
    /// Whether it is certainly on this machine.
    fileprivate var isLocal: Bool {
        switch self {
        case .unix: true
        case .name(let name, _): name == "localhost"
        case .ip(let number, _, _):
            number.isIPv4 ? number.low >> 24 & 0xff == 127 : number.high == 0 && number.low == 1
        }
    }
}

extension Constraint<String?> {
    static let optionalWord = Constraint(expected: Constraint<String>.word.expected) {
        $0.map(Constraint<String>.word.test) ?? true
    }
}
