// COLD. One-time codes from a shared secret and the time (RFC 6238, RFC 4226).

/// A second factor of an account.
public struct TOTPEnrollment: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The hash function of the code.
    public enum Algorithm: String, Sendable, CaseIterable {
        /// What every app knows.
        case sha1 = "SHA1"
        /// HMAC-SHA-256.
        case sha256 = "SHA256"
        /// HMAC-SHA-512.
        case sha512 = "SHA512"
    }
    /// The secret, 10 to 128 bytes.
    public var secret: [UInt8]
    /// The hash function.
    public var algorithm: Algorithm
    /// Digits of a code, 6 to 8.
    public var digits: Int
    /// Seconds of a step, 15 to 300.
    public var period: Int

    /// A second factor, by default of the kind that every app knows.
    public init(secret: [UInt8], algorithm: Algorithm = .sha1, digits: Int = 6, period: Int = 30) {
        self.secret = secret
        self.algorithm = algorithm
        self.digits = digits
        self.period = period
    }

    /// Never the secret.
    public var description: String { "<redacted>" }
    /// Never the secret.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Codes.
public enum TOTP {
    /// The step whose code this is, among the present one and its neighbours; nil: none.
    ///
    /// A code must be good for one login only (RFC 6238 §5.2): claim `totp:<account>:<step>` and refuse when it was
    /// claimed before. Blanks in the code do not count. `now`: Unix seconds.
    public static func verify(_ enrollment: TOTPEnrollment, code: String, now: Int64) -> Int64? {
        let typed = Array(code.utf8.filter { $0 != UInt8(ascii: " ") })
        guard typed.count == enrollment.digits, typed.allSatisfy({ (0x30...0x39).contains($0) }), enrollment.period > 0
        else { return nil }
        let present = now / Int64(enrollment.period)
        var found: Int64?
        // All three, whichever it is: the time tells nothing.
        for step in [present - 1, present + 1, present] where step >= 0 {
            if isEqualInConstantTime(typed, Array(self.code(enrollment, step: step).utf8)) { found = step }
        }
        return found
    }

    /// The code of a step; empty when OpenSSL fails.
    public static func code(_ enrollment: TOTPEnrollment, step: Int64) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        guard let mac = Digest.hmac(enrollment.algorithm.rawValue, key: enrollment.secret, counter) else { return "" }
        // RFC 4226 §5.3: the last four bits say where the number is.
        let offset = Int(mac[mac.count - 1] & 15)
        let number = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        let modulus = (0..<enrollment.digits).reduce(UInt32(1)) { value, _ in value * 10 }
        let digits = String(number % modulus)
        return String(repeating: "0", count: enrollment.digits - digits.count) + digits
    }

    /// A new secret of 20 random bytes; nil when there is no entropy.
    public static func generateSecret() -> [UInt8]? { Digest.random(20) }

    /// `otpauth://totp/…`, what a QR code for authenticator apps holds.
    ///
    /// It contains the secret.
    public static func uri(issuer: String, account: String, _ enrollment: TOTPEnrollment) -> String {
        var uri = "otpauth://totp/\(escaped(issuer)):\(escaped(account))?secret=\(base32(enrollment.secret))"
        uri += "&issuer=\(escaped(issuer))&algorithm=\(enrollment.algorithm.rawValue)"
        return uri + "&digits=\(enrollment.digits)&period=\(enrollment.period)"
    }

    // MARK: Base32 (RFC 4648 §6)

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// Base32 of a secret, without padding.
    public static func base32(_ secret: [UInt8]) -> String {
        var text: [UInt8] = []
        var bits = 0
        var value = 0
        for byte in secret {
            value = (value << 8 | Int(byte)) & 0xffff
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(alphabet[value >> bits & 31])
            }
        }
        if bits > 0 { text.append(alphabet[value << (5 - bits) & 31]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of Base32; case, blanks, dashes and padding do not count.
    ///
    /// Nil: it is none.
    public static func secret(base32 text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits = 0
        var value = 0
        for character in text.uppercased().utf8 where !" -=".utf8.contains(character) {
            guard let digit = alphabet.firstIndex(of: character) else { return nil }
            value = (value << 5 | digit) & 0xffff
            bits += 5
            guard bits >= 8 else { continue }
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> bits))
        }
        return bits < 5 ? bytes : nil
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default: out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return out
    }
}
