// COLD. What services are told about the caller, and the cache of who the caller is.

/// The cache of verified tokens, one for each worker.
public struct TokenCacheSettings: SettingsSection {
    /// Whether there is one (`token_cache: off`).
    public var isEnabled = true
    /// Most tokens kept by a worker.
    public var entries = 16_384
    /// How long a token is believed without verifying it again; its `exp` ends it earlier.
    public var maxAge = Duration.seconds(60)
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// One claim that a service gets as a header field.
public struct HeaderMapping: SettingsSection {
    /// The claim.
    public var claim: ClaimPath = "sub"
    /// The field.
    public var header: HeaderName = "X-User-Id"
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}

    /// `claim` as `header`.
    public init(claim: ClaimPath, header: HeaderName) {
        self.claim = claim
        self.header = header
    }
}

/// What services are told about the caller.
public struct IdentitySettings: SettingsSection {
    /// Claims as header fields.
    ///
    /// Every client field that folds to one of these names is removed, always.
    public var headers = [
        HeaderMapping(claim: "sub", header: "X-User-Id"),
        HeaderMapping(claim: "email", header: "X-User-Email"),
        HeaderMapping(claim: "roles", header: "X-User-Roles"),
        HeaderMapping(claim: "iss", header: "X-Auth-Issuer"),
    ]
    /// Where roles are.
    public var rolesClaim: ClaimPath = "roles"
    /// Where scopes are: a list, or a string with spaces between.
    public var scopeClaim: ClaimPath = "scope"
    /// More fields that clients must not send; removed like the ones above.
    public var protectedHeaders: [HeaderName] = []
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// The signed assertion that services can verify by the gateway's published keys.
public struct AssertionSettings: SettingsSection {
    /// The field that carries it; protected like the identity fields.
    public var header: HeaderName = "X-Portcullis-Assertion"
    /// `iss` of the assertion.
    public var issuer = ""
    /// ES256 or EdDSA.
    public var algorithm = SignatureAlgorithm.ES256
    /// The private key in PEM (PKCS #8).
    public var key = Secret([])
    /// `kid`; nil: the key's thumbprint (RFC 7638).
    public var keyID: String?
    /// Life of an assertion, 1…60 s.
    public var lifetime = Duration.seconds(60)
    /// Claims of the caller's token that are copied, besides `sub`.
    public var claims: [ClaimPath] = []
    /// Whether the public key is served at `/.well-known/portcullis/jwks.json`.
    public var publishesKeys = true
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
