// COLD. One key that verifies, and what it may be used for; immutable, shared by all threads.
internal import COpenSSL
import Glibc

/// What a key is.
public enum KeyKind: UInt8, Sendable {
    case rsa
    /// RSA, restricted to PSS by its certificate or PEM.
    case rsaPSS
    case p256, p384, p521, ed25519, secret

    /// Every algorithm such a key can serve; the curve fixes it (RFC 7518 §3.4).
    var algorithms: AlgorithmSet {
        switch self {
        case .rsa: .rsa
        case .rsaPSS: .rsaPSS
        case .p256: AlgorithmSet(.es256)
        case .p384: AlgorithmSet(.es384)
        case .p521: AlgorithmSet(.es512)
        case .ed25519: AlgorithmSet(.edDSA)
        case .secret: .hmac
        }
    }
}

/// A key that verifies signatures: a public key, or a secret for HMAC.
///
/// The algorithms belong to the key, never to the token (RFC 8725 §3.1).
@safe
public final class Key: @unchecked Sendable {
    // Exception: @unchecked because of the secret's pointer, which is written in `init` only.

    /// What it is.
    public let kind: KeyKind
    /// What it may verify: one algorithm, unless its source named none and its kind has several.
    public let algorithms: AlgorithmSet
    /// Its `kid`, or nil: then it fits every token whose algorithm fits.
    public let id: [UInt8]?
    /// Bytes of the modulus, of a coordinate, of the secret.
    public let size: Int
    /// The public key; nil for a secret.
    let key: EVPKey?
    let secret: UnsafeMutablePointer<UInt8>?

    /// A public key that was checked.
    init(key: EVPKey, kind: KeyKind, algorithms: AlgorithmSet, id: [UInt8]?) {
        self.key = key
        self.kind = kind
        self.algorithms = algorithms
        self.id = id
        size = unsafe (Int(EVP_PKEY_get_bits(key.pointer)) + 7) / 8
        unsafe secret = nil
    }

    private init(secret bytes: [UInt8], algorithms: AlgorithmSet, id: [UInt8]?) {
        kind = .secret
        key = nil
        size = bytes.count
        self.algorithms = algorithms
        self.id = id
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, bytes.count))
        unsafe memcpy(memory, bytes, bytes.count)
        unsafe secret = memory
    }

    deinit {
        guard let secret = unsafe secret else { return }
        unsafe OPENSSL_cleanse(secret, size)
        unsafe secret.deallocate()
    }

    /// A secret for HMAC, at least as long as the digest (RFC 7518 §3.2).
    ///
    /// Without an algorithm it serves every HMAC algorithm that it is long enough for. The bytes are taken as they
    /// are: a file's last line break is the caller's to remove.
    public static func secret(_ bytes: [UInt8], algorithm: Algorithm?, id: String? = nil) throws(KeyError) -> Key {
        // Public keys that are used as secrets let everybody sign (RFC 8725 §2.1).
        let text = bytes.drop { $0 <= 0x20 }
        guard !text.starts(with: Array("-----BEGIN".utf8)) else { throw .secretIsPEM }
        guard text.first != 0x7b || !String(decoding: text, as: UTF8.self).contains("\"kty\"") else {
            throw .secretIsJWK
        }
        if let algorithm, !algorithm.isSymmetric { throw .algorithmMismatch }
        let wanted = algorithm.map { AlgorithmSet($0) } ?? .hmac
        let long = AlgorithmSet(wanted.algorithms.filter { bytes.count >= $0.digestSize })
        guard !long.isEmpty else {
            throw .shortSecret(bits: bytes.count * 8, needed: (algorithm ?? .hs256).digestSize * 8)
        }
        return Key(secret: bytes, algorithms: long, id: id.map { Array($0.utf8) })
    }

    /// Its `kid` as text.
    public var idText: String? { id.map { String(decoding: $0, as: UTF8.self) } }

    /// Its RFC 7638 thumbprint (SHA-256, base64url); nil for secrets, whose thumbprint would help guessing them.
    public var thumbprint: String? {
        guard let key, let members = JWKMembers(key, kind) else { return nil }
        return Base64URL.encode(OpenSSL.sha256(Array(members.required.utf8)))
    }

    /// The public key as a JWK; nil for secrets.
    public var jwk: String? {
        guard let key, let members = JWKMembers(key, kind) else { return nil }
        return members.jwk(id: idText, algorithm: algorithms.algorithms.count == 1 ? algorithms.algorithms.first : nil)
    }

    /// The public key as PEM; nil for secrets.
    public var pem: String? { key.flatMap { PEM.publicText($0) } }
}

/// The required members of a public JWK, in the order of RFC 7638 §3.2.
struct JWKMembers {
    let required: String

    init?(_ key: EVPKey, _ kind: KeyKind) {
        let size: Int
        let curve: String
        switch kind {
        case .rsa, .rsaPSS:
            guard let n = key.number("n"), let e = key.number("e") else { return nil }
            required = #"{"e":"\#(Base64URL.encode(e))","kty":"RSA","n":"\#(Base64URL.encode(n))"}"#
            return
        case .ed25519:
            guard let x = key.octets("pub") else { return nil }
            required = #"{"crv":"Ed25519","kty":"OKP","x":"\#(Base64URL.encode(x))"}"#
            return
        case .secret: return nil
        case .p256: (curve, size) = ("P-256", 32)
        case .p384: (curve, size) = ("P-384", 48)
        case .p521: (curve, size) = ("P-521", 66)
        }
        guard let x = key.number("qx", size: size), let y = key.number("qy", size: size) else { return nil }
        required = #"{"crv":"\#(curve)","kty":"EC","x":"\#(Base64URL.encode(x))","y":"\#(Base64URL.encode(y))"}"#
    }

    /// A JWK for publication.
    func jwk(id: String?, algorithm: Algorithm?, privateMembers: String = "") -> String {
        var text = String(required.dropLast())
        if let algorithm { text += #","alg":"\#(algorithm.name)""# }
        if let id { text += #","kid":\#(JWKMembers.quoted(id))"# }
        return text + #","use":"sig""# + privateMembers + "}"
    }

    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
