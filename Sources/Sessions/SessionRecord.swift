// COLD. What is known of a session: values only.

/// A login session as the store keeps it.
public struct SessionRecord: Sendable, Equatable, Codable {
    /// SHA-256 of its id.
    public var key: SessionKey
    /// One login over several sites: the same in all of its sessions, 22 random base64url characters.
    public var family: String
    /// Canonical name of the account (`sub`).
    public var account: String
    /// Who vouched: the name of the directory, `local` unless configured.
    public var issuer: String
    /// How: `pwd`, `pwd+otp`, `pwd+recovery`, `handoff:<method>`.
    public var method: String
    /// 1 password, 2 with a second factor.
    public var strength: Int
    /// A JSON object with what the account said of itself at login or at the last refresh.
    public var claims: [UInt8]
    /// Fingerprint of the account when the claims were taken.
    public var accountVersion: UInt64
    /// When the session began, Unix seconds.
    public var created: Int64
    /// When the user last proved who they are, Unix seconds.
    public var authenticated: Int64
    /// When the last request was seen, Unix seconds; may lag behind by the touch interval.
    public var lastSeen: Int64
    /// Seconds without a request after which it ends.
    public var idle: Int64
    /// When it ends whatever happens, Unix seconds.
    public var expires: Int64
    /// Client address at login.
    public var address: String
    /// Readable name of the device (``DeviceName``).
    public var device: String
    /// Host that the cookie belongs to.
    public var site: String
    /// Secret of its forms, 43 base64url characters.
    public var csrf: String

    /// A record.
    public init(
        key: SessionKey,
        family: String,
        account: String,
        issuer: String = "local",
        method: String,
        strength: Int,
        claims: [UInt8],
        accountVersion: UInt64,
        created: Int64,
        authenticated: Int64,
        lastSeen: Int64,
        idle: Int64,
        expires: Int64,
        address: String,
        device: String,
        site: String,
        csrf: String
    ) {
        self.key = key
        self.family = family
        self.account = account
        self.issuer = issuer
        self.method = method
        self.strength = strength
        self.claims = claims
        self.accountVersion = accountVersion
        self.created = created
        self.authenticated = authenticated
        self.lastSeen = lastSeen
        self.idle = idle
        self.expires = expires
        self.address = address
        self.device = device
        self.site = site
        self.csrf = csrf
    }

    /// When it ends without another request, Unix seconds.
    public var idleDeadline: Int64 { lastSeen.addingSaturating(idle) }

    /// Whether it is good at `now`: both ends lie in the future.
    public func isLive(at now: Int64) -> Bool { now < idleDeadline && now < expires }

    /// Seconds by which a store may lag behind the last request: half the idle time, at most five minutes.
    public var touchSlack: Int64 { min(max(idle, 0) / 2, 300) }

    /// From when a sweep removes it: its end, or ``touchSlack`` after its idle end, so that a touch still on its way
    /// finds it.
    public var removal: Int64 { min(expires, idleDeadline.addingSaturating(touchSlack)) }

    /// Why it is over at `now`; its absolute end goes first.
    public func expiry(at now: Int64) -> EndReason { now >= expires ? .expiredAbsolute : .expiredIdle }

    /// Whether a request at `seen` moves ``lastSeen``: later than that, and not after the session was over.
    public func accepts(touch seen: Int64) -> Bool { seen > lastSeen && seen < removal }
}

extension Int64 {
    func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}

/// Why a session ended.
public enum EndReason: String, Sendable, Codable, CaseIterable {
    /// The user logged out.
    case logout
    /// The user logged out on all devices.
    case logoutEverywhere = "logout_everywhere"
    /// An operator, or the user on another device, ended it.
    case revoked
    /// Too long without a request.
    case expiredIdle = "expired_idle"
    /// Its time was over.
    case expiredAbsolute = "expired_absolute"
    /// A new login or a step-up took its place.
    case replaced
    /// The account was disabled or removed.
    case accountDisabled = "account_disabled"
    /// The account changed in a way that ends sessions.
    case accountChanged = "account_changed"
    /// The account had too many sessions.
    case limit
}

/// A session that ended.
public struct Ended: Sendable, Equatable {
    /// Which.
    public let key: SessionKey
    /// As it was last, when the store knew it.
    public let record: SessionRecord?
    /// Why.
    public let reason: EndReason

    /// A session that ended.
    public init(key: SessionKey, record: SessionRecord?, reason: EndReason) {
        self.key = key
        self.record = record
        self.reason = reason
    }
}
