// COLD. The portal's signatures: one key for each purpose, derived from every secret of the ring.
internal import COpenSSL
internal import JOSE

/// HMAC-SHA256 with a ring of secrets: the first signs, all verify, so that changing the secret logs nobody out.
///
/// Each purpose has a key of its own, and the fields of a message carry their lengths: what was signed as one thing can
/// never be read as another (advisory C24).
struct KeyRing: Sendable {
    /// What is signed.
    enum Purpose: String, CaseIterable, Sendable {
        case flow, form, device, handoff, page
    }

    private let keys: [Purpose: [[UInt8]]]

    /// A ring; `secrets` is not empty.
    init(_ secrets: [[UInt8]]) {
        var keys: [Purpose: [[UInt8]]] = [:]
        for purpose in Purpose.allCases {
            keys[purpose] = secrets.map { KeyRing.hmac($0, Array("portcullis portal v1: \(purpose.rawValue)".utf8)) }
        }
        self.keys = keys
    }

    /// 43 base64url characters.
    func sign(_ purpose: Purpose, _ parts: [String]) -> String {
        guard let key = keys[purpose]?.first else { return "" }
        return Base64URL.encode(KeyRing.hmac(key, KeyRing.message(parts)))
    }

    /// Whether one of the ring's keys made `signature`.
    func verify(_ purpose: Purpose, _ parts: [String], _ signature: String) -> Bool {
        guard let given = Base64URL.decode(Array(signature.utf8)), given.count == 32 else { return false }
        let message = KeyRing.message(parts)
        var isGood = false
        for key in keys[purpose] ?? [] where Same.bytes(KeyRing.hmac(key, message), given) { isGood = true }
        return isGood
    }

    private static func message(_ parts: [String]) -> [UInt8] {
        var message: [UInt8] = []
        for part in parts {
            let count = UInt32(truncatingIfNeeded: part.utf8.count)
            for shift in [24, 16, 8, 0] as [UInt32] { message.append(UInt8(truncatingIfNeeded: count >> shift)) }
            message += Array(part.utf8)
        }
        return message
    }

    private static func hmac(_ key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var count = 0
        let made = EVP_Q_mac(
            nil,
            "HMAC",
            nil,
            "SHA256",
            nil,
            key,
            key.count,
            message,
            message.count,
            &digest,
            32,
            &count
        )
        // No byte from outside can bring this about: the library is broken or out of memory, and a constant
        // signature would open every door.
        precondition(made != nil && count == 32, "HMAC-SHA256 is not available")
        return digest
    }
}

/// Comparisons that take the same time wherever the first difference is.
enum Same {
    /// Whether all bytes are the same.
    static func bytes(_ a: [UInt8], _ b: [UInt8]) -> Bool { a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0 }
    /// Whether two texts are the same, byte for byte; an empty one is never.
    static func secrets(_ a: String, _ b: String) -> Bool { !a.isEmpty && bytes(Array(a.utf8), Array(b.utf8)) }
}
