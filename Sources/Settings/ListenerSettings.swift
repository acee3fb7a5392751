// COLD. Where clients and operators connect.

/// One address to listen on.
public struct ListenerSettings: SettingsSection {
    /// Its name in logs.
    public var name = "main"
    /// IPv4, IPv6 or unix socket; never a host name.
    ///
    /// Port 0 lets the kernel choose.
    public var address = Endpoint.loopback(8080)
    /// Permissions of a unix socket.
    public var mode: UInt32 = 0o660
    /// Connections that the kernel holds until they are accepted, for each worker.
    public var backlog = 1024
    /// Most connections of this listener over all workers; nil when only `limits.connections` counts.
    public var maxConnections: Int?
    /// Whether HTTP/1 is spoken; without it every connection is taken for one of HTTP/2.
    public var http1 = true
    /// TLS; nil: clear text.
    public var tls: ListenerTLSSettings?
    /// Port of https to which every request is sent (308); nil: requests are served here.
    public var redirectToHTTPS: Int?
    /// Peers that send a PROXY header; nil: none.
    public var proxyProtocol: ProxyProtocolSettings?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// The operators' listener: `/livez`, `/readyz`, `/startupz`, `/metrics`.
public struct OpsSettings: SettingsSection {
    /// Whether there is one (`ops: off`).
    public var isEnabled = true
    /// IPv4, IPv6 or unix socket.
    public var address = Endpoint.loopback(9901)
    /// Permissions of a unix socket.
    public var mode: UInt32 = 0o660
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// The JSON access log, one line for each request.
public struct AccessLogSettings: SettingsSection {
    /// Whether there is one (`access_log: off`).
    public var isEnabled = true
    /// A file, `/dev/stdout` or `/dev/stderr`.
    ///
    /// Reopened on SIGUSR1.
    public var path = "/dev/stdout"
    /// Bytes that wait for the writer, over all workers; lines beyond are dropped and counted.
    public var queue = ByteCount.mebibytes(8)
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// The process log on standard error.
public struct LogSettings: SettingsSection {
    /// What is worth a line.
    public enum Level: String, Sendable, CaseIterable {
        /// Everything.
        case debug
        /// Starts, stops, reloads, state changes.
        case info
        /// What an operator should look at.
        case warning
        /// What does not work.
        case error
    }
    /// How a line looks.
    public enum Format: String, Sendable, CaseIterable {
        /// `time level message key=value`.
        case text
        /// One JSON object a line.
        case json
    }

    /// Least level that is written.
    public var level = Level.info
    /// How a line looks.
    public var format = Format.text
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
