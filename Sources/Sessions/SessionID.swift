// COLD. The secret in the cookie. It is made here, hashed to find its session, and never stored, printed or encoded.
/// 256 random bits that open a session: what the cookie carries.
public struct SessionID: Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// A new id.
    public static func make() -> SessionID { SessionID(words: Octets32.words(SecureRandom.bytes(32))) }

    /// The id that a cookie carries: exactly 43 canonical base64url characters; nil for anything else.
    public init?(cookieValue: some Sequence<UInt8>) {
        guard let words = Octets32.decode(cookieValue) else { return nil }
        self.words = words
    }

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// The 43 characters for the cookie, and for nothing else.
    public var cookieValue: String { Octets32.encode(words) }

    /// What finds the session: SHA-256 of the 32 bytes.
    public var key: SessionKey { SessionKey(hashing: Octets32.bytes(words)) }
}

extension SessionID: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Never the value.
    public var description: String { "<redacted>" }
    /// Never the value.
    public var debugDescription: String { description }
    /// Never the value.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Random octets for secrets.
public enum SecureRandom {
    /// `count` octets of the kernel's generator (getrandom(2)); the process ends if there are none.
    ///
    /// OpenSSL would keep a generator for every thread that asks, and those of Swift's tasks come and go.
    public static func bytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in generator.next() }
    }

    /// `count` random octets in base64url: 16 make 22 characters, 32 make 43.
    public static func text(_ count: Int) -> String { Octets32.encode(bytes(count)) }
}
