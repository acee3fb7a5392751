// COLD. The public handle of a session: the SHA-256 of its secret id. It finds a session, it does not open one.
internal import COpenSSL

/// SHA-256 of a session's id, 32 bytes in four words.
///
/// It is what stores hold and what lists, the command line and `DELETE` name; nobody can make the id from it.
public struct SessionKey: Hashable, Sendable {
    /// Bytes 0…7, big-endian.
    public let a: UInt64
    /// Bytes 8…15, big-endian.
    public let b: UInt64
    /// Bytes 16…23, big-endian.
    public let c: UInt64
    /// Bytes 24…31, big-endian.
    public let d: UInt64

    /// A key of four big-endian words.
    public init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
        self.a = a
        self.b = b
        self.c = c
        self.d = d
    }

    /// SHA-256 of `id`.
    public init(hashing id: [UInt8]) {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(id, id.count, &digest)
        self.init(Octets32.words(digest))
    }

    /// A key of its 32 bytes; nil for any other number of them.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        self.init(Octets32.words(bytes))
    }

    /// A key of its 43 canonical base64url characters; nil for anything else.
    public init?(text: String) {
        guard let words = Octets32.decode(text.utf8) else { return nil }
        self.init(words)
    }

    private init(_ words: Octets32.Words) { self.init(words.0, words.1, words.2, words.3) }

    /// The 32 bytes.
    public var bytes: [UInt8] { Octets32.bytes((a, b, c, d)) }

    /// The 43 base64url characters: the public handle of the session.
    public var text: String { Octets32.encode((a, b, c, d)) }
}

extension SessionKey: CustomStringConvertible {
    /// The public handle.
    public var description: String { text }
}

extension SessionKey: Codable {
    /// Its text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// From its text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let key = SessionKey(text: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a session key")
        }
        self = key
    }
}
