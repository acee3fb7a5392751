// COLD. The keys of token_cache, identity and assertion.

extension TokenCacheSettings {
    /// The cache of verified tokens.
    public static let keys: [Key<TokenCacheSettings>] = [
        Key("enabled", \.isEnabled, doc: "Whether there is one; `token_cache: off` is the same as false."),
        Key("entries", \.entries, in: 64...4_194_304, doc: "Most tokens kept by a worker."),
        Key(
            "max_age",
            \.maxAge,
            in: .seconds(1) ... .minutes(5),
            doc: "How long a token is believed without verifying it again; its exp ends it earlier."
        ),
    ]
    /// `token_cache: off`.
    public static var offSwitch: (any WritableKeyPath<TokenCacheSettings, Bool> & Sendable)? { \Self.isEnabled }
}

extension HeaderMapping {
    /// One claim as a header field.
    public static let keys: [Key<HeaderMapping>] = [
        Key("claim", \.claim, required: true, doc: "The claim: sub, realm_access.roles, or a list of names."),
        Key("header", \.header, required: true, must: .ownable, doc: "The field that services get."),
    ]
}

extension IdentitySettings {
    /// What services are told about the caller.
    public static let keys: [Key<IdentitySettings>] = [
        Key(
            "headers",
            \.headers,
            count: 0...64,
            doc:
                "Claims as header fields. A client's fields of these names are removed on every route, in any spelling."
        ),
        Key("roles_claim", \.rolesClaim, doc: "Where roles are."),
        Key("scope_claim", \.scopeClaim, doc: "Where scopes are: a list, or a string with spaces between."),
        Key(
            "protected_headers",
            \.protectedHeaders,
            count: 0...64,
            each: .ownable,
            example: "[X-Tenant]",
            doc: "More fields that clients must not send; removed like the ones above."
        ),
    ]

    /// No field twice.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        var seen: [HeaderName: ClaimPath] = [:]
        for mapping in headers where !decoding.hasError(at: mapping.marks["header"]) {
            if let first = seen[mapping.header] {
                decoding.report(
                    "\(decoding.currentPath).headers: \(mapping.header.text) already carries the claim \(Spelling.quoted(first.text)); "
                        + "each field carries one",
                    at: mapping.marks["header"]
                )
            } else {
                seen[mapping.header] = mapping.claim
            }
        }
    }
}

extension Constraint<SignatureAlgorithm> {
    static let signing = Constraint(expected: "ES256 or EdDSA", pattern: "^(ES256|EdDSA)$") {
        $0 == .ES256 || $0 == .EdDSA
    }
}

extension AssertionSettings {
    /// The signed assertion.
    public static let keys: [Key<AssertionSettings>] = [
        Key("header", \.header, must: .ownable, doc: "The field that carries it; clients cannot send it."),
        Key(
            "issuer",
            \.issuer,
            required: true,
            example: "https://gateway.example",
            must: .line,
            doc: "iss of the assertion."
        ),
        Key("algorithm", \.algorithm, must: .signing, doc: "How it is signed."),
        Key(
            "key",
            \.key,
            required: true,
            example: "file:assertion.pem",
            doc: "The private key in PEM (PKCS #8): file:path, or ${NAME} from the environment."
        ),
        Key(
            "kid",
            \.keyID,
            example: "\"2026-01\"",
            must: .optionalLine,
            doc: "The key's id; unset: its thumbprint (RFC 7638)."
        ),
        Key("lifetime", \.lifetime, in: .seconds(1) ... .seconds(60), doc: "Life of an assertion."),
        Key(
            "claims",
            \.claims,
            count: 0...32,
            example: "[email]",
            doc: "Claims of the caller's token that are copied, besides sub."
        ),
        Key("publish_keys", \.publishesKeys, doc: "Serve the public key at /.well-known/portcullis/jwks.json."),
    ]
}
