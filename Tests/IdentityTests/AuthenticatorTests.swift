// Credentials, tokens and assertions.
import Bytes
import HTTP
import JOSE
import Testing

@testable import Identity

private let now: Int64 = 1_800_000_000

private func issuer(
    _ key: SigningKey?,
    iss: String = "https://i.example",
    audience: String = "api",
    algorithms: AlgorithmSet = .asymmetric,
    types: [String] = []
) throws -> IssuerPlan {
    IssuerPlan(
        name: "main",
        issuer: Array(iss.utf8),
        keys: try key.map { try KeySet([$0.publicKey]) },
        algorithms: algorithms,
        audiences: [Array(audience.utf8)],
        allowsAnyAudience: false,
        types: types.map { Array($0.utf8) },
        leeway: 60,
        maxLifetime: 3600,
        required: [ClaimPath("sub")],
        roles: ClaimPath("roles"),
        scope: ClaimPath("scope")
    )
}

private func plan(_ issuers: [IssuerPlan]) -> TokenPlan {
    TokenPlan(issuers: issuers, injection: HeaderInjection(headers: [], protected: []))
}

private func plan(
    _ key: SigningKey?,
    algorithms: AlgorithmSet = .asymmetric,
    types: [String] = []
) throws -> TokenPlan {
    plan([try issuer(key, algorithms: algorithms, types: types)])
}

private func outcome(_ authenticator: TokenAuthenticator, _ token: String) -> String {
    Array(token.utf8).withUnsafeBufferPointer {
        switch authenticator.authenticate($0, now: now) {
        case .verified(let principal): String(decoding: principal.subject, as: UTF8.self)
        case .rejected(let reason): "\(reason.code)"
        case .unavailable(let reason): "unavailable \(reason.code)"
        }
    }
}

private let good = #""iss":"https://i.example","aud":"api","sub":"ada","iat":1800000000"#

@Suite("Token authenticator")
struct AuthenticatorTests {
    /// `GOOD` stands for claims that are right.
    private static let payloads: [(String, String)] = [
        (#"GOOD,"exp":1800000600"#, "ada"),
        (#"GOOD,"exp":1799999941"#, "ada"), (#"GOOD,"exp":1799999940"#, "token_expired"),
        ("GOOD", "expiry_missing"), (#"GOOD,"exp":1800003601"#, "lifetime_too_long"),
        (#"GOOD,"exp":1800000600,"nbf":1800000060"#, "ada"),
        (#"GOOD,"exp":1800000600,"nbf":1800000061"#, "token_not_yet_valid"),
        (
            #""iss":"https://i.example","aud":"api","sub":"ada","iat":1800000061,"exp":1800000600"#,
            "token_issued_in_future"
        ),
        (#""iss":"https://i.example","aud":["x"],"sub":"ada","exp":1800000600"#, "audience_mismatch"),
        (#""iss":"https://i.example","aud":["x","api"],"sub":"ada","exp":1800000600"#, "ada"),
        (#""iss":"https://i.example","aud":"api","exp":1800000600"#, "claim_missing"),
        (#""iss":"https://i.example","aud":"api","sub":"","exp":1800000600"#, "claim_missing"),
        (#""iss":"https://j.example","aud":"api","sub":"ada","exp":1800000600"#, "unknown_issuer"),
        (#""aud":"api","sub":"ada","exp":1800000600"#, "unknown_issuer"),
    ]

    let key: SigningKey

    init() throws { key = try SigningKey.generate(.es256) }

    @Test("claims are judged after the signature", arguments: Self.payloads)
    func claims(payload: String, expected: String) throws {
        let authenticator = TokenAuthenticator(plan: try plan(key))
        let token = try #require(Signer(key).sign("{\(payload)}".replacing("GOOD", with: good)))
        #expect(outcome(authenticator, token) == expected)
    }

    @Test("claims that fail behind a good signature are final, whoever else has the key")
    func final() throws {
        let other = try SigningKey.generate(.es256)
        let token = try #require(Signer(key).sign("{\(good),\"exp\":1800000600}"))
        let stranger = try #require(Signer(other).sign("{\(good),\"exp\":1800000600}"))
        // The second set would let it in, but the first has the last word.
        for second in [key, other] {
            let both = plan([try issuer(key, audience: "elsewhere"), try issuer(second)])
            #expect(outcome(TokenAuthenticator(plan: both), token) == "audience_mismatch")
        }
        // A signature that is not of the first set's key is looked for in the second.
        let sets = plan([try issuer(key, audience: "elsewhere"), try issuer(other)])
        #expect(outcome(TokenAuthenticator(plan: sets), stranger) == "ada")
        // Nor do keys that are not there yet change a verdict, but they leave a bad signature open.
        let waiting = plan([try issuer(nil), try issuer(key, audience: "elsewhere")])
        #expect(outcome(TokenAuthenticator(plan: waiting), token) == "audience_mismatch")
        #expect(outcome(TokenAuthenticator(plan: waiting), stranger) == "unavailable issuer_keys_missing")
    }

    @Test("two issuers with one key: each is judged by its own rules")
    func sharedKey() throws {
        let both = plan([
            try issuer(key, iss: "https://a.example", audience: "api-a"),
            try issuer(key, iss: "https://b.example", audience: "api-b"),
        ])
        let authenticator = TokenAuthenticator(plan: both)
        for (iss, audience, expected) in [
            ("a", "api-a", "ada"), ("b", "api-b", "ada"), ("a", "api-b", "audience_mismatch"),
            ("b", "api-a", "audience_mismatch"), ("c", "api-a", "unknown_issuer"),
        ] {
            let claims = #"{"iss":"https://\#(iss).example","aud":"\#(audience)","sub":"ada","exp":1800000600}"#
            let token = try #require(Signer(key).sign(claims))
            #expect(outcome(authenticator, token) == expected)
        }
    }

    @Test("secrets and public keys of one issuer are kept apart")
    func apart() throws {
        let secret = try SigningKey(secret: [UInt8](repeating: 7, count: 32), algorithm: .hs256)
        let sets = [try issuer(key), try issuer(secret, algorithms: AlgorithmSet(.hs256))]
        let authenticator = TokenAuthenticator(plan: plan(sets))
        let claims = "{\(good),\"exp\":1800000600}"
        for signing in [key, secret] {
            let token = try #require(Signer(signing).sign(claims))
            #expect(outcome(authenticator, token) == "ada")
        }
        let pem = Array(try #require(key.publicKey.pem).utf8)
        #expect(throws: KeyError.secretIsPEM) { try SigningKey(secret: pem, algorithm: .hs256) }
        let confused = try SigningKey(secret: Array(pem.dropFirst(5)), algorithm: .hs256)
        let wrong = try SigningKey(secret: [UInt8](repeating: 7, count: 48), algorithm: .hs384)
        for (signing, expected) in [(confused, "token_bad_signature"), (wrong, "token_algorithm_not_allowed")] {
            let token = try #require(Signer(signing).sign(claims))
            #expect(outcome(authenticator, token) == expected)
        }
    }

    @Test("another key, another algorithm, no keys")
    func keys() throws {
        let token = try #require(Signer(try SigningKey.generate(.es256)).sign("{\(good),\"exp\":1800000600}"))
        #expect(outcome(TokenAuthenticator(plan: try plan(key)), token) == "token_unknown_key")
        let own = try #require(Signer(key).sign("{\(good),\"exp\":1800000600}"))
        let other = TokenAuthenticator(plan: try plan(key, algorithms: AlgorithmSet([.rs256])))
        #expect(outcome(other, own) == "token_algorithm_not_allowed")
        #expect(outcome(TokenAuthenticator(plan: try plan(nil)), own) == "unavailable issuer_keys_missing")
    }

    @Test(
        "typ is compared without regard to case and to application/",
        arguments: ["at+jwt", "AT+JWT", "application/at+jwt"]
    )
    func types(type: String) throws {
        let token = try #require(Signer(key, type: type).sign("{\(good),\"exp\":1800000600}"))
        #expect(outcome(TokenAuthenticator(plan: try plan(key, types: ["at+jwt"])), token) == "ada")
        #expect(outcome(TokenAuthenticator(plan: try plan(key, types: ["jwt"])), token) == "type_mismatch")
    }

    @Test("every reason has a code of its own and a sentence")
    func vocabulary() {
        #expect(Set(Reason.allCases.map { "\($0.code)" }).count == Reason.allCases.count)
        for reason in Reason.allCases where reason != .none { #expect(reason.detail.utf8CodeUnitCount > 10) }
    }
}

@Suite("Credential")
struct CredentialTests {
    @Test(
        "a bearer token, and nothing else, is a credential",
        arguments: [
            ("Bearer abc.def-_1", "abc.def-_1"), ("bearer a", "a"), ("BEARER a", "a"),
            ("Basic abc", "scheme_unsupported"),
            ("XBearer a", "scheme_unsupported"), ("Bearera", "scheme_unsupported"), ("Bearer", "credential_malformed"),
            ("Bearer  a", "credential_malformed"), ("Bearer a b", "credential_malformed"),
            ("Bearer a,b", "credential_malformed"),
            ("Bearer a=", "credential_malformed"), ("Bearer\ta", "scheme_unsupported"), ("Bear", "scheme_unsupported"),
            ("", "scheme_unsupported"),
        ]
    )
    func find(value: String, expected: String) throws {
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: \(value)\r\n\r\n".utf8)
        let head = RequestHead()
        let outcome = RequestParser.parse(bytes.span, into: head, limits: HeadLimits())
        guard case .complete = outcome else { throw CancellationError() }
        let found = bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { start in
                switch Credential.find(in: head, start) {
                case .none: "none"
                case .bearer(let slice):
                    // The caller looks at the bytes of a token that it does not know yet.
                    Credential.isToken(UnsafeBufferPointer(start: start + slice.start, count: slice.count))
                        ? String(decoding: bytes[slice.start..<slice.end], as: UTF8.self) : "credential_malformed"
                case .refused(let reason): "\(reason.code)"
                }
            }
        }
        #expect(found == expected)
    }
}

@Suite("Bytes of a token")
struct TokenByteTests {
    @Test("base64url and dots, at every place of tokens of every length up to fifty")
    func bytes() {
        func isToken(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBufferPointer { Credential.isToken($0) } }
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.".utf8)
        #expect(isToken([]))
        for length in 1...50 {
            for place in 0..<length {
                var text = [UInt8](repeating: 0x61, count: length)
                for byte in UInt8.min ... .max {
                    text[place] = byte
                    if isToken(text) != allowed.contains(byte) { Issue.record("byte \(byte) at \(place) of \(length)") }
                }
            }
        }
    }
}

@Suite("Assertion")
struct AssertionTests {
    @Test("it verifies, is used again, is renewed in time, and ends with the caller's credential")
    func assertion() throws {
        let key = try SigningKey.generate(.es256)
        let plan = AssertionSigner.Plan(
            issuer: Array("https://gw".utf8),
            key: key,
            lifetime: 60,
            claims: [ClaimPath("email"), ClaimPath("sub")],
            entries: 4
        )
        let signer = AssertionSigner(plan: plan)
        let claims = try Claims(json: Array(#"{"sub":"a\"b","email":"é@x"}"#.utf8))
        let ada = Principal(
            issuer: 0,
            claims: claims,
            expiry: now + 1000,
            rolesIndex: -1,
            scopeIndex: -1,
            headerBlock: []
        )
        func make(_ audience: String, _ time: Int64, _ principal: Principal) -> String {
            Array(audience.utf8).withUnsafeBufferPointer {
                String(decoding: signer.assertion(for: principal, audience: $0, now: time), as: UTF8.self)
            }
        }
        let first = make("orders", now, ada)
        #expect(make("orders", now + 49, ada) == first)
        #expect(make("orders", now + 50, ada) != first)
        #expect(make("carts", now, ada) != first)
        let decoder = TokenDecoder()
        try decoder.decode(Array(first.utf8))
        let told = try decoder.claims()
        _ = try Verifier(keys: KeySet([key.publicKey])).verify(decoder)
        #expect(told.document.string(told.subject) == "a\"b")
        #expect(told.document.string(told.find(ClaimPath("email"))) == "é@x")
        #expect(told.expiry == now + 60)
        let late = Principal(
            issuer: 0,
            claims: claims,
            expiry: now + 5,
            rolesIndex: -1,
            scopeIndex: -1,
            headerBlock: []
        )
        try decoder.decode(Array(make("orders", now, late).utf8))
        #expect(try decoder.claims().expiry == now + 5)
        #expect(make("orders", now + 5, late).isEmpty)
    }
}
