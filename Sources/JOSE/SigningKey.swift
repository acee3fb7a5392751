// COLD. A key that signs, read from PEM or JWK or made new.
internal import COpenSSL

/// A private key or secret with the one algorithm that it signs with; immutable, shared by all threads.
public final class SigningKey: Sendable {
    /// What it signs with.
    public let algorithm: Algorithm
    /// The key that verifies, with the same `kid`.
    public let publicKey: Key
    /// The private key; nil for a secret.
    let key: EVPKey?

    /// Its `kid`, or nil.
    public var id: String? { publicKey.idText }

    private init(key: EVPKey, algorithm: Algorithm?, id: String?) throws(KeyError) {
        guard let half = PEM.publicHalf(key) else { throw .cryptoFailure }
        let kind = try KeyChecks.kind(of: half)
        let fitting = kind.algorithms.algorithms
        if let algorithm, !fitting.contains(algorithm) { throw .algorithmMismatch }
        guard let chosen = algorithm ?? (fitting.count == 1 ? fitting.first : nil) else { throw .algorithmNeeded }
        // A key without a name is named by its thumbprint (RFC 7638).
        let set = AlgorithmSet(chosen)
        let nameless = Key(key: half, kind: kind, algorithms: set, id: nil)
        let name = id ?? nameless.thumbprint
        publicKey = Key(key: half, kind: kind, algorithms: set, id: name.map { Array($0.utf8) })
        self.algorithm = chosen
        self.key = key
        guard fits() else { throw .badMember("d") }
    }

    /// A secret that signs with HMAC.
    public init(secret: [UInt8], algorithm: Algorithm, id: String? = nil) throws(KeyError) {
        publicKey = try Key.secret(secret, algorithm: algorithm, id: id)
        self.algorithm = algorithm
        key = nil
    }

    /// The private key of a PEM text; RSA needs the algorithm.
    ///
    /// Without an id, its RFC 7638 thumbprint is the id.
    public convenience init(pem: [UInt8], algorithm: Algorithm? = nil, id: String? = nil) throws(KeyError) {
        try self.init(key: PEM.key(pem, privateOnly: true).key, algorithm: algorithm, id: id)
    }

    /// The private key or secret of a JWK; the given id and algorithm go before its own.
    public convenience init(jwk text: [UInt8], algorithm: Algorithm? = nil, id: String? = nil) throws(KeyError) {
        let jwk = try JWK(text)
        try jwk.requireUse(operations: ["sign", "verify"])
        let own = try jwk.text("kid")
        let name = id ?? own
        if try jwk.text("kty") == "oct" {
            let set = try jwk.algorithms(kind: .secret, given: algorithm)
            guard set.algorithms.count == 1, let only = set.algorithms.first else { throw .algorithmNeeded }
            try self.init(secret: try jwk.octets("k"), algorithm: only, id: name)
            return
        }
        guard jwk.document.member(jwk.object, "d") >= 0 else { throw .notPrivate }
        let key = try jwk.key(withPrivate: true)
        let set = try jwk.algorithms(kind: KeyChecks.kind(of: key), given: algorithm)
        try self.init(key: key, algorithm: set.algorithms.count == 1 ? set.algorithms.first : algorithm, id: name)
    }

    /// Whether the private and the public half belong together: signs once and verifies.
    private func fits() -> Bool {
        let probe = Array("portcullis".utf8)
        guard let signature = Signer(self).signature(probe), let set = try? KeySet([publicKey]) else { return false }
        return Verifier(keys: set).verify(probe, signature: signature, algorithm: algorithm)
    }

    /// The private key as PEM (PKCS #8, not encrypted); nil for a secret.
    public var privatePEM: String? { key.flatMap { PEM.privateText($0) } }

    /// The private key or the secret as a JWK with all its members (RFC 7517 §4, RFC 7518 §6); nil if OpenSSL fails.
    public var privateJWK: String? {
        guard let key, let members = JWKMembers(key, publicKey.kind) else { return secretJWK }
        var text = ""
        func add(_ name: String, _ bytes: [UInt8]?) -> Bool {
            guard let bytes else { return false }
            text += #","\#(name)":"\#(Base64URL.encode(bytes))""#
            return true
        }
        switch publicKey.kind {
        case .rsa, .rsaPSS:
            let parts = [
                ("d", "d"), ("p", "rsa-factor1"), ("q", "rsa-factor2"), ("dp", "rsa-exponent1"),
                ("dq", "rsa-exponent2"), ("qi", "rsa-coefficient1"),
            ]
            for (name, parameter) in parts where !add(name, key.number(parameter)) { return nil }
        case .p256, .p384, .p521:
            guard add("d", key.number("priv", size: algorithm.coordinateSize)) else { return nil }
        case .ed25519:
            guard add("d", key.octets("priv")) else { return nil }
        case .secret: return nil
        }
        return members.jwk(id: id, algorithm: algorithm, privateMembers: text)
    }

    private var secretJWK: String? {
        guard key == nil, let secret = unsafe publicKey.secret else { return nil }
        let bytes = unsafe Array(UnsafeBufferPointer(start: secret, count: publicKey.size))
        let name = id.map { #","kid":\#(JWKMembers.quoted($0))"# } ?? ""
        return #"{"k":"\#(Base64URL.encode(bytes))","kty":"oct","alg":"\#(algorithm.name)"\#(name),"use":"sig"}"#
    }

    /// Makes a new key; its id is its thumbprint, or random for secrets.
    public static func generate(_ algorithm: Algorithm, rsaBits: Int = 3072) throws(KeyError) -> SigningKey {
        var key: OpaquePointer?
        switch algorithm.family {
        case .hmac:
            var bytes = [UInt8](repeating: 0, count: algorithm.digestSize)
            guard unsafe RAND_priv_bytes(&bytes, Int32(bytes.count)) == 1 else { throw .cryptoFailure }
            var name = [UInt8](repeating: 0, count: 12)
            guard unsafe RAND_bytes(&name, Int32(name.count)) == 1 else { throw .cryptoFailure }
            return try SigningKey(secret: bytes, algorithm: algorithm, id: Base64URL.encode(name))
        case .rsa, .rsaPSS:
            guard rsaBits >= KeyChecks.leastRSA else { throw .weakRSA(bits: rsaBits) }
            guard rsaBits <= KeyChecks.mostRSA else { throw .oversizedRSA(bits: rsaBits) }
            unsafe key = pc_EVP_RSA_gen(UInt32(rsaBits))
        case .ecdsa:
            let curve = algorithm == .es256 ? "P-256" : algorithm == .es384 ? "P-384" : "P-521"
            unsafe key = pc_EVP_EC_gen(curve)
        case .edDSA: unsafe key = pc_EVP_ED25519_gen()
        }
        guard let key = unsafe key else {
            ERR_clear_error()
            throw .cryptoFailure
        }
        return try SigningKey(key: unsafe EVPKey(owning: key), algorithm: algorithm, id: nil)
    }
}
