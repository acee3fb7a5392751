// Revocations: what they match, how they merge, when they are forgotten, and how they are written.
import Bytes
import JOSE
import Testing

@testable import Identity

private func claims(_ json: String) throws -> Claims { try Claims(json: Array(json.utf8)) }

private func revocation(_ json: String) throws -> Revocation {
    let all = try Revocation.read(Array(json.utf8))
    #expect(all.count == 1)
    return try #require(all.first)
}

@Suite("Revocation set")
struct RevocationSetTests {
    /// A revocation, a credential, and whether it is revoked.
    private static let cases: [(String, String, Bool)] = [
        (#"{"token":"t1"}"#, #"{"iss":"i","sub":"a","jti":"t1"}"#, true),
        (#"{"token":"t1"}"#, #"{"iss":"i","sub":"t1","jti":"t2"}"#, false),
        (#"{"token":"t1"}"#, #"{"iss":"i","sub":"a"}"#, false),
        (#"{"issuer":"i","token":"t1"}"#, #"{"iss":"i","jti":"t1"}"#, true),
        (#"{"issuer":"j","token":"t1"}"#, #"{"iss":"i","jti":"t1"}"#, false),
        (#"{"issuer":"i","token":"t1"}"#, #"{"jti":"t1"}"#, false),
        (#"{"subject":"a"}"#, #"{"iss":"i","sub":"a","jti":"t1"}"#, true),
        (#"{"subject":"a"}"#, #"{"iss":"i","sub":"A"}"#, false),
        (#"{"issuer":"i","subject":"a"}"#, #"{"iss":"i","sub":"a"}"#, true),
        (#"{"subject":"a","before":100}"#, #"{"sub":"a","iat":99}"#, true),
        (#"{"subject":"a","before":100}"#, #"{"sub":"a","iat":100}"#, true),
        (#"{"subject":"a","before":100}"#, #"{"sub":"a","iat":101}"#, false),
        // What does not say when it was issued may be older.
        (#"{"subject":"a","before":100}"#, #"{"sub":"a"}"#, true),
        (#"{"subject":"a","until":1001}"#, #"{"sub":"a"}"#, true),
        (#"{"subject":"a","until":1000}"#, #"{"sub":"a"}"#, false),
    ]

    @Test("matches token or subject, issuer and time", arguments: Self.cases)
    func matches(written: String, credential: String, expected: Bool) throws {
        let one = try revocation(written)
        var set = RevocationSet(limit: 10)
        #expect(!set.contains(try claims(credential), now: 1000))
        try set.insert(one)
        #expect(set.contains(try claims(credential), now: 1000) == expected)
        var configured = RevocationSet(limit: 0)
        configured.configure([one])
        #expect(configured.contains(try claims(credential), now: 1000) == expected)
        #expect((one.matches(try claims(credential)) && (one.until ?? .max) > 1000) == expected)
    }

    @Test("the same target twice refuses what either refuses, for as long as either lasts")
    func merge() throws {
        var set = RevocationSet(limit: 1)
        try set.insert(revocation(#"{"subject":"a","before":100,"until":500}"#))
        let merged = try set.insert(revocation(#"{"subject":"a","before":50,"until":600}"#))
        #expect(merged.before == 100)
        #expect(merged.until == 600)
        let timeless = try set.insert(revocation(#"{"subject":"a","until":10}"#))
        #expect(timeless.before == nil)
        let endless = try set.insert(revocation(#"{"subject":"a","before":1}"#))
        #expect(endless.until == nil)
        #expect(set.count == 1)
    }

    @Test("no more than the limit; the configuration's own and those of a restart do not count")
    func bounded() throws {
        var set = RevocationSet(limit: 2)
        set.configure([try revocation(#"{"token":"c"}"#)])
        set.restore([try revocation(#"{"token":"1"}"#), try revocation(#"{"token":"2"}"#)])
        let third = try revocation(#"{"token":"3"}"#)
        #expect(throws: RevocationSet.Refusal.full) { try set.insert(third) }
        #expect(set.count == 3)
        let isRemoved = set.remove(try revocation(#"{"token":"1"}"#).key)
        #expect(isRemoved)
        let isConfiguredRemoved = set.remove(try revocation(#"{"token":"c"}"#).key)
        #expect(!isConfiguredRemoved)
        #expect(set.isConfigured(try revocation(#"{"token":"c"}"#).key))
        try set.insert(third)
        set.configure([])
        #expect(set.count == 2)
    }

    @Test("what has had its time is forgotten")
    func expire() throws {
        var set = RevocationSet(limit: 9)
        try set.insert(revocation(#"{"token":"1","until":100}"#))
        try set.insert(revocation(#"{"token":"2"}"#))
        set.configure([try revocation(#"{"token":"3","until":100}"#)])
        let hasExpired = [set.expire(now: 99), set.expire(now: 100)]
        #expect(hasExpired == [false, true])
        #expect(set.count == 1)
    }

    @Test(
        "written and read again it is the same",
        arguments: [
            #"{"issuer":"https://i","token":"a\"b\\ü"}"#, #"{"subject":"ada","before":5,"until":7}"#,
        ]
    )
    func text(written: String) throws {
        let one = try revocation(written)
        let out = OutputBuffer(capacity: 64)
        one.append(to: out)
        #expect(try Revocation.read(Array(out.bytes)) == [one])
    }

    @Test("times are numbers or RFC 3339")
    func times() throws {
        #expect(try revocation(#"{"token":"t","until":"2026-01-31T12:00:00Z"}"#).until == 1_769_860_800)
        #expect(try revocation(#"{"token":"t","until":"1970-01-01T00:00:00Z"}"#).until == 0)
        #expect(try revocation(#"{"token":"t","until":"2000-02-29T23:59:59Z"}"#).until == 951_868_799)
    }

    @Test(
        "what is no revocation is said to be none",
        arguments: [
            "", "7", "{}", #"{"token":""}"#, #"{"token":7}"#, #"{"token":"a","subject":"b"}"#,
            #"{"token":"a","exp":1}"#,
            #"{"token":"a","until":"2026-02-30T00:00:00Z"}"#, #"{"token":"a","until":-1}"#,
            #"{"token":"a","until":1.5}"#,
            #"{"token":"a","token":"b"}"#, #"[{"token":"a"},7]"#, #"{"issuer":"i"}"#,
        ]
    )
    func mistakes(text: String) {
        #expect(throws: Revocation.Mistake.self) { try Revocation.read(Array(text.utf8)) }
    }

    @Test("a list of them")
    func list() throws {
        #expect(try Revocation.read(Array(#"[{"token":"a"},{"subject":"b"}]"#.utf8)).count == 2)
        #expect(try Revocation.read(Array("[]".utf8)).isEmpty)
    }

    @Test("the cache forgets the tokens of revoked principals, and no others")
    func cache() throws {
        let cache = VerifiedCache(entries: 64)
        for name in ["a", "b"] {
            let principal = Principal(
                issuer: 0,
                claims: try claims(#"{"sub":"\#(name)"}"#),
                expiry: 100,
                rolesIndex: -1,
                scopeIndex: -1,
                headerBlock: []
            )
            cache.insert("token-\(name)", principal)
            cache.insert("other-\(name)", principal)
        }
        let one = try revocation(#"{"subject":"a"}"#)
        #expect(cache.remove { one.matches($0.claims) } == 2)
        #expect(cache.count == 2)
        #expect(cache.find("token-a") == nil)
        #expect(cache.find("token-b") != nil)
        #expect(cache.remove { _ in true } == 2)
        #expect(cache.bytes == 0)
    }
}
