// COLD. Bytes as text, digests, random bytes and comparing secrets; nothing of accounts.
import COpenSSL

/// The two alphabets of RFC 4648, without padding.
enum Base64 {
    private static let standard = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// `isURL`: `-` and `_` in place of `+` and `/`.
    static func encode(_ bytes: some Sequence<UInt8>, isURL: Bool) -> String {
        let alphabet = isURL ? urlSafe : standard
        var text: [UInt8] = []
        var bits = 0
        var value = 0
        for byte in bytes {
            value = (value << 8 | Int(byte)) & 0xfff
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[value >> bits & 63])
            }
        }
        if bits > 0 { text.append(alphabet[value << (6 - bits) & 63]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of the standard alphabet; nil when the text is not what `encode` writes.
    static func decode(_ text: Substring) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits = 0
        var value = 0
        for character in text.utf8 {
            guard let digit = standard.firstIndex(of: character) else { return nil }
            value = (value << 6 | digit) & 0xfff
            bits += 6
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> bits))
        }
        return bits < 6 && value & (1 << bits - 1) == 0 ? bytes : nil
    }
}

/// Digests and random bytes.
enum Digest {
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        return digest
    }

    static func md5(_ bytes: [UInt8]) -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 16)
        var count: CUnsignedInt = 0
        return EVP_Digest(bytes, bytes.count, &digest, &count, EVP_md5(), nil) == 1 && count == 16 ? digest : nil
    }

    /// Nil when OpenSSL refuses the hash function.
    static func hmac(_ hash: String, key: [UInt8], _ bytes: [UInt8]) -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 64)
        var count = 0
        let done = EVP_Q_mac(
            nil,
            "HMAC",
            nil,
            hash,
            nil,
            key,
            key.count,
            bytes,
            bytes.count,
            &digest,
            digest.count,
            &count
        )
        return done != nil ? Array(digest[..<count]) : nil
    }

    /// From the kernel's generator.
    ///
    /// OpenSSL would keep one for every thread that asks, and those of Swift's tasks come and go.
    static func random(_ count: Int) -> [UInt8]? {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in generator.next() }
    }
}

/// Compares without telling where two secrets differ; only their lengths may show.
func isEqualInConstantTime(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
}
