// COLD. The keys of issuers and their key sources.

extension SignatureAlgorithm: SettingChoice {}
extension UnverifiableBindingSettings: SettingChoice {}

extension KeySourceSettings {
    var jwksFile: FileReference? {
        get { if case .jwksFile(let file) = source { file } else { nil } }
        set { if let newValue { source = .jwksFile(newValue) } }
    }
    var jwks: String? {
        get { if case .jwks(let text) = source, !text.isEmpty { text } else { nil } }
        set { if let newValue { source = .jwks(newValue) } }
    }
    var pemFile: FileReference? {
        get { if case .pemFile(let file) = source { file } else { nil } }
        set { if let newValue { source = .pemFile(newValue) } }
    }
    var secret: Secret? {
        get { if case .secret(let secret) = source { secret } else { nil } }
        set { if let newValue { source = .secret(newValue) } }
    }

    /// One source of keys.
    public static let keys: [Key<KeySourceSettings>] = [
        Key(
            "jwks_file",
            \.jwksFile,
            example: "issuer.jwks.json",
            doc: "A JWK set (RFC 7517) in a file; read again on reload."
        ),
        Key("jwks", \.jwks, example: "'{\"keys\": []}'", must: .filled, doc: "A JWK set written here."),
        Key(
            "pem_file",
            \.pemFile,
            example: "issuer.pem",
            doc: "One public key or certificate in PEM; RSA keys need algorithm."
        ),
        Key(
            "secret",
            \.secret,
            example: "\"${TOKEN_SECRET}\"",
            doc: "A shared secret: ${NAME} from the environment, or file:path; needs algorithm. "
                + "At least 32 bytes for HS256, 48 for HS384, 64 for HS512."
        ),
        Key(
            "algorithm",
            \.algorithm,
            example: "HS256",
            doc: "The one algorithm that the key is for; needed with secret and for RSA keys in pem_file."
        ),
        Key("kid", \.keyID, example: "\"2026-01\"", must: .optionalLine, doc: "The key's id, for pem_file and secret."),
    ]
    /// Exactly one source.
    public static var choices: [KeyChoice] { [KeyChoice("jwks_file", "jwks", "pem_file", "secret", required: true)] }

    /// Algorithm and source belong together.
    public mutating func finish(_ node: SettingNode, _ decoding: Decoding) {
        let isAlone = marks.isWritten("pem_file") || marks.isWritten("secret")
        // A public key may leave no choice (EC, Ed25519); an RSA key's import asks for it.
        if marks.isWritten("secret"), !marks.isWritten("algorithm") {
            decoding.reject(node, "needs the key \"algorithm\", such as algorithm: HS256")
        }
        if !isAlone, marks.isWritten("kid") {
            decoding.report(
                "\(decoding.currentPath).kid: the keys of a JWK set have their own; remove it",
                at: marks["kid"]
            )
        }
        guard let algorithm else { return }
        if case .secret(let secret) = source {
            if !algorithm.isSymmetric {
                decoding.report(
                    "\(decoding.currentPath).algorithm: a secret is for HS256, HS384 or HS512, not \(algorithm.rawValue)",
                    at: marks["algorithm"]
                )
            } else if secret.count < algorithm.minimumSecretBytes {
                decoding.report(
                    "\(decoding.currentPath).secret: is \(secret.count) bytes long; \(algorithm.rawValue) needs at least "
                        + "\(algorithm.minimumSecretBytes) random bytes",
                    at: marks["secret"]
                )
            }
        } else if case .pemFile = source, algorithm.isSymmetric {
            decoding.report(
                "\(decoding.currentPath).algorithm: \(algorithm.rawValue) is for a secret, not for a public key in PEM",
                at: marks["algorithm"]
            )
        }
    }
}

extension Constraint<String?> {
    static let optionalLine = Constraint(
        expected: Constraint<String>.line.expected,
        pattern: Constraint<String>.line.pattern
    ) { $0.map(Constraint<String>.line.test) ?? true }
    static let filled = Constraint(expected: "text that is not empty") { $0 != "" }
}

extension IssuerSettings {
    /// Who may sign tokens.
    public static let keys: [Key<IssuerSettings>] = [
        Key(
            "name",
            \.name,
            required: true,
            example: "main",
            must: .name,
            doc: "Its name in this file and in logs."
        ),
        Key(
            "issuer",
            \.issuer,
            required: true,
            example: "https://issuer.example",
            must: .line,
            doc: "Exactly what the iss claim must be."
        ),
        Key(
            "audiences",
            \.audiences,
            count: 1...64,
            each: .line,
            example: "[my-api]",
            doc: "One of these must be in the aud claim."
        ),
        Key(
            "any_audience",
            \.allowsAnyAudience,
            doc:
                "Accept tokens whatever their aud, instead of audiences: tokens made for other services are then accepted too."
        ),
        Key(
            "algorithms",
            \.algorithms,
            count: 1...13,
            doc:
                "Accepted algorithms. When this is not written, those of keys with an algorithm of their own are added."
        ),
        Key(
            "keys",
            \.keys,
            count: 1...32,
            required: true,
            example: "[{ jwks_file: issuer.jwks.json }]",
            doc: "Sources of keys; a token's kid chooses among all of them."
        ),
        Key(
            "typ",
            \.types,
            count: 0...8,
            each: .line,
            example: "[at+jwt]",
            doc: "Accepted typ of the header, without regard to case and application/; empty: any."
        ),
        Key("leeway", \.leeway, in: .zero ... .minutes(5), doc: "Clock difference tolerated for exp, nbf and iat."),
        Key(
            "max_lifetime",
            \.maxLifetime,
            in: .seconds(1) ... .hours(24 * 365),
            doc: "Longest time between now (or iat) and exp; a token that lives longer is refused."
        ),
        Key(
            "required_claims",
            \.requiredClaims,
            count: 0...32,
            doc: "Claims that must be there besides exp, iss and aud."
        ),
        Key(
            "roles_claim",
            \.rolesClaim,
            example: "realm_access.roles",
            doc: "Where its tokens keep roles; unset: identity.roles_claim."
        ),
        Key(
            "scope_claim",
            \.scopeClaim,
            example: "scp",
            doc: "Where its tokens keep scopes; unset: identity.scope_claim."
        ),
        Key(
            "unverifiable_binding",
            \.unverifiableBinding,
            doc:
                "Tokens bound to a key by another member of cnf than x5t#S256 (jkt of DPoP): refuse them, or ignore the "
                + "binding because the services behind check it. A thumbprint x5t#S256 is always checked."
        ),
    ]

    /// What it takes for `aud` must be said.
    public static var choices: [KeyChoice] { [KeyChoice("audiences", "any_audience", required: true)] }

    /// Audiences are said, and every key can be used.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        if audiences.isEmpty, !allowsAnyAudience, marks.isWritten("any_audience") {
            decoding.report(
                "\(decoding.currentPath).any_audience: write audiences instead of false",
                at: marks["any_audience"]
            )
        }
        for (index, key) in self.keys.enumerated() {
            guard let algorithm = key.algorithm, !algorithms.contains(algorithm) else { continue }
            if marks.isWritten("algorithms") {
                decoding.report(
                    "\(decoding.currentPath).keys[\(index)].algorithm: \(algorithm.rawValue) is not in algorithms of the issuer; add it there",
                    at: key.marks["algorithm"]
                )
            } else {
                algorithms.append(algorithm)
            }
        }
    }
}
