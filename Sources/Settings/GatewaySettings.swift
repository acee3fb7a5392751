// COLD. The whole configuration file as values, with the defaults as initial values.

/// How many worker threads to run.
public enum WorkerCount: Sendable, Hashable {
    /// As many as cores are available to the process, its cgroup's quota included.
    case automatic
    /// That many, 1…256.
    case fixed(Int)
}

/// Everything that one configuration file says.
public struct GatewaySettings: SettingsSection {
    /// Worker threads.
    public var workers = WorkerCount.automatic
    /// Threads for what blocks: files, name look-ups.
    ///
    /// 1…64.
    public var offloadThreads = 4
    /// How long a stop waits for exchanges that have begun.
    public var drain = Duration.seconds(30)
    /// Where clients connect.
    public var listeners = [ListenerSettings()]
    /// Peers whose `X-Forwarded-*`, `Forwarded` and `X-Request-Id` are believed; empty means nobody's.
    public var trustedProxies: [CIDR] = []
    /// What all TLS listeners share.
    public var tls = TLSSettings()
    /// Sizes and counts.
    public var limits = LimitSettings()
    /// Deadlines.
    public var timeouts = TimeoutSettings()
    /// Choices of protocol and headers.
    public var http = HTTPSettings()
    /// The cache of verified tokens.
    public var tokenCache = TokenCacheSettings()
    /// Who may sign tokens.
    public var issuers: [IssuerSettings] = []
    /// Credentials that are not good any more.
    public var revocations: [RevocationSettings] = []
    /// Where revocations made over the ops listener are kept; nil: they are lost at a restart.
    public var revocationFile: String?
    /// Accounts of people who log in; nil: nobody does.
    public var accounts: AccountSettings?
    /// Where sessions are kept, how long they last, and their cookie.
    public var sessions = SessionSettings()
    /// The pages that people log in with.
    public var portal = PortalSettings()
    /// The audit log; nil: none.
    public var auditLog: AuditLogSettings?
    /// What services are told about the caller.
    public var identity = IdentitySettings()
    /// The signed assertion for services; nil when none is configured.
    public var assertion: AssertionSettings?
    /// Sets of servers.
    public var upstreams: [UpstreamSettings] = []
    /// Groups as written.
    ///
    /// Their rules are already folded into `routes`; only for `check` and `explain`.
    public var groups: [GroupSettings] = []
    /// After loading: every route, groups folded in, in the order of the file.
    public var routes: [RouteSettings] = []
    /// The access log.
    public var accessLog = AccessLogSettings()
    /// The process log.
    public var log = LogSettings()
    /// The operators' listener.
    public var ops = OpsSettings()
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults: no issuer, no upstream, no route.
    public init() {}
}
