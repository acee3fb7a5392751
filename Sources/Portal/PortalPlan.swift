// COLD. What the portal needs to know of the configuration, with every default filled in.
internal import Sessions
public import Settings

/// How the cookie of a session is set.
public struct CookiePlan: Sendable, Equatable {
    /// `SameSite`.
    public enum SameSite: String, Sendable, CaseIterable {
        case lax = "Lax"
        case strict = "Strict"
        case none = "None"
    }
    /// Its name.
    public var name = CookieSettings.defaultName
    /// `SameSite` of the session's cookie; the portal's own are always `Lax`.
    public var sameSite = SameSite.lax
    /// `Path`.
    public var path = "/"
    /// `Domain`; nil: the one host.
    public var domain: String?
    /// For development on plain http: no `Secure`.
    public var isInsecure = false

    /// The default.
    public init() {}

    /// As configured.
    public init(_ settings: CookieSettings) {
        name = settings.name
        switch settings.sameSite {
        case .lax: sameSite = .lax
        case .strict: sameSite = .strict
        case .none: sameSite = .none
        }
        path = settings.path
        domain = settings.domain
        isInsecure = settings.isInsecure
    }

    /// A value of `Set-Cookie` with base64url characters and dots in it; an empty one clears the cookie.
    ///
    /// `seconds`: how long it stays; nil: until the browser is closed.
    public func line(_ value: String, seconds: Int64? = nil) -> String {
        var text = "\(name)=\(value); Path=\(path)"
        if let domain { text += "; Domain=\(domain)" }
        text += "; HttpOnly; SameSite=\(sameSite.rawValue)"
        if !isInsecure { text += "; Secure" }
        if value.isEmpty { return text + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" }
        if let seconds { text += "; Max-Age=\(seconds)" }
        return text
    }
}

/// Hosts that share one login with others.
public struct SitePlan: Sendable, Equatable {
    /// Its hosts, without ports.
    public var hosts: [HostPattern]
    /// Its cookie; nil: as everywhere.
    public var cookie: CookiePlan?

    /// A site.
    public init(hosts: [HostPattern], cookie: CookiePlan? = nil) {
        self.hosts = hosts
        self.cookie = cookie
    }
}

/// The portal's part of a configuration.
public struct PortalPlan: Sendable {
    /// Where its paths begin: `/auth`.
    public var prefix = "/auth"
    /// Where a login without a return target leads: a local path.
    public var afterLogin = "/"
    /// Where a logout leads; nil: to a page that says so.
    public var afterLogout: String?
    /// The session's cookie.
    public var cookie = CookiePlan()
    /// Sites with their cookies.
    public var sites: [SitePlan] = []
    /// The host that people of all sites log in at, lower case, no port; nil: each host has its own login.
    public var loginHost: String?
    /// Origins whose requests with cookies are accepted (CSRF) and answered with CORS fields.
    public var origins: [String] = []
    /// Seconds without a request after which a session ends.
    public var idle: Int64 = 30 * 60
    /// Seconds after which it ends in any case.
    public var lifetime: Int64 = 8 * 3600
    /// Seconds that "stay logged in" lasts; 0: it is not offered.
    public var rememberMe: Int64 = 0
    /// Most logins of an account at a time; 0: no limit.
    public var maximumPerAccount = 0
    /// Key ring: the first signs, all verify; empty: a secret that the store keeps.
    public var secrets: [[UInt8]] = []
    /// Name of the directory of accounts.
    public var issuer = "local"
    /// Whether a second factor is asked for.
    public var secondFactor = AccountSettings.SecondFactor.optional
    /// The cost that password hashes should have.
    public var argon2 = Argon2Settings()
    /// Whether a login that cannot be audited is refused.
    public var auditDenies = false
    /// Most bytes of a return target as the value of a field: a request line must hold it, and a form.
    public var codedTarget = PortalLimits.body * 3 / 4 - PortalLimits.beside

    /// All defaults.
    public init() {}

    /// The path of one of the portal's pages: `login` → `/auth/login`.
    public func path(_ rest: String) -> String { "\(prefix)/\(rest)" }

    /// Whether the path is the portal's.
    public func owns(_ path: String) -> Bool { path == prefix || path.hasPrefix(prefix + "/") }

    /// The session's cookie at `host` (an authority, perhaps with a port).
    public func cookie(at host: String) -> CookiePlan {
        let name = HostPattern.exact(Origin.name(host))
        return sites.first { $0.hosts.contains { $0.covers(name) } }?.cookie ?? cookie
    }

    /// Whether whoever began a session wanted to stay logged in: its cookie outlives the browser.
    func isRemembered(_ session: SessionRecord) -> Bool { rememberMe > 0 && session.idle > idle }

    /// Whether a session of one host is one of another (an authority): the same host, or one cookie reaches both.
    public func shares(_ site: String, _ host: String) -> Bool {
        let site = Array(site.utf8)
        let name = Array(Origin.name(host).utf8)
        return site == name
            || site.withUnsafeBufferPointer { site in
                name.withUnsafeBufferPointer { SharedHosts(self).areOne(site, $0) }
            }
    }

    /// Name of the session's cookie at `host` (an authority, perhaps with a port).
    public func sessionCookie(at host: String, scheme: String = "https") -> String { cookie(at: host).name }

    /// Names of all session cookies that are set somewhere; none of them is for services.
    public var sessionCookies: [String] {
        ([cookie] + sites.compactMap(\.cookie)).map(\.name).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// Names of the portal's own cookies on secure hosts and on others; none of them is for services.
    public var ownCookies: [String] {
        ["gw_flow", "gw_code", "gw_device"].flatMap { ["__Host-\($0)", $0] }
    }

    /// A cookie of the portal itself, at `host`: always of this host alone, and `Lax`, for hand-offs come from other
    /// sites.
    func ownCookie(_ own: OwnCookie, at host: String) -> CookiePlan {
        var plan = CookiePlan()
        plan.isInsecure = cookie(at: host).isInsecure
        plan.name = plan.isInsecure ? own.rawValue : "__Host-" + own.rawValue
        return plan
    }

    /// Whether people at `host` log in at another one.
    public func isSibling(_ host: String) -> Bool {
        guard let loginHost else { return false }
        let name = Origin.name(host)
        return name != loginHost && siblings.contains(name)
    }

    /// Hosts that a login can be handed to: those that are written out.
    ///
    /// Of the names that a wildcard covers, somebody else may hold one.
    var siblings: [String] {
        guard loginHost != nil else { return [] }
        return sites.flatMap(\.hosts).compactMap { if case .exact(let host) = $0 { host } else { nil } }
    }

    /// Whether a request asks for one of the pages that are nothing but a form.
    func isForm(_ request: PortalRequest) -> Bool {
        (request.method == "GET" || request.method == "HEAD")
            && ["login", "login/code", "logout"].contains { request.path == path($0) }
    }

    /// Where a navigation without a session is sent: a path of the same host.
    ///
    /// `target` is the path and query that were asked for, checked here; `host` the request's authority. `stepUp` is 0
    /// without a session, 1 when a recent login is wanted, 2 when a second factor is.
    public func loginLocation(target: String, host: String, scheme: String = "https", stepUp: Int = 0) -> String {
        var location = path(isSibling(host) ? "start" : "login")
        // Browsers send `\` in a query as it is; coded, it means the same to services and nothing to other parsers.
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query =
            parts.count > 1
            ? "?" + parts[1].split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "%5C") : ""
        if let checked = ReturnTarget.local(parts[0] + query, plan: self) {
            location += "?return_to=" + PercentCoding.encode(checked)
        }
        if stepUp > 0 { location += (location.contains("?") ? "&" : "?") + "step_up=\(min(stepUp, 2))" }
        return location
    }
}

/// The cookies of the portal itself.
enum OwnCookie: String, CaseIterable, Sendable {
    /// Binds forms and hand-offs to a browser.
    case flow = "gw_flow"
    /// Between password and second factor.
    case code = "gw_code"
    /// Accounts that logged in on this device before.
    case device = "gw_device"
}

/// Origins in text, as browsers write them (RFC 6454 §6.1).
enum Origin {
    /// `https://app.example.com`: lower case, without the scheme's own port.
    static func make(scheme: String, host: String) -> String { "\(scheme)://\(authority(host, scheme: scheme))" }

    /// The host in lower case without the scheme's own port and without a final dot.
    static func authority(_ host: String, scheme: String) -> String {
        var text = host.lowercased()
        let own = scheme == "https" ? ":443" : ":80"
        if text.hasSuffix(own), text.dropLast(own.count).last != ":" { text.removeLast(own.count) }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }

    /// The origin of another host at the same scheme and port as `authority`.
    static func sibling(_ host: String, of authority: String, scheme: String) -> String {
        let text = Origin.authority(authority, scheme: scheme)
        return "\(scheme)://\(host)\(text.dropFirst(name(text).count))"
    }

    /// The origin of a URL; nil when it is a path.
    static func of(_ url: String) -> String? {
        guard let mark = url.firstRange(of: "://") else { return nil }
        return String(url[..<mark.upperBound]) + url[mark.upperBound...].prefix { !"/?#".contains($0) }
    }

    /// The authority of an origin.
    static func authority(of origin: String) -> String {
        guard let mark = origin.firstRange(of: "://") else { return origin }
        return String(origin[mark.upperBound...])
    }

    /// The host alone: what cookies are bound to.
    static func name(_ host: String) -> String {
        let text = host.lowercased()
        if text.hasPrefix("[") { return String(text.prefix { $0 != "]" }) + "]" }
        let name = text.prefix { $0 != ":" }
        return name.hasSuffix(".") ? String(name.dropLast()) : String(name)
    }
}

extension PortalPlan {
    /// As configured; `auditDenies`: whether a login that cannot be audited is refused; `requestLine`: the longest that
    /// listeners take.
    public init(
        portal: PortalSettings,
        sessions: SessionSettings,
        accounts: AccountSettings,
        auditDenies: Bool = false,
        requestLine: Int = 8192
    ) {
        prefix = portal.prefix
        afterLogin = portal.afterLogin
        afterLogout = portal.afterLogout
        cookie = CookiePlan(sessions.cookie)
        sites = sessions.sites.map { SitePlan(hosts: $0.hosts, cookie: $0.cookie.map { CookiePlan($0) }) }
        loginHost = sessions.loginHost?.lowercased()
        origins = sessions.origins.map(\.text)
        idle = Int64(sessions.idle.wholeSeconds)
        lifetime = Int64(sessions.lifetime.wholeSeconds)
        rememberMe = Int64(sessions.rememberMe.wholeSeconds)
        maximumPerAccount = sessions.maximumPerAccount
        secrets = sessions.secrets.map { $0.reveal() }
        issuer = accounts.issuer
        secondFactor = accounts.secondFactor
        argon2 = accounts.argon2
        self.auditDenies = auditDenies
        codedTarget = max(256, min(codedTarget, requestLine - PortalLimits.beside))
    }
}
