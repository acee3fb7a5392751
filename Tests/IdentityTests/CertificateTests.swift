// Client certificates as credentials, and tokens bound to them.
import JOSE
import Settings
import Testing

@testable import Identity

private let thumbprint = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"

private func certificate(
    commonName: String? = "ada",
    dns: [String] = ["a.example", "b.example"],
    uris: [String] = ["spiffe://example/ada"],
    emails: [String] = ["ada@example"],
    notAfter: Int64 = 1_900_000_000
) -> CertificateCredential {
    CertificateCredential(
        distinguishedName: #"CN=ad\"a,O=Example"#,
        issuerName: "CN=Authority",
        commonName: commonName,
        dns: dns,
        uris: uris,
        emails: emails,
        serial: "0a1b",
        notAfter: notAfter,
        thumbprint: thumbprint
    )
}

private func authenticator(
    _ subject: ClientIdentitySettings.Subject = .commonName,
    issuer: String? = "urn:machines",
    roles: String = "roles"
) -> CertificateAuthenticator {
    var settings = ClientIdentitySettings()
    settings.name = "machines"
    settings.issuer = issuer
    settings.subject = subject
    return CertificateAuthenticator(
        settings,
        index: 7,
        roles: JOSE.ClaimPath(roles),
        scope: JOSE.ClaimPath("scope"),
        injection: HeaderInjection(
            headers: [
                ClaimHeader(claim: JOSE.ClaimPath("sub"), header: Array("X-User-Id".utf8)),
                ClaimHeader(claim: JOSE.ClaimPath("dns"), header: Array("X-Names".utf8)),
            ],
            protected: []
        )
    )
}

@Suite("Certificate authenticator")
struct CertificateAuthenticatorTests {
    @Test(
        "the subject is the part that is asked for",
        arguments: [
            (ClientIdentitySettings.Subject.commonName, "ada"), (.distinguishedName, #"CN=ad\"a,O=Example"#),
            (.dns, "a.example"), (.uri, "spiffe://example/ada"), (.email, "ada@example"),
        ]
    )
    func subject(part: ClientIdentitySettings.Subject, expected: String) throws {
        let principal = try #require(authenticator(part).principal(for: certificate()))
        #expect(String(decoding: principal.subject, as: UTF8.self) == expected)
        #expect(principal.issuer == 7)
        #expect(principal.isCertificate)
        #expect(!principal.isBound)
    }

    @Test("a certificate without that part is no credential")
    func missing() {
        #expect(authenticator(.commonName).principal(for: certificate(commonName: nil)) == nil)
        #expect(authenticator(.commonName).principal(for: certificate(commonName: "")) == nil)
        #expect(authenticator(.dns).principal(for: certificate(dns: [])) == nil)
        #expect(authenticator(.uri).principal(for: certificate(uris: [])) == nil)
        #expect(authenticator(.email).principal(for: certificate(emails: [])) == nil)
    }

    @Test("what the certificate says stands in the claims, and in the headers")
    func claims() throws {
        let principal = try #require(authenticator(roles: "dns").principal(for: certificate()))
        let claims = principal.claims
        let document = claims.document
        #expect(document.string(claims.issuer) == "urn:machines")
        #expect(document.string(claims.tokenID) == thumbprint)
        #expect(claims.expiry == 1_900_000_001)
        #expect(principal.expiry == 1_900_000_001)
        #expect(document.string(claims.find(JOSE.ClaimPath(names: ["cnf", "x5t#S256"]))) == thumbprint)
        #expect(document.string(claims.find("serial")) == "0a1b")
        #expect(document.string(claims.find("issuer_dn")) == "CN=Authority")
        let role = Array("b.example".utf8)
        let hasRole = claims.contains(principal.rolesIndex, role.span)
        #expect(hasRole)
        #expect(
            String(decoding: principal.headerBlock, as: UTF8.self)
                == "X-User-Id: ada\r\nX-Names: a.example,b.example\r\n"
        )
    }

    @Test("the issuer is the name unless one is written; no end of validity overflows")
    func bounds() throws {
        let principal = try #require(
            authenticator(issuer: nil).principal(for: certificate(notAfter: 253_402_300_799))
        )
        #expect(principal.claims.document.string(principal.claims.issuer) == "machines")
        #expect(principal.expiry == 253_402_300_799)
    }
}

@Suite("Bound tokens")
struct BindingTests {
    private static let now: Int64 = 1_800_000_000

    private func judge(_ confirmation: String, ignoring: Bool = false) throws -> AuthenticationOutcome {
        let key = try SigningKey.generate(.es256)
        let issuer = IssuerPlan(
            name: "main",
            issuer: Array("i".utf8),
            keys: try KeySet([key.publicKey]),
            algorithms: .asymmetric,
            audiences: [],
            allowsAnyAudience: true,
            types: [],
            leeway: 0,
            maxLifetime: 0,
            required: [],
            roles: JOSE.ClaimPath("roles"),
            scope: JOSE.ClaimPath("scope"),
            ignoresOtherBindings: ignoring
        )
        let plan = TokenPlan(issuers: [issuer], injection: HeaderInjection(headers: [], protected: []))
        let token = try #require(
            Signer(key).sign(#"{"iss":"i","sub":"ada","exp":1800000600,"cnf":\#(confirmation)}"#)
        )
        return Array(token.utf8).withUnsafeBufferPointer {
            TokenAuthenticator(plan: plan).authenticate($0, now: Self.now)
        }
    }

    @Test("a thumbprint binds, and only the certificate with it will do")
    func bound() throws {
        guard case .verified(let principal) = try judge(#"{"x5t#S256":"\#(thumbprint)"}"#) else {
            Issue.record("refused")
            return
        }
        #expect(principal.isBound)
        #expect(principal.isBound(to: Array(thumbprint.utf8)))
        #expect(!principal.isBound(to: Array(("B" + thumbprint.dropFirst()).utf8)))
        #expect(!principal.isBound(to: []))
    }

    @Test(
        "what cannot be checked is refused",
        arguments: [
            #"{"jkt":"x"}"#, #"{"jwk":{}}"#, #"{"kid":"k"}"#, "{}", "null", #""x""#, "[]",
            #"{"x5t#S256":"short"}"#, #"{"x5t#S256":7}"#, #"{"x5t#S256":""}"#,
            #"{"x5t#S256":"\#(thumbprint)="}"#, #"{"x5t#S256":"\#(thumbprint)","jkt":"x"}"#,
            // The same bits in another spelling.
            #"{"x5t#S256":"\#(thumbprint.dropLast())1"}"#,
        ]
    )
    func refused(confirmation: String) throws {
        guard case .rejected(.tokenBindingUnsupported) = try judge(confirmation) else {
            Issue.record("not refused")
            return
        }
    }

    @Test("other bindings are ignored where the issuer's settings say so; a thumbprint never is")
    func ignored() throws {
        guard case .verified(let free) = try judge(#"{"jkt":"x"}"#, ignoring: true) else {
            Issue.record("refused")
            return
        }
        #expect(!free.isBound)
        guard
            case .verified(let bound) = try judge(#"{"jkt":"x","x5t#S256":"\#(thumbprint)"}"#, ignoring: true)
        else {
            Issue.record("refused")
            return
        }
        #expect(bound.isBound)
        guard case .rejected = try judge(#"{"x5t#S256":"short"}"#, ignoring: true) else {
            Issue.record("a broken thumbprint was ignored")
            return
        }
    }
}
