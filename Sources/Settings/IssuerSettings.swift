// COLD. Who may sign tokens, with which keys, and what a token must say.

/// Algorithms of JWS (RFC 7518, RFC 8037); `none` is not one of them.
public enum SignatureAlgorithm: String, Sendable, CaseIterable, Hashable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case RS256
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    case RS384
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    case RS512
    /// RSASSA-PSS with SHA-256.
    case PS256
    /// RSASSA-PSS with SHA-384.
    case PS384
    /// RSASSA-PSS with SHA-512.
    case PS512
    /// ECDSA on P-256.
    case ES256
    /// ECDSA on P-384.
    case ES384
    /// ECDSA on P-521.
    case ES512
    /// Ed25519.
    case EdDSA
    /// HMAC with SHA-256.
    case HS256
    /// HMAC with SHA-384.
    case HS384
    /// HMAC with SHA-512.
    case HS512

    /// Whether the key is a shared secret.
    public var isSymmetric: Bool { self == .HS256 || self == .HS384 || self == .HS512 }

    /// Least bytes of a secret: the hash's size (RFC 7518 §3.2); 0 for the others.
    public var minimumSecretBytes: Int {
        switch self {
        case .HS256: 32
        case .HS384: 48
        case .HS512: 64
        default: 0
        }
    }
}

/// One source of keys of an issuer.
public struct KeySourceSettings: SettingsSection {
    /// Where the keys are.
    ///
    /// Remote sets will be one more case.
    public enum Source: Sendable, Hashable {
        /// A JWK set in a file.
        case jwksFile(FileReference)
        /// A JWK set in the configuration file.
        case jwks(String)
        /// One public key or certificate in a PEM file.
        case pemFile(FileReference)
        /// A shared secret for HS256, HS384 or HS512: its bytes as they are.
        case secret(Secret)
    }

    /// Where the keys are; an empty inline set until one is written.
    public var source = Source.jwks("")
    /// What the key may be used for; always set for PEM files and secrets.
    public var algorithm: SignatureAlgorithm?
    /// Its `kid`, for PEM files and secrets.
    public var keyID: String?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// What becomes of tokens bound to a key by something that cannot be checked here.
public enum UnverifiableBindingSettings: String, Sendable, CaseIterable {
    /// They are refused.
    case refuse
    /// They are taken as if they were not bound.
    case ignore
}

/// Who may sign tokens, and what a token must say.
public struct IssuerSettings: SettingsSection {
    /// Its name in this file; the first of two issuers with one `issuer` URL wins nothing: that is an error.
    public var name = ""
    /// Exactly what `iss` must be.
    public var issuer = ""
    /// One of these must be in `aud`.
    public var audiences: [String] = []
    /// Whether tokens are accepted whatever their `aud` (only when `audiences` is empty).
    public var allowsAnyAudience = false
    /// Accepted algorithms.
    public var algorithms: [SignatureAlgorithm] = [.RS256, .PS256, .ES256, .EdDSA]
    /// Sources of keys, at least one.
    public var keys: [KeySourceSettings] = []
    /// Accepted `typ`, without regard to case and with `application/` left out; empty: any.
    public var types: [String] = []
    /// Clock difference tolerated for `exp`, `nbf`, `iat` (RFC 8725 §3.10).
    public var leeway = Duration.seconds(60)
    /// Most seconds between now (or `iat`) and `exp`.
    public var maxLifetime = Duration.hours(24)
    /// Claims that must be there besides `exp`, `iss` and `aud`.
    public var requiredClaims: [ClaimPath] = ["sub"]
    /// Where its tokens keep roles, when not at `identity.roles_claim`.
    public var rolesClaim: ClaimPath?
    /// Where its tokens keep scopes, when not at `identity.scope_claim`.
    public var scopeClaim: ClaimPath?
    /// Tokens whose `cnf` says anything else than `x5t#S256`.
    public var unverifiableBinding = UnverifiableBindingSettings.refuse
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
