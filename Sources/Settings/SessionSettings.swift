// COLD. Sessions: where they are kept, how long they last, and the cookie that opens them.

/// Where sessions are kept.
public enum SessionStoreSettings: String, Sendable, CaseIterable {
    /// In the process: lost when it ends.
    case memory
    /// In one file.
    case sqlite
    /// On servers that several gateways share.
    case redis
}

/// What happens to known sessions while the store is away.
public enum StoreFailureSettings: Sendable, Hashable {
    /// They get 503.
    case deny
    /// They go on from the cache for so long.
    case grace(Duration)

    /// How long they go on; zero for ``deny``.
    public var grace: Duration {
        switch self {
        case .deny: .zero
        case .grace(let time): time
        }
    }
}

/// Whether a browser sends the cookie with requests that other sites cause.
public enum SameSiteSettings: String, Sendable, CaseIterable {
    /// Never.
    case strict
    /// Only when the user follows a link.
    case lax
    /// Always.
    case none
}

/// The servers of the redis store.
public struct RedisSettings: SettingsSection {
    /// One server, some of a cluster's, or the Sentinels; 1…16.
    public var servers = [Endpoint.loopback(6379)]
    /// TLS towards them; nil: clear text.
    public var tls: UpstreamTLSSettings?
    /// ACL user; nil: `default`.
    public var username: String?
    /// Its password; nil: none.
    public var password: Secret?
    /// Number of the database, 0…1023; 0 in a cluster.
    public var database = 0
    /// Beginning of all keys.
    public var keyPrefix = "portcullis:"
    /// The master's name, when `servers` are Sentinels.
    public var sentinelMaster: String?
    /// ACL user of the Sentinels; nil: `default`.
    public var sentinelUsername: String?
    /// Password of the Sentinels; nil: none.
    public var sentinelPassword: Secret?
    /// Whether `servers` belong to a cluster.
    public var isCluster = false
    /// To open a connection.
    public var connectTimeout = Duration.seconds(2)
    /// How long an answer may take.
    public var timeout = Duration.seconds(2)
    /// Most commands that wait for an answer.
    public var pipeline = 4096
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// The cookie that opens a session.
public struct CookieSettings: SettingsSection {
    /// Name of the cookie over TLS when none is written.
    public static let defaultName = "__Host-gw_session"
    /// Name of the cookie when none is written and it is not tied to TLS and one host.
    public static let plainName = "gw_session"

    /// Its name.
    public var name = defaultName
    /// Whether other sites' requests carry it.
    public var sameSite = SameSiteSettings.lax
    /// Its `Path`.
    public var path = "/"
    /// Its `Domain`: all hosts below get it; nil: only the host that set it.
    public var domain: String?
    /// Whether it goes over plain http, for development on loopback.
    public var isInsecure = false
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Hosts that share one cookie, beside other sites with theirs.
public struct SiteSettings: SettingsSection {
    /// Its hosts, without ports; 1…64.
    public var hosts: [HostPattern] = []
    /// Its cookie; nil: as for all sites.
    public var cookie: CookieSettings?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}

    /// Whether `host` (lower case, no port) is one of its hosts.
    public func contains(_ host: String) -> Bool { hosts.contains { $0.covers(.exact(host)) } }
}

/// An origin as browsers send it: scheme, host, and the port unless it is the scheme's own.
public struct WebOrigin: Sendable, Hashable {
    /// `https://app.example.com` or `http://localhost:3000`, in lower case.
    public let text: String
}

/// Sessions.
public struct SessionSettings: SettingsSection {
    /// Where they are kept.
    public var store = SessionStoreSettings.sqlite
    /// The file of the sqlite store, resolved.
    public var file = "sessions.db"
    /// The servers of the redis store; nil: one on this machine.
    public var redis: RedisSettings?
    /// What happens to known sessions while the store is away.
    public var onStoreFailure = StoreFailureSettings.deny
    /// How long a session lasts without a request.
    public var idle = Duration.minutes(30)
    /// How long it lasts at most.
    public var lifetime = Duration.hours(8)
    /// How long it lasts when the user asks to be remembered; zero: that is not offered.
    public var rememberMe = Duration.zero
    /// Most sessions of one account; the oldest one ends for the next.
    public var maximumPerAccount = 100
    /// Most sessions in all; logins beyond get 503.
    public var maximum = 1_000_000
    /// How often the time of the last request is written down, for each session.
    public var touch = Duration.seconds(60)
    /// The cookie.
    public var cookie = CookieSettings()
    /// Sites with a cookie each; empty: every host is one of its own.
    public var sites: [SiteSettings] = []
    /// The host with the login page of all sites; nil: every site has its own.
    public var loginHost: String?
    /// Key ring for what the gateway signs for itself: the first signs, all verify; empty: one kept in the store.
    public var secrets: [Secret] = []
    /// Other origins whose pages may use the session.
    public var origins: [WebOrigin] = []
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}

    /// The site of `host` (lower case, no port); nil when none lists it.
    public func site(of host: String) -> SiteSettings? { sites.first { $0.contains(host) } }

    /// The cookie of `host` (lower case, no port).
    public func cookie(of host: String) -> CookieSettings { site(of: host)?.cookie ?? cookie }

    /// All cookies that are set somewhere: none of them is forwarded.
    public var cookies: [CookieSettings] { [cookie] + sites.compactMap(\.cookie) }
}

extension SessionSettings {
    /// Whether a store that was opened with `other` is the one that these settings ask for.
    public func isSameStore(as other: SessionSettings) -> Bool {
        let servers = redis ?? RedisSettings()
        let others = other.redis ?? RedisSettings()
        return store == other.store && file == other.file && maximum == other.maximum
            && servers.servers == others.servers && servers.database == others.database
            && servers.keyPrefix == others.keyPrefix && servers.username == others.username
            && servers.sentinelMaster == others.sentinelMaster && servers.isCluster == others.isCluster
            && servers.password == others.password && servers.sentinelUsername == others.sentinelUsername
            && servers.sentinelPassword == others.sentinelPassword && Self.isSame(servers.tls, others.tls)
            && servers.connectTimeout == others.connectTimeout && servers.timeout == others.timeout
            && servers.pipeline == others.pipeline
    }

    private static func isSame(_ one: UpstreamTLSSettings?, _ other: UpstreamTLSSettings?) -> Bool {
        guard let one, let other else { return (one == nil) == (other == nil) }
        return one.ca == other.ca && one.verifies == other.verifies && one.serverName == other.serverName
            && one.certificate == other.certificate && one.key == other.key
            && one.minimumVersion == other.minimumVersion
    }
}
