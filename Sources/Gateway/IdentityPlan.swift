// COLD to build, HOT to read. Who may vouch for callers, and how services are told: imported keys, ready names.
import Bytes
import HTTP
import Identity
import JOSE
import Policy
import Settings

/// What follows from the sections about identity; shared by all workers.
final class IdentityPlan: Sendable {
    let tokens: TokenPlan
    let injection: HeaderInjection
    let assertion: AssertionSigner.Plan?
    /// `X-Portcullis-Assertion: `, as it begins its line.
    let assertionLine: [UInt8]
    /// What client certificates are credentials of, after the issuers of tokens.
    let certificates: [CertificateAuthenticator]
    /// What login sessions are credentials of, after those; nil where there are none.
    let sessions: SessionAuthenticator?
    /// Names of the issuers of tokens, of client certificates, and of the directory of accounts; the index is `Principal.issuer`.
    ///
    /// An issuer with public keys and secrets is there twice.
    let issuerNames: [[UInt8]]
    /// The keys that verify assertions, as a JWK set; nil when none are published.
    let publishedKeys: [UInt8]?
    /// For readiness: whether each issuer has keys.
    let issuerStates: [(name: String, hasKeys: Bool, detail: String)]
    /// Entries and longest life, in seconds, of the cache of verified tokens.
    let cacheEntries: Int
    let cacheSeconds: Int64
    /// Entries of the cache of sessions.
    let sessionEntries: Int

    init(issuers: [IssuerImport], assertion: AssertionImport?, settings: GatewaySettings) {
        let mapped = settings.identity.headers.map {
            ClaimHeader(claim: JOSE.ClaimPath(names: $0.claim.names), header: Array($0.header.text.utf8))
        }
        var protected = settings.identity.protectedHeaders.map { Array($0.text.utf8) }
        if let section = settings.assertion { protected.append(Array(section.header.text.utf8)) }
        injection = HeaderInjection(headers: mapped, protected: protected)
        tokens = TokenPlan(
            issuers: issuers.map(\.plan),
            injection: injection,
            longestToken: settings.limits.token.bytes
        )
        var identities: [ClientIdentitySettings] = []
        for identity in settings.listeners.compactMap({ $0.tls?.clientIdentity })
        where !identities.contains(where: { $0.name == identity.name }) {
            identities.append(identity)
        }
        let injection = injection
        certificates = identities.enumerated().map { index, identity in
            CertificateAuthenticator(
                identity,
                index: issuers.count + index,
                roles: JOSE.ClaimPath(names: settings.identity.rolesClaim.names),
                scope: JOSE.ClaimPath(names: settings.identity.scopeClaim.names),
                injection: injection
            )
        }
        sessions = settings.accounts.map { accounts in
            SessionAuthenticator(
                issuer: accounts.issuer,
                index: issuers.count + identities.count,
                roles: JOSE.ClaimPath(names: settings.identity.rolesClaim.names),
                scope: JOSE.ClaimPath(names: settings.identity.scopeClaim.names),
                injection: injection
            )
        }
        issuerNames =
            issuers.map { Array($0.name.utf8) } + identities.map { Array($0.name.utf8) }
            + (settings.accounts.map { [Array($0.issuer.utf8)] } ?? [])
        issuerStates = issuers.map { ($0.name, $0.keyCount > 0, "\($0.keyCount) keys") }
        self.assertion = assertion?.plan
        assertionLine = settings.assertion.map { Array("\($0.header.text): ".utf8) } ?? []
        if settings.assertion?.publishesKeys == true, let jwk = assertion?.publicJWK {
            publishedKeys = Array(#"{"keys":[\#(jwk)]}"#.utf8)
        } else {
            publishedKeys = nil
        }
        cacheEntries = settings.tokenCache.isEnabled ? settings.tokenCache.entries : 0
        cacheSeconds = Int64(settings.tokenCache.maxAge.wholeSeconds)
        sessionEntries = settings.accounts == nil ? 0 : max(1024, settings.tokenCache.entries)
    }

    func makeAuthenticator() -> TokenAuthenticator { TokenAuthenticator(plan: tokens) }

    func makeAssertionSigner() -> AssertionSigner? { assertion.map { AssertionSigner(plan: $0) } }
}

/// The key of the signed assertion.
struct AssertionImport {
    var plan: AssertionSigner.Plan
    /// What verifies it.
    var publicJWK: String?
}

/// One set of keys of an issuer.
struct IssuerImport {
    var name: String
    var plan: IssuerPlan
    var keyCount: Int
}
