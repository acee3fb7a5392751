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
        Key(
            "http1",
            \.http1,
            doc: "Whether HTTP/1 is spoken; false: only HTTP/2, over TLS by ALPN, in clear text with prior knowledge."
        ),
        Key(
            "tls",
            \.tls,
            example: "{ certificates: [{ certificate_file: tls/fullchain.pem, key_file: tls/key.pem }] }",
            doc: "TLS 1.2 and 1.3; unset: clear text."
        ),
        Key(
            "redirect_to_https",
            \.redirectToHTTPS,
            in: 1...65_535,
            example: "443",
            doc: "Send every request to the same URL with https at this port (308); unset: requests are served here."
        ),
        Key(
            "proxy_protocol",
            \.proxyProtocol,
            example: "{ from: [10.0.0.0/8] }",
            doc: "Peers that send a PROXY header, version 1 or 2, before anything else; unset: nobody does. On a unix "
                + "socket `{}`: every peer."
        ),
    ]

    /// The socket can be made, and the parts do not contradict each other.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        decoding.check(socket: address, at: marks["address"])
        if marks.isWritten("tls"), marks.isWritten("redirect_to_https") {
            decoding.report(
                "\(decoding.currentPath).redirect_to_https: is for a listener without tls",
                at: marks["redirect_to_https"]
            )
        }
        if !http1, let tls, !tls.http2 {
            decoding.report(
                "\(decoding.currentPath).http1: nothing is spoken here: tls.http2 is false as well",
                at: marks["http1"]
            )
        }
        guard let proxyProtocol else { return }
        let place = "\(decoding.currentPath).proxy_protocol"
        if case .unix = address {
            guard proxyProtocol.marks.isWritten("from") else { return }
            let problem = "peers of a unix socket have no address; without `from`, all of them send a header"
            decoding.report("\(place).from: \(problem)", at: proxyProtocol.marks["from"])
        } else if !proxyProtocol.marks.isWritten("from") {
            decoding.report("\(place).from: is missing: the networks of these peers", at: marks["proxy_protocol"])
        }
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
