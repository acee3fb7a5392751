// COLD. Wycheproof's and the RFCs' tokens at the signature layer: key set, decoder, verifier.
import Testing

@testable import JOSE

/// One token of a vector file.
struct TokenCase: Sendable, CustomTestStringConvertible {
    let file: String
    let id: Int
    let comment: String
    let key: [UInt8]
    let token: String?
    let expected: String

    var testDescription: String { "\(file) \(id) \(comment)" }

    static func all(_ path: String) throws -> [TokenCase] {
        try VectorFile.read(path)["testGroups"].list.flatMap { group in
            let key = group["public"].isObject ? group["public"] : group["private"]
            return group["tests"].list.map { test in
                TokenCase(
                    file: path,
                    id: test["tcId"].number,
                    comment: test["comment"].text ?? "",
                    key: key.json,
                    // A compact token, or nil for the JSON serialization, which has no place here.
                    token: test["jws"].text ?? test["jwe"].text,
                    expected: test["result"].text ?? ""
                )
            }
        }
    }
}

/// Whether the token is accepted with this JWK or JWK set; every error refuses it.
func accepts(_ key: [UInt8], _ token: String) -> Bool {
    guard let keys = try? KeySet.jwks(key) else { return false }
    let decoder = TokenDecoder()
    do {
        try decoder.decode(Array(token.utf8))
        try Verifier(keys: keys).verify(decoder)
        return true
    } catch {
        return false
    }
}

@Suite("JOSE token vectors", .enabled(if: VectorFile.isThere))
struct TokenVectorTests {
    /// Deliberate deviations from `result`, each with its reason.
    static let deviations: [String: [Int: String]] = [
        "wycheproof/json_web_signature_test.json": [
            346: "the key says PS256, the token PS384; the algorithm of a key is not the token's to choose",
            350: "as 346",
            347: "the key says alg ES521, which does not exist; the algorithm of a key must be known",
            351: "as 347",
            367: "published wrongly: it is octet for octet the valid token 357",
            370: "as 367",
            372: "published wrongly: a question mark inside base64url",
            373: "as 372",
        ]
    ]

    static let files = [
        "wycheproof/json_web_signature_test.json", "wycheproof/json_web_key_test.json",
        "wycheproof/json_web_crypto_test.json", "wycheproof/json_web_encryption_test.json",
        "rfc7515-appendix-a/rfc7515_appendix_a.json", "rfc8037/rfc8037_eddsa.json",
    ]

    @Test("tokens are accepted exactly if their vectors are valid", arguments: files)
    func tokens(file: String) throws {
        let cases = try TokenCase.all(file)
        let sizes = [
            "signature_test": 401, "key_test": 26, "web_crypto": 83, "encryption": 139, "rfc7515": 12, "rfc8037": 7,
        ]
        #expect(cases.count == sizes.first { file.contains($0.key) }?.value)
        var accepted = 0
        for test in cases {
            let isJWE = file.contains("encryption") || (file.contains("crypto") && test.id >= 50)
            let deviates = Self.deviations[file]?[test.id] != nil
            let want = !isJWE && test.token != nil && (test.expected == "valid") != deviates
            let got = test.token.map { accepts(test.key, $0) } ?? false
            #expect(got == want, "\(test.testDescription): \(test.expected)")
            accepted += got ? 1 : 0
        }
        let counts = [
            "signature_test": 42, "key_test": 5, "web_crypto": 4, "encryption": 0, "rfc7515": 4, "rfc8037": 1,
        ]
        let count = try #require(counts.first { file.contains($0.key) }?.value)
        #expect(accepted == count)
    }

    @Test("RFC 7638 and RFC 8037 thumbprints")
    func thumbprints() throws {
        let file = try VectorFile.read("rfc8037/rfc8037_eddsa.json")
        let group = try #require(file["testGroups"].list.first)
        #expect(try Key.jwk(group["public"].json).thumbprint == group["jwkThumbprintSha256"].text)
        let rsa = """
            {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP\
            ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJ\
            ZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1\
            jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}
            """
        #expect(try Key.jwk(Array(rsa.utf8)).thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
    }
}
