// COLD. The keys of listeners, ops and the two logs.

extension ListenerSettings {
    /// One address to listen on.
    public static let keys: [Key<ListenerSettings>] = [
        Key("name", \.name, must: .name, doc: "Its name in logs."),
        Key("address", \.address, must: .listenable, doc: "IPv4, [IPv6] or unix:/path; port 0 lets the kernel choose."),
        Key("mode", \.fileMode, doc: "Permissions of a unix socket, in octal."),
        Key(
            "backlog",
            \.backlog,
            in: 1...65_535,
            doc: "Connections that the kernel holds until they are accepted, for each worker."
        ),
        Key(
            "max_connections",
            \.maxConnections,
            in: 1...1_000_000,
            example: "10000",
            doc: "Most connections of this listener over all workers; unset: only limits.connections counts."
        ),
    ]

    /// The socket can be made.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        decoding.check(socket: address, at: marks["address"])
    }
}

extension OpsSettings {
    /// The operators' listener.
    public static let keys: [Key<OpsSettings>] = [
        Key("enabled", \.isEnabled, doc: "Whether there is one; `ops: off` is the same as false."),
        Key(
            "address",
            \.address,
            must: .listenable,
            doc: "IPv4, [IPv6] or unix:/path. Keep it where only operators reach it."
        ),
        Key("mode", \.fileMode, doc: "Permissions of a unix socket, in octal."),
    ]
    /// `ops: off`.
    public static var offSwitch: (any WritableKeyPath<OpsSettings, Bool> & Sendable)? { \Self.isEnabled }

    /// The socket can be made.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        decoding.check(socket: address, at: marks["address"])
    }
}

extension AccessLogSettings {
    /// The JSON access log.
    public static let keys: [Key<AccessLogSettings>] = [
        Key("enabled", \.isEnabled, doc: "Whether there is one; `access_log: off` is the same as false."),
        Key(
            "path",
            \.path,
            must: .filePath,
            doc: "A file, /dev/stdout, /dev/stderr, or off. Reopened on SIGUSR1."
        ),
        Key(
            "queue",
            \.queue,
            in: .kibibytes(64) ... .gibibytes(1),
            doc: "Bytes that wait for the writer, over all workers; lines beyond are dropped and counted."
        ),
    ]
    /// `access_log: off`.
    public static var offSwitch: (any WritableKeyPath<AccessLogSettings, Bool> & Sendable)? { \Self.isEnabled }

    /// The path is resolved, and can be written.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        if path == "off" {
            isEnabled = false
            path = AccessLogSettings().path
        }
        guard isEnabled else { return }
        path = decoding.resolve(path)
        if let problem = decoding.files.problem(creating: path) {
            decoding.report("access_log.path: \(Spelling.quoted(path)) \(problem.text)", at: marks["path"])
        }
    }
}

extension LogSettings.Level: SettingChoice {}
extension LogSettings.Format: SettingChoice {}

extension LogSettings {
    /// The process log.
    public static let keys: [Key<LogSettings>] = [
        Key("level", \.level, doc: "Least level that is written to standard error."),
        Key("format", \.format, doc: "How a line looks: text, or one JSON object a line."),
    ]
}

extension Decoding {
    /// Reports when the folder of a unix socket is not there.
    func check(socket address: Endpoint, at location: SourceLocation) {
        guard case .unix(let path) = address, let problem = files.problem(creating: path) else { return }
        report("\(currentPath).address: \(Spelling.quoted(path)) \(problem.text)", at: location)
    }
}
