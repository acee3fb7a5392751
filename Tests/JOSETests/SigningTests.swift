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
