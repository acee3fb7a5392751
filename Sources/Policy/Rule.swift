// HOT. Who may use a route: the settings of its groups and its own, compiled; all of them must hold.
import Bytes
public import Identity
import JOSE
public import Settings

/// The rule of a route.
///
/// Immutable; shared by all workers. Nothing of a decision is kept: each request is decided anew.
public final class Rule: Sendable {
    /// Whether a credential is looked at, and asked for.
    public let auth: AuthRequirement
    /// All scopes that the route asks for, separated by blanks: for the challenge (RFC 6750 §3).
    public let requiredScopes: [UInt8]
    /// What is asked of a login session: seconds since its last login and last request at most (0: any), and strength.
    private let maximumAge: Int64
    /// Zero: any.
    public let maximumIdle: Int64
    private let strength: Int
    private let conditions: [Conditions]
    /// Whether nobody passes without a credential although `auth` is optional, or would not if a rule did not only report.
    private let asksSomething: Bool
    private let wouldAskSomething: Bool

    /// Compiles the rules of `route`.
    ///
    /// - Parameters:
    ///   - route: as loaded, with the rules of its groups before its own.
    ///   - issuers: names of the issuers, by the index that is ``Principal/issuer``. A name may be there more than
    ///     once: all its places count.
    public init(_ route: RouteSettings, issuers: [String]) {
        auth = route.auth
        let rules = route.rules.filter { !$0.isEmpty }
        conditions = rules.map { Conditions($0, issuers: issuers) }
        let demands = route.rules.filter { !$0.reportOnly }.map(\.session)
        maximumAge = demands.compactMap { $0.maxAge.map { Int64($0.wholeSeconds) } }.min() ?? 0
        maximumIdle = demands.compactMap { $0.maxIdle.map { Int64($0.wholeSeconds) } }.min() ?? 0
        strength = demands.map(\.strength).max() ?? 1
        asksSomething = rules.contains { !$0.reportOnly }
        wouldAskSomething = !rules.isEmpty
        var scopes: [String] = []
        for rule in rules where !rule.reportOnly {
            for scope in rule.scopes.all + rule.scopes.any where !scopes.contains(scope) { scopes.append(scope) }
        }
        requiredScopes = Array(scopes.joined(separator: " ").utf8)
    }

    /// Decides about a request whose session cookie proves nothing, for this reason.
    public func evaluateNobody(_ reason: Reason) -> Verdict {
        switch evaluate(nil) {
        case .admit(let permit): return .admit(permit)
        case .challenge: return .challenge(reason)
        case .deny(let reason): return .deny(reason)
        }
    }

    /// What a browser asks before it lets a page make a request (Fetch §3.2.2): it comes without credentials by design.
    public func admitPreflight() -> Verdict { .admit(Permit(nil)) }

    /// Whether a live session is recent and strong enough at `now` (Unix seconds); `.none` if it is.
    ///
    /// Strength first: a login with a second factor is a recent one as well.
    @inline(__always)
    public func refusal(of session: LiveSession, at now: Int64) -> Reason {
        if session.strength < strength { return .loginTooWeak }
        if maximumAge > 0, now &- session.authenticated >= maximumAge { return .loginTooOld }
        if maximumIdle > 0, session.longestGap(at: now) >= maximumIdle { return .loginTooOld }
        return .none
    }

    /// The second from which a session is not recent enough any more, unless it is used before: what it opened ends
    /// then.
    public func end(of session: LiveSession) -> Int64 {
        let old = maximumAge > 0 ? session.authenticated &+ maximumAge : .max
        return maximumIdle > 0 ? min(old, session.lastSeen &+ maximumIdle) : old
    }

    /// Decides about a request of `principal`, or of nobody.
    ///
    /// Cost: one pass over the conditions, no allocation.
    public func evaluate(_ principal: Principal?) -> Verdict {
        guard auth != .public else { return .admit(Permit(nil)) }
        guard let principal else {
            if auth == .required || asksSomething { return .challenge(.noCredential) }
            return .admit(Permit(nil, wouldHaveRefused: wouldAskSomething ? .noCredential : .none))
        }
        var reported = Reason.none
        for condition in conditions {
            let reason = condition.refusal(of: principal)
            if reason == .none { continue }
            if condition.isReportOnly {
                if reported == .none { reported = reason }
                continue
            }
            switch reason {
            case .issuerNotAccepted, .routeAudienceMismatch: return .challenge(reason)
            default: return .deny(reason)
            }
        }
        return .admit(Permit(principal, wouldHaveRefused: reported))
    }
}
