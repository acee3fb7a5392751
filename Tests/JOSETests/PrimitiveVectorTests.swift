// COLD. Wycheproof's signatures over plain messages, through the same verifier.
import Testing

@testable import JOSE

@Suite("JOSE primitive vectors", .enabled(if: VectorFile.isThere))
struct PrimitiveVectorTests {
    struct File: Sendable, CustomTestStringConvertible {
        let name: String
        let algorithm: Algorithm
        let count: Int
        var testDescription: String { name }
    }

    static let files = [
        File(name: "ecdsa_secp256r1_sha256_p1363_test", algorithm: .es256, count: 262),
        File(name: "ecdsa_secp384r1_sha384_p1363_test", algorithm: .es384, count: 280),
        File(name: "ecdsa_secp521r1_sha512_p1363_test", algorithm: .es512, count: 318),
        File(name: "ed25519_test", algorithm: .edDSA, count: 151),
        File(name: "rsa_signature_2048_sha256_test", algorithm: .rs256, count: 259),
        File(name: "rsa_pss_2048_sha256_mgf1_32_test", algorithm: .ps256, count: 108),
    ]

    @Test("signatures are accepted exactly if their vectors are valid", arguments: files)
    func signatures(file: File) throws {
        var count = 0
        var refusedKeys = 0
        for group in try VectorFile.read("wycheproof/\(file.name).json")["testGroups"].list {
            let verifier: Verifier?
            do {
                verifier = try Verifier(keys: KeySet([Self.key(group, file.algorithm)]))
            } catch {
                refusedKeys += 1
                verifier = nil
            }
            for test in group["tests"].list {
                count += 1
                let got =
                    verifier?.verify(test["msg"].hex, signature: test["sig"].hex, algorithm: file.algorithm) ?? false
                // "acceptable" are old encodings that some libraries take; none is taken here.
                let want = test["result"].text == "valid"
                let label = "\(file.name) \(test["tcId"].number) \(test["comment"].text ?? "")"
                #expect(got == want, "\(label): \(test["result"].text ?? "")")
            }
        }
        #expect(count == file.count)
        #expect(refusedKeys == 0)
    }

    private static func key(_ group: Vector, _ algorithm: Algorithm) throws -> Key {
        for name in ["publicKeyJwk", "publicKey"] where group[name]["kty"].text != nil {
            return try Key.jwk(group[name].json)
        }
        let pem = try #require(group["publicKeyPem"].text)
        return try Key.pem(Array(pem.utf8), algorithm: algorithm)
    }
}
