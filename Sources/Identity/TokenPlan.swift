// COLD. What tokens are believed: issuers with their keys and what their tokens must say.
public import JOSE

/// One issuer with one set of keys; shared by all workers.
public final class IssuerPlan: Sendable {
    /// Its name in the configuration.
    public let name: String
    /// The `iss` of its tokens, byte for byte.
    public let issuer: [UInt8]
    /// Its keys; nil while they are not available, which is answered with 503.
    public let keys: KeySet?
    /// The algorithms that it may use.
    public let algorithms: AlgorithmSet
    /// One of these must be in `aud`.
    public let audiences: [[UInt8]]
    /// Whether `aud` is not looked at.
    public let allowsAnyAudience: Bool
    /// Accepted values of `typ`, without regard to case and with or without `application/`; empty for any.
    public let types: [[UInt8]]
    /// Seconds of clock difference that are tolerated, 0…300 (RFC 8725 §3.10).
    public let leeway: Int64
    /// Longest life of a token in seconds; 0 for any.
    public let maxLifetime: Int64
    /// Claims that must be there.
    public let required: [ClaimPath]
    /// Where the roles are.
    public let roles: ClaimPath
    /// Where the scopes are.
    public let scope: ClaimPath
    /// Whether tokens are accepted that are bound to a key in a way that cannot be checked here.
    public let ignoresOtherBindings: Bool

    /// An issuer with all that its tokens must satisfy.
    public init(
        name: String,
        issuer: [UInt8],
        keys: KeySet?,
        algorithms: AlgorithmSet,
        audiences: [[UInt8]],
        allowsAnyAudience: Bool,
        types: [[UInt8]],
        leeway: Int64,
        maxLifetime: Int64,
        required: [ClaimPath],
        roles: ClaimPath,
        scope: ClaimPath,
        ignoresOtherBindings: Bool = false
    ) {
        self.name = name
        self.issuer = issuer
        self.keys = keys
        self.algorithms = algorithms
        self.audiences = audiences
        self.allowsAnyAudience = allowsAnyAudience
        self.types = types
        self.leeway = leeway
        self.maxLifetime = maxLifetime
        self.required = required
        self.roles = roles
        self.scope = scope
        self.ignoresOtherBindings = ignoresOtherBindings
    }
}

/// All issuers, and how services are told.
public struct TokenPlan: Sendable {
    /// The issuers; the index is ``Principal/issuer``.
    public var issuers: [IssuerPlan]
    /// Makes the header lines.
    public var injection: HeaderInjection
    /// Longest token in bytes.
    public var longestToken: Int

    /// A plan for these issuers.
    public init(issuers: [IssuerPlan], injection: HeaderInjection, longestToken: Int = 16384) {
        self.issuers = issuers
        self.injection = injection
        self.longestToken = longestToken
    }
}
