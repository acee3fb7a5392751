// Who is admitted, challenged and denied.
import Identity
import Settings
import Testing

@testable import Policy

/// A verdict in a word, for comparison.
private func word(_ verdict: consuming Verdict) -> String {
    switch consume verdict {
    case .admit(let permit):
        permit.wouldHaveRefused == .none
            ? (permit.principal == nil ? "anonymous" : "admit") : "reported \(permit.wouldHaveRefused.code)"
    case .challenge(let reason): "challenge \(reason.code)"
    case .deny(let reason): "deny \(reason.code)"
    }
}

private func rule(
    _ auth: AuthRequirement = .required,
    issuers: [String] = ["main", "other", "main"],
    _ fill: ((inout RuleSettings) -> Void)...
) -> Rule {
    var route = RouteSettings()
    route.auth = auth
    route.rules = fill.map { fill in
        var rule = RuleSettings()
        fill(&rule)
        return rule
    }
    return Rule(route, issuers: issuers)
}

@Suite("Rules")
struct RuleTests {
    private static let conditions: [(ClaimCondition, String, Bool)] = [
        (ClaimCondition(claim: "t.id", test: .equals(.integer(7))), #"{"t":{"id":7}}"#, true),
        (ClaimCondition(claim: "t.id", test: .equals(.integer(7))), #"{"t":{"id":"7"}}"#, false),
        (ClaimCondition(claim: "t.id", test: .equals(.string("7"))), #"{"t":{"id":7}}"#, false),
        (ClaimCondition(claim: "ok", test: .equals(.bool(true))), #"{"ok":true}"#, true),
        (ClaimCondition(claim: "ok", test: .equals(.bool(true))), #"{"ok":"true"}"#, false),
        (ClaimCondition(claim: "c", test: .oneOf([.string("a"), .string("b")])), #"{"c":"b"}"#, true),
        (ClaimCondition(claim: "c", test: .oneOf([.string("a"), .string("b")])), #"{"c":["b"]}"#, false),
        (ClaimCondition(claim: "c", test: .contains(.string("b"))), #"{"c":["a","b"]}"#, true),
        (ClaimCondition(claim: "c", test: .contains(.integer(2))), #"{"c":[1,2]}"#, true),
        (ClaimCondition(claim: "c", test: .contains(.string("b"))), #"{"c":"ab"}"#, false),
        (ClaimCondition(claim: "c", test: .contains(.string("b"))), #"{"c":"a b"}"#, true),
        (ClaimCondition(claim: "c", test: .contains(.string("b"))), #"{"c":["a b"]}"#, false),
        (ClaimCondition(claim: "c", test: .present(true)), #"{"c":false}"#, true),
        (ClaimCondition(claim: "c", test: .present(true)), #"{"c":null}"#, false),
        (ClaimCondition(claim: "c", test: .present(false)), #"{"d":1}"#, true),
        (ClaimCondition(claim: "c", test: .present(false)), #"{"c":1}"#, false),
    ]

    @Test("a session that is too weak and too old is asked for the second factor, which makes it new as well")
    func sessions() {
        func session(strength: Int, authenticated: Int64, seen: Int64) -> LiveSession {
            LiveSession(
                digest: SessionDigest(1, 2, 3, 4),
                idle: 1000,
                expires: 10_000,
                authenticated: authenticated,
                strength: strength,
                csrf: [],
                site: [],
                lastSeen: seen
            )
        }
        let rule = rule {
            $0.session.maxAge = .seconds(60)
            $0.session.maxIdle = .seconds(20)
            $0.session.strength = 2
        }
        #expect(rule.refusal(of: session(strength: 1, authenticated: 0, seen: 0), at: 100) == .loginTooWeak)
        #expect(rule.refusal(of: session(strength: 2, authenticated: 40, seen: 99), at: 100) == .loginTooOld)
        #expect(rule.refusal(of: session(strength: 2, authenticated: 90, seen: 80), at: 100) == .loginTooOld)
        #expect(rule.refusal(of: session(strength: 2, authenticated: 41, seen: 81), at: 100) == .none)
        #expect(rule.end(of: session(strength: 2, authenticated: 41, seen: 90)) == 101)
        #expect(rule.end(of: session(strength: 2, authenticated: 90, seen: 90)) == 110)
    }

    @Test("public looks at nobody, optional takes anybody, required asks")
    func auth() throws {
        let ada = try principal(#"{"sub":"ada"}"#)
        #expect(word(rule(.public).evaluate(ada)) == "anonymous")
        #expect(word(rule(.public).evaluate(nil)) == "anonymous")
        #expect(word(rule(.optional).evaluate(nil)) == "anonymous")
        #expect(word(rule(.optional).evaluate(ada)) == "admit")
        #expect(word(rule(.required).evaluate(nil)) == "challenge no_credential")
        #expect(word(rule(.required).evaluate(ada)) == "admit")
        #expect(word(rule(.optional, { $0.roles.any = ["x"] }).evaluate(nil)) == "challenge no_credential")
    }

    @Test(
        "scopes are whole words of a text or elements of a list",
        arguments: [
            (#"{"scope":"a b"}"#, "admit"), (#"{"scope":["b","a"]}"#, "admit"),
            (#"{"scope":"a"}"#, "deny scope_missing"),
            (#"{"scope":"ab"}"#, "deny scope_missing"), (#"{"scope":"a bb"}"#, "deny scope_missing"),
            (#"{}"#, "deny scope_missing"),
            (#"{"scope":{"a":1,"b":1}}"#, "deny scope_missing"), (#"{"scope":["a b"]}"#, "deny scope_missing"),
        ]
    )
    func scopes(claims: String, expected: String) throws {
        let rule = rule(.required, { $0.scopes.all = ["a", "b"] })
        #expect(word(rule.evaluate(try principal(claims))) == expected)
        #expect(String(decoding: rule.requiredScopes, as: UTF8.self) == "a b")
    }

    @Test("one of several roles suffices, all of several must be there")
    func roles() throws {
        let anyRole = rule(.required, { $0.roles.any = ["x", "y"] })
        #expect(word(anyRole.evaluate(try principal(#"{"roles":["y"]}"#))) == "admit")
        #expect(word(anyRole.evaluate(try principal(#"{"roles":["z"]}"#))) == "deny role_missing")
        #expect(word(anyRole.evaluate(try principal(#"{"roles":"y"}"#))) == "admit")
        #expect(word(anyRole.evaluate(try principal(#"{"roles":"not y"}"#))) == "deny role_missing")
        let all = rule(.required, { $0.roles.all = ["x", "y"] })
        #expect(word(all.evaluate(try principal(#"{"roles":["y"]}"#))) == "deny role_missing")
        #expect(word(all.evaluate(try principal(#"{"roles":["y","x"]}"#))) == "admit")
    }

    @Test("conditions on claims compare values with their types", arguments: Self.conditions)
    func claims(condition: ClaimCondition, claims: String, holds: Bool) throws {
        let verdict = word(rule(.required, { $0.claims = [condition] }).evaluate(try principal(claims)))
        #expect(verdict == (holds ? "admit" : "deny claim_condition_failed"))
    }

    @Test("an issuer is meant with all its sets of keys")
    func issuers() throws {
        let rule = rule(.required, { $0.issuers = ["main"] })
        #expect(word(rule.evaluate(try principal("{}", issuer: 0))) == "admit")
        #expect(word(rule.evaluate(try principal("{}", issuer: 1))) == "challenge issuer_not_accepted")
        #expect(word(rule.evaluate(try principal("{}", issuer: 2))) == "admit")
        #expect(word(rule.evaluate(try principal("{}", issuer: 9))) == "challenge issuer_not_accepted")
    }

    @Test("a route may ask for an audience of its own")
    func audiences() throws {
        let rule = rule(.required, { $0.audiences = ["orders"] })
        #expect(word(rule.evaluate(try principal(#"{"aud":["api","orders"]}"#))) == "admit")
        #expect(word(rule.evaluate(try principal(#"{"aud":"api"}"#))) == "challenge route_audience_mismatch")
    }

    @Test("the rules of a group and of its route must both hold")
    func groups() throws {
        let both = rule(.required, { $0.roles.any = ["staff"] }, { $0.scopes.all = ["read"] })
        #expect(word(both.evaluate(try principal(#"{"roles":["staff"],"scope":"read"}"#))) == "admit")
        #expect(word(both.evaluate(try principal(#"{"roles":["staff"]}"#))) == "deny scope_missing")
        #expect(word(both.evaluate(try principal(#"{"scope":"read"}"#))) == "deny role_missing")
    }

    @Test("a rule that only reports refuses nobody and says whom it would have refused")
    func reportOnly() throws {
        let trial = rule(
            .required,
            {
                $0.roles.any = ["admin"]; $0.reportOnly = true
            }
        )
        #expect(word(trial.evaluate(try principal("{}"))) == "reported role_missing")
        #expect(word(trial.evaluate(try principal(#"{"roles":["admin"]}"#))) == "admit")
        #expect(word(trial.evaluate(nil)) == "challenge no_credential")
        let open = rule(
            .optional,
            {
                $0.roles.any = ["admin"]; $0.reportOnly = true
            }
        )
        #expect(word(open.evaluate(nil)) == "reported no_credential")
        let mixed = rule(
            .required,
            {
                $0.roles.any = ["admin"]; $0.reportOnly = true
            },
            { $0.scopes.all = ["a"] }
        )
        #expect(word(mixed.evaluate(try principal("{}"))) == "deny scope_missing")
        #expect(mixed.requiredScopes == Array("a".utf8))
    }
}
