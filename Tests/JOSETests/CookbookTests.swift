// COLD. RFC 7520, RFC 7797 and RFC 8037 examples, and the account of every vector file: which test reads it.
import Foundation
import Testing

@testable import JOSE

private let folder = "ietf-jose-cookbook"

/// Whether the token is taken apart without an error.
private func error(of token: String) -> TokenError? {
    do throws(TokenError) {
        try TokenDecoder().decode(Array(token.utf8))
        return nil
    } catch {
        return error
    }
}

@Suite("JOSE cookbook", .enabled(if: VectorFile.isThere))
struct CookbookTests {
    static let signed = [
        "jws/4_1.rsa_v15_signature", "jws/4_2.rsa-pss_signature", "jws/4_3.ecdsa_signature",
        "jws/4_4.hmac-sha2_integrity_protection", "jws/4_5.signature_with_detached_content",
        "jws/4_6.protecting_specific_header_fields", "jws/4_7.protecting_content_only", "jws/4_8.multiple_signatures",
        "curve25519/jws", "rfc7797/4.2.hmac-sha2_b64_false", "rfc7797/hmac-sha2_b64_false",
    ]
    /// Those whose compact form is a token that may be believed; of the others there is none, or one without payload.
    static let compact: Set = [
        "jws/4_1.rsa_v15_signature", "jws/4_2.rsa-pss_signature", "jws/4_3.ecdsa_signature",
        "jws/4_4.hmac-sha2_integrity_protection", "curve25519/jws",
    ]
    static let encrypted = [
        "jwe/5_1.key_encryption_using_rsa_v15_and_aes-hmac-sha2",
        "jwe/5_2.key_encryption_using_rsa-oaep_with_aes-gcm",
        "jwe/5_3.key_wrap_using_pbes2-aes-keywrap_with-aes-cbc-hmac-sha2",
        "jwe/5_4.key_agreement_with_key_wrapping_using_ecdh-es_and_aes-keywrap_with_aes-gcm",
        "jwe/5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2", "jwe/5_6.direct_encryption_using_aes-gcm",
        "jwe/5_7.key_wrap_using_aes-gcm_keywrap_with_aes-cbc-hmac-sha2",
        "jwe/5_8.key_wrap_using_aes-keywrap_with_aes-gcm", "jwe/5_9.compressed_content",
        "jwe/5_10.including_additional_authentication_data", "jwe/5_11.protecting_specific_header_fields",
        "jwe/5_12.protecting_content_only", "jwe/5_13.encrypting_to_multiple_recipients", "curve25519/ecdh-es",
    ]

    private func keys(_ vector: Vector) -> [Vector] {
        let key = vector["input"]["key"]
        return key.isObject ? [key] : key.list
    }

    @Test("compact tokens are accepted, every other form is refused", arguments: signed)
    func tokens(name: String) throws {
        let vector = try VectorFile.read("\(folder)/\(name).json")
        let output = vector["output"]
        for key in keys(vector) {
            for form in ["json", "json_flat"] where output[form].isObject {
                #expect(!accepts(key.json, String(decoding: output[form].json, as: UTF8.self)))
            }
            guard let token = output["compact"].text else { continue }
            #expect(accepts(key.json, token) == Self.compact.contains(name))
        }
        #expect(!Self.compact.contains(name) || output["compact"].text != nil)
    }

    /// What RFC 7797 signs: the payload as it is.
    private func joined(_ flat: Vector, _ vector: Vector) throws -> String {
        let (head, payload) = (try #require(flat["protected"].text), try #require(vector["input"]["payload"].text))
        return "\(head).\(payload)"
    }

    @Test("the signatures themselves are right, in whatever form they come", arguments: signed)
    func signatures(name: String) throws {
        let vector = try VectorFile.read("\(folder)/\(name).json")
        let all = vector["signing"].isObject ? [vector["signing"]] : vector["signing"].list
        #expect(all.count == keys(vector).count)
        let algorithms = vector["input"]["alg"].text.map { [$0] } ?? vector["input"]["alg"].list.compactMap(\.text)
        for (index, key) in keys(vector).enumerated() {
            let signing = all[index]
            let algorithm = try #require(Algorithm(algorithms[index]))
            let flat = vector["output"]["json_flat"]
            // The second file of RFC 7797 is published with a `signing` that is not of its `output`.
            let isFlat = name.hasPrefix("rfc7797/")
            let text = isFlat ? try joined(flat, vector) : try #require(signing["sig-input"].text)
            let input = Array(text.utf8)
            let written = try #require(isFlat ? flat["signature"].text : signing["sig"].text)
            let signature = try #require(Base64URL.decode(Array(written.utf8)))
            let verifier = Verifier(keys: try KeySet([Key.jwk(key.json, algorithm: algorithm)]))
            #expect(verifier.verify(input, signature: signature, algorithm: algorithm))
            #expect(!verifier.verify(input + [0], signature: signature, algorithm: algorithm))
            // Where nothing is random, our signature is the same to the last bit.
            guard [.hmac, .rsa, .edDSA].contains(algorithm.family) else { continue }
            let signer = Signer(try SigningKey(jwk: key.json, algorithm: algorithm))
            #expect(signer.signature(input) == signature)
        }
    }

    @Test("RFC 7797: a payload that is not encoded is refused for its header")
    func unencodedPayload() throws {
        for name in Self.signed where name.hasPrefix("rfc7797/") {
            let vector = try VectorFile.read("\(folder)/\(name).json")
            let head = try #require(vector["output"]["json_flat"]["protected"].text)
            let signature = try #require(vector["output"]["json_flat"]["signature"].text)
            let content = try #require(vector["input"]["payload"].text)
            for payload in ["", Base64URL.encode(Array(content.utf8))] {
                #expect(error(of: "\(head).\(payload).\(signature)") == .criticalHeader)
            }
        }
    }

    @Test("encrypted tokens are refused before anything is done for them", arguments: encrypted)
    func encryption(name: String) throws {
        let output = try VectorFile.read("\(folder)/\(name).json")["output"]
        if let token = output["compact"].text { #expect(error(of: token) == .encrypted) }
        for form in ["json", "json_flat"] where output[form].isObject {
            #expect(error(of: String(decoding: output[form].json, as: UTF8.self)) != nil)
        }
    }

    @Test("RFC 7520 §6: the signed token inside is accepted, the encrypted one around it is not")
    func nested() throws {
        let vector = try VectorFile.read("\(folder)/6.nesting_signatures_and_encryption.json")
        let inner = try #require(vector["sign"]["output"]["compact"].text)
        let outer = try #require(vector["encrypt"]["output"]["compact"].text)
        #expect(accepts(vector["sign"]["input"]["key"].json, inner))
        #expect(error(of: outer) == .encrypted)
    }

    @Test("RFC 7520 §3: keys for signatures are taken, the one for encryption is not")
    func keys() throws {
        func read(_ name: String) throws -> [UInt8] { try VectorFile.read("\(folder)/jwk/\(name).json").json }
        for (name, kind) in [("3_1.ec_public_key", KeyKind.p521), ("3_3.rsa_public_key", .rsa)] {
            #expect(try Key.jwk(read(name)).kind == kind)
            #expect(throws: KeyError.notPrivate) { try SigningKey(jwk: read(name), algorithm: nil) }
        }
        #expect(try SigningKey(jwk: read("3_2.ec_private_key")).algorithm == .es512)
        #expect(try SigningKey(jwk: read("3_4.rsa_private_key"), algorithm: .ps256).algorithm == .ps256)
        #expect(throws: KeyError.algorithmNeeded) { try SigningKey(jwk: read("3_4.rsa_private_key")) }
        #expect(try Key.jwk(read("3_5.symmetric_key_mac_computation")).algorithms == AlgorithmSet(.hs256))
        #expect(throws: KeyError.notForSignatures) { try Key.jwk(read("3_6.symmetric_key_encryption")) }
    }

    @Test("RFC 7515 and RFC 8037: where nothing is random, our signature is theirs")
    func reproducible() throws {
        for file in ["rfc7515-appendix-a/rfc7515_appendix_a.json", "rfc8037/rfc8037_eddsa.json"] {
            var same = 0
            for group in try VectorFile.read(file)["testGroups"].list {
                for test in group["tests"].list where test["result"].text == "valid" {
                    guard let token = test["jws"].text, let dot = token.lastIndex(of: ".") else { continue }
                    let decoder = TokenDecoder()
                    try decoder.decode(Array(token.utf8))
                    guard [.hmac, .rsa, .edDSA].contains(decoder.algorithm.family) else { continue }
                    let key = try SigningKey(jwk: group["private"].json, algorithm: decoder.algorithm)
                    let signature = try #require(Signer(key).signature(Array(token[..<dot].utf8)))
                    #expect(Base64URL.encode(signature) == token[token.index(after: dot)...])
                    same += 1
                }
            }
            #expect(same == (file.contains("7515") ? 2 : 1))
        }
    }

    @Test("every vector file is read by a test")
    func account() throws {
        let root = try #require(VectorFile.folder)
        var known: Set = ["\(folder)/6.nesting_signatures_and_encryption.json"]
        known.formUnion((Self.signed + Self.encrypted).map { "\(folder)/\($0).json" })
        known.formUnion(PrimitiveVectorTests.files.map { "wycheproof/\($0.name).json" })
        known.formUnion(TokenVectorTests.files)
        let paths = try #require(FileManager.default.enumerator(atPath: root)).compactMap { $0 as? String }
        // Schemas describe the vectors; the keys of §3 are read above, one by one.
        let vectors = paths.filter {
            $0.hasSuffix(".json") && !$0.contains("schema") && !$0.hasPrefix("\(folder)/jwk/")
        }
        #expect(Set(vectors) == known)
        #expect(paths.count { $0.hasPrefix("\(folder)/jwk/") && $0.hasSuffix(".json") } == 6)
    }
}
