// COLD. Why a token is refused; no case carries a byte of the token.

/// Why a token is not accepted.
///
/// All are the client's fault, except `cryptoFailure`, which means that OpenSSL did not work.
public enum TokenError: UInt8, Error, CaseIterable, Sendable {
    /// Not three parts separated by dots.
    case malformed
    /// Longer than the limit, or with more JSON members than the limit.
    case tooLarge
    /// A part is not strict base64url.
    case badBase64
    /// The header or the payload is not a JSON object.
    case badJSON
    /// A JSON object holds a name twice.
    case duplicateName
    /// JSON nested deeper than the limit.
    case tooDeep
    /// The header lacks `alg`, or one of its members has the wrong type or length.
    case badHeader
    /// `alg` is unknown or `none`.
    case unsupportedAlgorithm
    /// `alg` is known but not allowed here.
    case algorithmNotAllowed
    /// `crit` or `b64` in the header (RFC 7515 §4.1.11, RFC 7797).
    case criticalHeader
    /// An encrypted token (five parts, or `enc` or `zip` in the header).
    case encrypted
    /// No key with this `kid` and algorithm.
    case unknownKey
    /// No key matches the signature.
    case badSignature
    /// A registered claim has the wrong type or an impossible value.
    case badClaim
    /// OpenSSL failed; not the client's fault.
    case cryptoFailure

    /// Stable name for logs and metrics.
    public var code: StaticString {
        switch self {
        case .malformed: "token_malformed"
        case .tooLarge: "token_too_large"
        case .badBase64: "token_bad_base64"
        case .badJSON: "token_bad_json"
        case .duplicateName: "token_duplicate_name"
        case .tooDeep: "token_too_deep"
        case .badHeader: "token_bad_header"
        case .unsupportedAlgorithm: "token_unsupported_algorithm"
        case .algorithmNotAllowed: "token_algorithm_not_allowed"
        case .criticalHeader: "token_critical_header"
        case .encrypted: "token_encrypted"
        case .unknownKey: "token_unknown_key"
        case .badSignature: "token_bad_signature"
        case .badClaim: "token_bad_claim"
        case .cryptoFailure: "token_crypto_failure"
        }
    }

    /// A sentence for the operator; it holds nothing of the token.
    public var message: StaticString {
        switch self {
        case .malformed: "it is not three parts separated by dots"
        case .tooLarge: "it is longer, or its JSON has more values, than the limit"
        case .badBase64: "a part is not base64url: padding, white space and stray bits are not allowed"
        case .badJSON: "the header or the payload is not a JSON object"
        case .duplicateName: "a JSON object has the same name twice"
        case .tooDeep: "its JSON is nested too deep"
        case .badHeader: "the header has no alg, or alg, kid or typ is not text or too long"
        case .unsupportedAlgorithm: "its alg is unknown here, or none"
        case .algorithmNotAllowed: "its alg is not the allowed one"
        case .criticalHeader: "the header has crit or b64, which no extension here understands"
        case .encrypted: "it is encrypted or compressed"
        case .unknownKey: "no key has its kid and its alg"
        case .badSignature: "no key matches its signature"
        case .badClaim: "iss, sub, aud, jti, exp, nbf or iat has a wrong type or an impossible value"
        case .cryptoFailure: "OpenSSL failed"
        }
    }

    /// Whether the token's bearer caused it.
    public var isClientFault: Bool { self != .cryptoFailure }
}

/// Why a key or a key set cannot be used.
public enum KeyError: Error, Equatable, Sendable {
    case badJSON
    case tooManyKeys
    case unsupportedKeyType
    case unsupportedCurve
    case unsupportedAlgorithm
    case algorithmMismatch
    case notForSignatures
    case missingMember(String)
    case badMember(String)
    case weakRSA(bits: Int)
    case weakExponent
    case vulnerableRSA
    case oversizedRSA(bits: Int)
    case shortSecret(bits: Int, needed: Int)
    case badPoint
    case badPEM
    case encryptedPEM
    case noKeyInPEM
    case severalKeysInPEM
    case secretIsPEM
    case secretIsJWK
    case mixedKinds
    case duplicateID(String)
    case algorithmNeeded
    case notPrivate
    case cryptoFailure

    /// Whether the key was meant to be usable, but is broken.
    var isMalformed: Bool {
        switch self {
        case .badJSON, .missingMember, .badMember, .badPoint: true
        default: false
        }
    }

    /// A sentence for the operator; it holds no key material.
    public var message: String {
        switch self {
        case .badJSON: "not valid JSON for a key or a key set"
        case .tooManyKeys: "more than \(KeySet.maximumCount) keys"
        case .unsupportedKeyType: "key type (kty) is not RSA, EC, OKP or oct"
        case .unsupportedCurve: "curve (crv) is not P-256, P-384, P-521 or Ed25519"
        case .unsupportedAlgorithm: "algorithm (alg) is not a signature algorithm known here"
        case .algorithmMismatch: "the algorithm does not fit the key"
        case .notForSignatures: "use or key_ops does not allow to verify signatures"
        case .missingMember(let name): "member \(name) is missing"
        case .badMember(let name): "member \(name) has a wrong type, length or encoding"
        case .weakRSA(let bits): "RSA key of \(bits) bits; 2048 are needed"
        case .weakExponent: "RSA public exponent is even, below 3 or above 64 bits"
        case .vulnerableRSA: "RSA modulus has the ROCA fingerprint (CVE-2017-15361)"
        case .oversizedRSA(let bits): "RSA key of \(bits) bits; at most 8192 are taken"
        case .shortSecret(let bits, let needed): "secret of \(bits) bits; \(needed) are needed"
        case .badPoint: "public key is not a valid point of its curve"
        case .badPEM: "PEM block cannot be read"
        case .encryptedPEM: "PEM key is encrypted; store it in clear behind file permissions"
        case .noKeyInPEM: "no PEM block with a key or certificate"
        case .severalKeysInPEM: "more than one key; write each into a file of its own"
        case .secretIsPEM: "a PEM file is given as HMAC secret"
        case .secretIsJWK: "a JSON Web Key is given as HMAC secret; its text is not the secret"
        case .mixedKinds: "secrets and public keys in one set"
        case .duplicateID(let id): "two keys with kid \"\(id)\" and the same algorithm"
        case .algorithmNeeded: "the algorithm must be given for this key, such as algorithm: RS256"
        case .notPrivate: "no private key in it"
        case .cryptoFailure: "OpenSSL failed"
        }
    }
}
