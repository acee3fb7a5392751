// COLD. Reads and checks the keys that the configuration names; every problem is told with its place.
import Configuration
import Identity
import JOSE
import Settings

/// Imports keys for one snapshot.
struct KeyImport {
    /// A file with keys is never larger.
    static let maximumFileBytes = 1 << 20

    private(set) var diagnostics: [Diagnostic] = []

    private var errorCount: Int { diagnostics.count { $0.severity == .error } }

    /// Everything about identity, or nil after problems.
    mutating func plan(_ settings: GatewaySettings) -> IdentityPlan? {
        var issuers: [IssuerImport] = []
        for issuer in settings.issuers { issuers += sets(of: issuer, settings.identity) }
        let assertion = settings.assertion.flatMap { signer($0) }
        guard errorCount == 0 else { return nil }
        return IdentityPlan(issuers: issuers, assertion: assertion, settings: settings)
    }

    // MARK: Issuers

    private mutating func sets(of issuer: IssuerSettings, _ identity: IdentitySettings) -> [IssuerImport] {
        var publicKeys: [JOSE.Key] = []
        var secrets: [JOSE.Key] = []
        let allowed = AlgorithmSet(issuer.algorithms.map(\.algorithm))
        let before = errorCount
        for source in issuer.keys {
            let place = source.place
            do throws(KeyError) {
                for key in try keys(of: source) {
                    if key.algorithms.isDisjoint(with: allowed) { continue }
                    if let id = key.id, id.count > TokenLimits().keyIDBytes {
                        report(at: place, "kid of \(id.count) bytes: a token's may have \(TokenLimits().keyIDBytes)")
                    }
                    if key.kind == .secret { secrets.append(key) } else { publicKeys.append(key) }
                }
            } catch {
                report(at: place, "unusable key: \(error.message)")
            }
        }
        guard errorCount == before else { return [] }
        if publicKeys.isEmpty, secrets.isEmpty {
            let names = issuer.algorithms.map(\.rawValue).joined(separator: ", ")
            report(
                at: issuer.marks[issuer.marks.isWritten("algorithms") ? "algorithms" : "keys"],
                "issuer \"\(issuer.name)\" has no key for its algorithms (\(names))"
            )
            return []
        }
        return [publicKeys, secrets].compactMap { keys in
            guard !keys.isEmpty else { return nil }
            do throws(KeyError) {
                return make(issuer, identity, try KeySet(keys), allowed)
            } catch {
                report(at: issuer.marks["keys"], "unusable keys: \(error.message)")
                return nil
            }
        }
    }

    private func make(
        _ issuer: IssuerSettings,
        _ identity: IdentitySettings,
        _ keys: KeySet,
        _ allowed: AlgorithmSet
    ) -> IssuerImport {
        let plan = IssuerPlan(
            name: issuer.name,
            issuer: Array(issuer.issuer.utf8),
            keys: keys,
            algorithms: allowed.intersection(keys.algorithms),
            audiences: issuer.audiences.map { Array($0.utf8) },
            allowsAnyAudience: issuer.allowsAnyAudience,
            types: issuer.types.map { Array($0.utf8) },
            leeway: Int64(issuer.leeway.wholeSeconds),
            maxLifetime: Int64(issuer.maxLifetime.wholeSeconds),
            required: issuer.requiredClaims.map { JOSE.ClaimPath(names: $0.names) },
            roles: JOSE.ClaimPath(names: (issuer.rolesClaim ?? identity.rolesClaim).names),
            scope: JOSE.ClaimPath(names: (issuer.scopeClaim ?? identity.scopeClaim).names),
            ignoresOtherBindings: issuer.unverifiableBinding == .ignore
        )
        return IssuerImport(name: issuer.name, plan: plan, keyCount: keys.keys.count)
    }

    private mutating func keys(of source: KeySourceSettings) throws(KeyError) -> [JOSE.Key] {
        let algorithm = source.algorithm?.algorithm
        switch source.source {
        case .jwksFile(let file):
            guard let bytes = read(file, at: source.place) else { return [] }
            return try keys(inJWKS: bytes, algorithm, at: source.place)
        case .jwks(let text):
            return try keys(inJWKS: Array(text.utf8), algorithm, at: source.place)
        case .pemFile(let file):
            guard let bytes = read(file, at: source.place) else { return [] }
            return [try JOSE.Key.pem(bytes, algorithm: algorithm, id: source.keyID)]
        case .secret(let secret):
            return [try JOSE.Key.secret(secret.reveal(), algorithm: algorithm, id: source.keyID)]
        }
    }

    private mutating func keys(
        inJWKS text: [UInt8],
        _ algorithm: Algorithm?,
        at place: SourceLocation
    ) throws(KeyError) -> [JOSE.Key] {
        let (publicKeys, secrets) = try KeySet.separatedJWKS(text, algorithm: algorithm)
        let found = publicKeys.keys + secrets.keys
        let reasons = publicKeys.skipped.map {
            "key \($0.id.map { Spelling.quoted($0) } ?? String($0.index + 1)): \($0.error.message)"
        }
        if found.isEmpty {
            report(
                at: place,
                "no usable key in the set\(reasons.isEmpty ? "" : ": " + reasons.joined(separator: "; "))"
            )
        }
        // Keys for other purposes are in many sets, and nobody's mistake.
        for (odd, reason) in zip(publicKeys.skipped, reasons) where !found.isEmpty && odd.error != .notForSignatures {
            diagnostics.append(Diagnostic(at: place, "left out of the set: \(reason)", severity: .warning))
        }
        return found
    }

    // MARK: The assertion

    private mutating func signer(_ settings: AssertionSettings) -> AssertionImport? {
        do throws(KeyError) {
            let bytes = settings.key.reveal()
            let algorithm = settings.algorithm.algorithm
            let isJWK = bytes.first { $0 > 0x20 } == UInt8(ascii: "{")
            let key =
                isJWK
                ? try SigningKey(jwk: bytes, algorithm: algorithm, id: settings.keyID)
                : try SigningKey(pem: bytes, algorithm: algorithm, id: settings.keyID)
            let plan = AssertionSigner.Plan(
                issuer: Array(settings.issuer.utf8),
                key: key,
                lifetime: Int64(settings.lifetime.wholeSeconds),
                claims: settings.claims.map { JOSE.ClaimPath(names: $0.names) },
                entries: 4096
            )
            return AssertionImport(plan: plan, publicJWK: key.publicKey.jwk)
        } catch {
            report(at: settings.marks["key"], "assertion.key: unusable key: \(error.message)")
            return nil
        }
    }

    // MARK: Files and messages

    private mutating func read(_ file: FileReference, at place: SourceLocation) -> [UInt8]? {
        switch MaterialFile.read(file.path, limit: Self.maximumFileBytes) {
        case .success(let bytes): return bytes
        case .failure(let problem):
            report(at: place, problem.text)
            return nil
        }
    }

    private mutating func report(at place: SourceLocation, _ message: String) {
        diagnostics.append(Diagnostic(at: place, message))
    }
}

extension KeySourceSettings {
    /// Where the source of the key is written.
    var place: SourceLocation {
        switch source {
        case .jwksFile: marks["jwks_file"]
        case .jwks: marks["jwks"]
        case .pemFile: marks["pem_file"]
        case .secret: marks["secret"]
        }
    }
}

extension SignatureAlgorithm {
    /// The algorithm as JOSE knows it.
    var algorithm: Algorithm {
        switch self {
        case .RS256: .rs256
        case .RS384: .rs384
        case .RS512: .rs512
        case .PS256: .ps256
        case .PS384: .ps384
        case .PS512: .ps512
        case .ES256: .es256
        case .ES384: .es384
        case .ES512: .es512
        case .EdDSA: .edDSA
        case .HS256: .hs256
        case .HS384: .hs384
        case .HS512: .hs512
        }
    }
}
