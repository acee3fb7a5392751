// COLD. One-time codes from a shared secret and the time (RFC 6238, RFC 4226).

/// A second factor of an account.
public struct TOTPEnrollment: Sendable, Equatable, CustomStringConvertible {
    /// The hash function of the code.
    public enum Algorithm: String, Sendable, CaseIterable {
        /// What every app knows.
        case sha1 = "SHA1"
        /// HMAC-SHA-256.
        case sha256 = "SHA256"
        /// HMAC-SHA-512.
        case sha512 = "SHA512"
    }
    /// The secret, 16 to 128 bytes.
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
}

/// Codes.
public enum TOTP {
    /// The step whose code this is, among the present one and its neighbours; nil: none.
    ///
    /// A code must be good for one login only: claim `totp:<account>:<step>` and refuse when it was claimed.
    /// Blanks in the code do not count. Unix seconds.
    public static func verify(_ enrollment: TOTPEnrollment, code: String, now: Int64) -> Int64? { nil }
    /// The code of a step.
    public static func code(_ enrollment: TOTPEnrollment, step: Int64) -> String { "" }
    /// A new secret of 20 random bytes.
    public static func generateSecret() -> [UInt8] { [] }
    /// `otpauth://totp/…`, what a QR code holds. It contains the secret.
    public static func uri(issuer: String, account: String, _ enrollment: TOTPEnrollment) -> String { "" }
    /// Base32 of a secret, for typing it.
    public static func base32(_ secret: [UInt8]) -> String { "" }
}
