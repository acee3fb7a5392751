// COLD. Keys made, written, read back; tokens signed and verified with every algorithm.
import Testing

@testable import JOSE

@Suite("JOSE signing")
struct SigningTests {
    static let payload = #"{"iss":"https://issuer.example","sub":"u1","exp":1900000000}"#

    @Test("a token of every algorithm verifies with its key and with no other", arguments: Algorithm.allCases)
    func roundTrip(algorithm: Algorithm) throws {
        let key = try SigningKey.generate(algorithm, rsaBits: 2048)
        let other = try SigningKey.generate(algorithm, rsaBits: 2048)
        let signer = Signer(key)
        let decoder = TokenDecoder()
        let verifier = Verifier(keys: try KeySet([key.publicKey]))
        // Several times: contexts are used again.
        for round in 0..<5 {
            let token = try #require(signer.sign(Self.payload))
            try decoder.decode(Array(token.utf8))
            #expect(decoder.algorithm == algorithm)
            #expect(try verifier.verify(decoder) == 0, "round \(round)")
            #expect(try decoder.claims().expiry == 1_900_000_000)
            let stranger = try Verifier(keys: KeySet([other.publicKey]))
            #expect(throws: TokenError.unknownKey) { try stranger.verify(decoder) }
        }
        // The same with a key without a name: it is tried, and does not fit.
        let token = try #require(signer.sign(Self.payload))
        try decoder.decode(Array(token.utf8))
        let nameless: Key
        if let pem = other.publicKey.pem {
            nameless = try Key.pem(Array(pem.utf8), algorithm: algorithm)
        } else {
            nameless = try Key.secret([UInt8](repeating: 7, count: 64), algorithm: algorithm)
        }
        let set = try KeySet([nameless])
        #expect(throws: TokenError.badSignature) { try Verifier(keys: set).verify(decoder) }
    }

    @Test("private keys survive their JWK", arguments: Algorithm.allCases)
    func privateJWK(algorithm: Algorithm) throws {
        let key = try SigningKey.generate(algorithm, rsaBits: 2048)
        let again = try SigningKey(jwk: Array(try #require(key.privateJWK).utf8))
        #expect(again.id == key.id)
        #expect(again.algorithm == algorithm)
        #expect(again.privateJWK == key.privateJWK)
        let token = try #require(Signer(again).sign(Self.payload))
        let decoder = TokenDecoder()
        try decoder.decode(Array(token.utf8))
        #expect(throws: Never.self) { try Verifier(keys: KeySet([key.publicKey])).verify(decoder) }
    }

    @Test("a file with several keys, or a key file as a secret, is refused")
    func confusions() throws {
        let (one, two) = (try SigningKey.generate(.es256), try SigningKey.generate(.edDSA))
        let pem = try #require(one.publicKey.pem)
        let other = try #require(two.publicKey.pem)
        for line in ["", "\n", "# a comment\r\n"] {
            #expect(
                try Key.pem(Array((line + pem).utf8), algorithm: nil).jwk
                    == Key.pem(Array(pem.utf8), algorithm: nil).jwk
            )
            for text in [line + pem + other, pem.replacing("\n", with: "\r\n") + line + pem] {
                #expect(throws: KeyError.severalKeysInPEM) { try Key.pem(Array(text.utf8), algorithm: nil) }
            }
        }
        let jwk = try #require(one.publicKey.jwk)
        for text in [jwk, "\n \(jwk)", #"{"keys":[\#(jwk)]}"#] {
            #expect(throws: KeyError.secretIsJWK) { try Key.secret(Array(text.utf8), algorithm: .hs256) }
        }
        let both = try #require(one.privatePEM) + (try #require(two.privatePEM))
        #expect(throws: KeyError.severalKeysInPEM) { try SigningKey(pem: Array(both.utf8)) }
        #expect(throws: KeyError.secretIsPEM) { try Key.secret(Array("\n \(pem)".utf8), algorithm: .hs256) }
        #expect(throws: Never.self) {
            try Key.secret(Array("{not a key, but long enough to be one}".utf8), algorithm: .hs256)
        }
    }

    @Test("a key with an empty kid is for tokens with an empty kid")
    func emptyID() throws {
        let secret = [UInt8](repeating: 1, count: 32)
        let set = try KeySet([Key.secret(secret, algorithm: .hs256, id: "")])
        for (id, fits) in [("", true), ("x", false)] {
            let token = try #require(Signer(SigningKey(secret: secret, algorithm: .hs256, id: id)).sign("{}"))
            let decoder = TokenDecoder()
            try decoder.decode(Array(token.utf8))
            #expect((try? Verifier(keys: set).verify(decoder)) == (fits ? 0 : nil))
        }
    }

    @Test("keys survive PEM and JWK", arguments: Algorithm.allCases.filter { !$0.isSymmetric })
    func forms(algorithm: Algorithm) throws {
        let key = try SigningKey.generate(algorithm, rsaBits: 2048)
        let pem = try #require(key.privatePEM)
        let again = try SigningKey(pem: Array(pem.utf8), algorithm: algorithm)
        #expect(again.id == key.id)
        #expect(again.publicKey.jwk == key.publicKey.jwk)
        let token = try #require(Signer(again).sign(Self.payload))
        let decoder = TokenDecoder()
        try decoder.decode(Array(token.utf8))
        let fromPrivatePEM = try Key.pem(Array(pem.utf8), algorithm: algorithm)
        let fromPEM = try Key.pem(Array(#require(key.publicKey.pem).utf8), algorithm: algorithm)
        let fromJWK = try Key.jwk(Array(#require(key.publicKey.jwk).utf8))
        for key in [fromPrivatePEM, fromPEM, fromJWK] {
            #expect(throws: Never.self) { try Verifier(keys: KeySet([key])).verify(decoder) }
        }
        #expect(fromJWK.algorithms == AlgorithmSet(algorithm))
        #expect(fromJWK.idText == key.id)
    }
}
