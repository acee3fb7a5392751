// COLD. Who may pass: what a route or a group asks of the caller.

/// Whether a caller must show who they are.
public enum AuthRequirement: String, Sendable, CaseIterable, Comparable {
    /// Credentials are not looked at.
    case `public`
    /// Callers may come without credentials; wrong ones are refused.
    case optional
    /// A valid credential is needed.
    case required

    private var strictness: Int {
        switch self {
        case .public: 0
        case .optional: 1
        case .required: 2
        }
    }
    /// By strictness.
    public static func < (left: AuthRequirement, right: AuthRequirement) -> Bool { left.strictness < right.strictness }
}

/// Names of which all, and at least one, must be there; an empty list asks nothing.
public struct NameRequirement: SettingsSection {
    /// Each of these.
    public var all: [String] = []
    /// At least one of these.
    public var any: [String] = []
    /// Where the keys were written.
    public var marks = Marks()

    /// Asks nothing.
    public init() {}
    /// Asks `all` of these and one of `any`.
    public init(all: [String] = [], any: [String] = []) {
        self.all = all
        self.any = any
    }
    /// Whether nothing is asked.
    public var isEmpty: Bool { all.isEmpty && any.isEmpty }
}

/// One condition on a claim.
public struct ClaimCondition: SettingsSection {
    /// What must be true of the claim.
    public enum Test: Sendable, Hashable {
        /// It is this value.
        case equals(ClaimValue)
        /// It is one of these values.
        case oneOf([ClaimValue])
        /// It is a list that holds this value, or a string of words between spaces that does.
        case contains(ClaimValue)
        /// It is there and not null (true), or is not (false).
        case present(Bool)
    }

    /// The claim.
    public var claim: ClaimPath = "sub"
    /// What must be true of it.
    public var test = Test.present(true)
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
    /// A condition.
    public init(claim: ClaimPath, test: Test) {
        self.claim = claim
        self.test = test
    }
}

/// What a route or a group asks of a login session beyond being live.
public struct SessionDemand: SettingsSection, Equatable {
    /// Longest time since the last login; nil: any.
    public var maxAge: Duration?
    /// Longest time without a request; nil: that of the session.
    public var maxIdle: Duration?
    /// 1, or 2 for a login with a second factor.
    public var strength = 1
    /// Where the keys were written.
    public var marks = Marks()

    /// Asks nothing.
    public init() {}

    /// Equal demands, wherever they were written.
    public static func == (a: SessionDemand, b: SessionDemand) -> Bool {
        a.maxAge == b.maxAge && a.maxIdle == b.maxIdle && a.strength == b.strength
    }

    /// One demand.
    public static let keys: [Key<SessionDemand>] = [
        Key(
            "max_age",
            \.maxAge,
            in: .seconds(1) ... .hours(24 * 30),
            example: "15m",
            doc: "Longest time since the user logged in; older sessions are asked to log in again, and streams end."
        ),
        Key(
            "max_idle",
            \.maxIdle,
            in: .seconds(1) ... .hours(24 * 30),
            example: "5m",
            doc: """
                Longest time since the session's last request, or since its client sent something through a tunnel; \
                idler ones are asked to log in again, and streams end. With several gateways, well above touch.
                """
        ),
        Key("strength", \.strength, in: 1...2, doc: "2: only logins with a second factor."),
    ]
}

/// What a route or a group asks of the caller.
///
/// Everything it asks must be true.
public struct RuleSettings: Sendable, Equatable {
    /// Who wrote it, for `explain`: `route api`, `group internal`.
    public var origin = ""
    /// As written; nil when nothing is said (see `RouteSettings.auth` for what is effective).
    public var auth: AuthRequirement?
    /// Names of the issuers whose tokens are accepted; empty: all.
    public var issuers: [String] = []
    /// One of these must be in `aud`, besides what the issuer asks; empty: nothing more.
    public var audiences: [String] = []
    /// Scopes.
    public var scopes = NameRequirement()
    /// Roles.
    public var roles = NameRequirement()
    /// Conditions on claims, all of them.
    public var claims: [ClaimCondition] = []
    /// What login sessions must be like.
    public var session = SessionDemand()
    /// Whether a refusal by this rule is only logged and counted.
    ///
    /// A missing or wrong credential is still refused.
    public var reportOnly = false
    /// Where the keys were written: those of the route or group.
    public var marks = Marks()

    /// Asks nothing.
    public init() {}

    /// Whether it asks anything of a caller besides a credential.
    public var isEmpty: Bool {
        issuers.isEmpty && audiences.isEmpty && scopes.isEmpty && roles.isEmpty && claims.isEmpty
            && session == SessionDemand()
    }
}
