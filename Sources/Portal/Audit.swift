// COLD. What is told to the audit log: who did what, never a secret.
internal import Accounts
internal import Sessions

/// Something that an audit of logins needs to know.
public struct AuditEvent: Sendable, Equatable {
    /// What happened.
    public enum Kind: String, Sendable, CaseIterable {
        case login
        case failure
        case throttled
        case secondFactor = "second_factor"
        case logout
        case revoke
        case expiry
        case stepUp = "step_up"
        case accountChange = "account_change"
        case handoff
    }
    /// What happened.
    public var kind: Kind
    /// Unix seconds.
    public var time: Int64
    /// Canonical name of the account, or of what was typed in its place; empty: none.
    public var account = ""
    /// Public handle of the session; empty: none.
    public var session = ""
    /// The login that it belongs to; empty: none.
    public var family = ""
    /// How the login was done (`pwd+otp`); empty: it was not.
    public var method = ""
    /// Why: a code such as `wrong_password`, or the reason of an end.
    public var reason = ""
    /// Client address.
    public var address = ""
    /// Host of the request.
    public var site = ""
    /// Id of the request.
    public var requestID = ""
    /// Events of this kind that were left out since the last one; a refusal by the throttle is not told each time.
    public var leftOut = 0

    /// An event.
    public init(_ kind: Kind, time: Int64) {
        self.kind = kind
        self.time = time
    }
}

/// Where events go; durable before it returns.
public protocol AuditSink: Sendable {
    /// Adds an event; an error means that it may not have been kept.
    func record(_ event: AuditEvent) async throws
}

/// Keeps nothing: for configurations without an audit log.
public struct NoAudit: AuditSink {
    /// A sink.
    public init() {}
    /// Forgets the event.
    public func record(_: AuditEvent) async {}
}

extension AuditEvent {
    /// An event of a request.
    init(_ kind: Kind, _ visit: Visit, account: String = "", reason: String = "") {
        self.init(kind, time: visit.now)
        self.account = account
        self.reason = reason
        address = visit.request.clientAddress
        site = visit.site
        requestID = visit.request.requestID
    }

    /// Fills in a session.
    mutating func describe(_ record: SessionRecord) {
        account = record.account
        session = record.key.text
        family = record.family
        method = record.method
    }
}

extension Portal {
    /// Whether logins that cannot be audited are refused.
    public var deniesUnaudited: Bool { plan.auditDenies }

    /// Audits something that must not happen unseen: a login.
    func mustAudit(_ event: AuditEvent) async throws(PortalProblem) {
        do {
            try await audit.record(event)
        } catch {
            if plan.auditDenies { throw .unavailable }
        }
    }

    /// Audits something that happens in any case: a refusal, a logout.
    func note(_ event: AuditEvent) async { try? await audit.record(event) }

    private static let auditSalt = SecureRandom.text(16)

    /// What stands for a name in the audit log: of an account its name; of anything else, which may be a password that was
    /// typed in the wrong place, a word that is the same for the same text until this process ends.
    func auditName(_ name: String, isKnown: Bool) -> String {
        guard !isKnown else { return name }
        return "unknown:" + SessionKey(hashing: Array((Self.auditSalt + name).utf8)).text.prefix(12)
    }

    /// Audits a refusal by the throttle: the first of a minute, with the number of those left out before it.
    ///
    /// A line is synced to disk, and a refusal costs whoever asks nothing.
    func noteThrottled(
        _ attempt: LoginAttempt,
        _ account: String,
        _ reason: ThrottleDecision.Reason,
        _ visit: Visit
    ) async {
        guard let leftOut = throttle.noteRefusal(attempt, reason, now: visit.now) else { return }
        var event = AuditEvent(.throttled, visit, account: account, reason: reason.rawValue)
        event.leftOut = leftOut
        await note(event)
    }

    /// Audits ended sessions.
    func note(_ ended: [Ended], as kind: AuditEvent.Kind, _ visit: Visit) async {
        for session in ended {
            var event = AuditEvent(kind, visit, reason: session.reason.rawValue)
            if let record = session.record { event.describe(record) } else { event.session = session.key.text }
            await note(event)
        }
    }
}
