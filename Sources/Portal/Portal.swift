// COLD. Login, logout and the list of one's sessions: requests below the portal's prefix become answers. No sockets.
import Bytes
public import Accounts
public import Sessions

/// What happened to sessions when accounts changed.
public struct AccountChanges: Sendable {
    /// Sessions that ended.
    public var ended: [Ended] = []
    /// Sessions whose claims are new: caches must forget them.
    public var refreshed: [SessionKey] = []
    /// Whether all was done; if not, the store was away: drop all caches and call again.
    ///
    /// Sessions are judged when they are loaded in any case (``Portal/review(_:)``).
    public var isComplete = true

    /// Nothing.
    public init() {}
}

/// The flows behind `/auth/…`; safe to call from any number of tasks.
public final class Portal: Sendable {
    let plan: PortalPlan
    let store: any SessionStore
    let pages: any PageRendering
    let audit: any AuditSink
    let hashing: HashingPool
    let throttle: LoginThrottle
    let users: any UsersEditing
    let isRevoked: @Sendable (SessionRecord) -> Bool
    let resends = Resends()
    private let directory: Locked<UserDirectory>
    private let ring: Locked<KeyRing?>

    /// A portal.
    ///
    /// - Parameters:
    ///   - plan: the configuration; a reload makes a new portal with the same store, pool and throttle.
    ///   - store: where sessions are.
    ///   - directory: the accounts; later ones by ``accountsChanged(_:)``.
    ///   - users: writes to the file of accounts; nil: nothing is written, and recovery codes are refused.
    ///   - hashing: threads that compare passwords.
    ///   - throttle: counts failures.
    ///   - pages: makes HTML.
    ///   - audit: keeps what happened.
    ///   - isRevoked: whether an operator revoked what a session proves; it may hold for a while only.
    public init(
        plan: PortalPlan,
        store: any SessionStore,
        directory: UserDirectory,
        users: (any UsersEditing)?,
        hashing: HashingPool,
        throttle: LoginThrottle,
        pages: any PageRendering,
        audit: any AuditSink = NoAudit(),
        isRevoked: @escaping @Sendable (SessionRecord) -> Bool = { _ in false }
    ) {
        self.plan = plan
        self.store = store
        self.directory = Locked(directory)
        self.users = users ?? ReadOnlyUsers()
        self.hashing = hashing
        self.throttle = throttle
        self.pages = pages
        self.audit = audit
        self.isRevoked = isRevoked
        ring = Locked(plan.secrets.isEmpty ? nil : KeyRing(plan.secrets))
    }

    /// The accounts as they are now.
    public var accounts: UserDirectory { directory.withLock { $0 } }

    /// Name of the session's cookie at `host`, an authority.
    public func sessionCookie(at host: String, scheme: String) -> String {
        plan.sessionCookie(at: host, scheme: scheme)
    }

    /// Whether a session that the store knows is one at `host`, an authority: the gate's decision, for the portal.
    public func counts(_ record: SessionRecord, at host: String) -> Bool {
        record.issuer == plan.issuer && plan.shares(record.site, host) && !isRevoked(record)
    }

    func exchangeAccounts(_ new: UserDirectory) -> UserDirectory {
        directory.withLock { current in
            let old = current
            current = new
            return old
        }
    }

    /// Answers a request; never fails: what goes wrong is an answer too.
    public func answer(_ request: PortalRequest) async -> PortalAnswer {
        let visit = Visit(request, plan: plan)
        var answer: PortalAnswer
        do throws(PortalProblem) {
            answer = carrying(visit.query["lang"], try await dispatch(visit))
        } catch {
            answer = (error == .unavailable ? unavailable(request) : nil) ?? refuse(error, visit)
        }
        // A cookie that counts for nothing does not come again.
        if request.hadCookie, !request.keepsCookie, answer.note == PortalProblem.noSession.rawValue {
            answer.setSession("", visit, plan)
        }
        return answer
    }

    /// A redirect to one of the portal's own pages keeps the language that was chosen; others are not ours to change.
    private func carrying(_ language: String?, _ answer: PortalAnswer) -> PortalAnswer {
        guard answer.status == 303, let language, PageLanguage.isTag(language),
            let index = answer.fields.firstIndex(where: { $0.name == "Location" })
        else { return answer }
        let location = answer.fields[index].value
        guard plan.owns(String(location.prefix { $0 != "?" })) else { return answer }
        var answer = answer
        answer.fields[index].value = PageText.link(location, language: language)
        return answer
    }

    /// The answer to a logout while the store is away; nil: it is something else that was asked for.
    public func unavailable(_ request: PortalRequest) -> PortalAnswer? {
        guard request.method == "POST", request.path == plan.path("logout") else { return nil }
        return refuse(.logoutUnavailable, Visit(request, plan: plan))
    }

    /// The key ring: configured, or a secret that the store keeps for all gateways.
    func keys() async throws(PortalProblem) -> KeyRing {
        if let known = ring.withLock({ $0 }) { return known }
        let secret: [UInt8]
        do throws(StoreError) {
            secret = try await store.secret("portal") { SecureRandom.bytes(32) }
        } catch {
            throw .unavailable
        }
        guard secret.count >= 16 else { throw .unavailable }
        let made = KeyRing([secret])
        ring.withLock { $0 = made }
        return made
    }

    private func dispatch(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let path = visit.request.path
        let root = plan.prefix + "/"
        guard path.hasPrefix(root), path != root else {
            guard path == plan.prefix || path == root else { throw .notFound }
            return visit.method == "GET"
                ? redirect(to: plan.path("sessions"), note: "portal") : wrongMethod("GET, HEAD", visit)
        }
        let rest = path.dropFirst(plan.prefix.count + 1)
        if rest.hasPrefix("assets/") { return try asset(String(rest.dropFirst(7)), visit) }
        if rest.hasPrefix("sessions/") { return try await sessionItem(String(rest.dropFirst(9)), visit) }
        guard let methods = Portal.methods[String(rest)] else { throw .notFound }
        if visit.request.method == "OPTIONS" { return preflight(methods, visit) }
        guard methods.contains(visit.method) else { return wrongMethod(Portal.allow(methods), visit) }
        switch (String(rest), visit.method) {
        case ("login", "GET"): return try await showLogin(visit)
        case ("login", _): return try await login(visit)
        case ("login/code", "GET"): return try await showCode(visit)
        case ("login/code", _): return try await code(visit)
        case ("logout", "GET"): return try await showLogout(visit)
        case ("logout", _): return try await logout(visit)
        case ("session", _): return try await sessionFacts(visit)
        case ("session/events", _): return try await sessionEvents(visit)
        case ("sessions", "GET"): return try await listSessions(visit)
        case ("sessions", _): return try await revokeByForm(visit)
        case ("start", _): return try await startHandoff(visit)
        default: return try await takeHandoff(visit)
        }
    }

    private static let methods: [String: [String]] = [
        "login": ["GET", "POST"], "login/code": ["GET", "POST"], "logout": ["GET", "POST"], "session": ["GET"],
        "session/events": ["GET"], "sessions": ["GET", "POST"], "start": ["GET"], "handoff": ["GET"],
    ]

    static func allow(_ methods: [String]) -> String {
        methods.map { $0 == "GET" ? "GET, HEAD" : $0 }.joined(separator: ", ")
    }

    func wrongMethod(_ allowed: String, _ visit: Visit) -> PortalAnswer {
        var answer = refuse(.methodNotAllowed, visit)
        answer.add("Allow", allowed)
        return answer
    }

    private func asset(_ name: String, _ visit: Visit) throws(PortalProblem) -> PortalAnswer {
        guard visit.method == "GET" else { return wrongMethod("GET, HEAD", visit) }
        guard let asset = pages.asset(name) else { throw .notFound }
        var answer = PortalAnswer(status: 200, note: "asset", body: asset.body)
        answer.add("Content-Type", asset.type)
        // The name holds a hash of the contents.
        answer.add("Cache-Control", "public, max-age=31536000, immutable")
        answer.add("X-Content-Type-Options", "nosniff")
        answer.add("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
        answer.add("Cross-Origin-Resource-Policy", "same-origin")
        return answer
    }
}
