// HOT. Request methods: exact, case-sensitive tokens (RFC 9110 §9.1).

/// The method of a request; everything that is not on the list is `other` and is known by its bytes only.
public enum Method: UInt8, Sendable {
    case get, head, post, put, delete, connect, options, trace, patch, other

    /// Whether repeating the request has the same effect as sending it once (RFC 9110 §9.2.2).
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .connect, .patch, .other: false
        }
    }

    /// Whether a request may change something (RFC 9110 §9.2.1).
    @inline(__always)
    public var isUnsafe: Bool {
        switch self {
        case .get, .head, .options, .trace: false
        case .post, .put, .delete, .connect, .patch, .other: true
        }
    }

    /// The method's token; empty for `other`.
    public var token: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .connect: "CONNECT"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .patch: "PATCH"
        case .other: ""
        }
    }

    /// The method of a token.
    init(_ input: Span<UInt8>, _ start: Int, _ end: Int) {
        var word: UInt64 = 0
        guard end &- start <= 8 else {
            self = .other
            return
        }
        for i in start..<end { word = word &<< 8 | UInt64(input[i]) }
        switch word {
        case 0x47_4554: self = .get
        case 0x4845_4144: self = .head
        case 0x504f_5354: self = .post
        case 0x50_5554: self = .put
        case 0x4445_4c45_5445: self = .delete
        case 0x43_4f4e_4e45_4354: self = .connect
        case 0x4f_5054_494f_4e53: self = .options
        case 0x54_5241_4345: self = .trace
        case 0x50_4154_4348: self = .patch
        default: self = .other
        }
    }
}

/// The protocol versions that are spoken here.
public enum HTTPVersion: UInt8, Sendable {
    case http10, http11
}

/// The four forms of a request target (RFC 9112 §3.2).
public enum TargetForm: UInt8, Sendable {
    /// `/path?query`
    case origin
    /// `http://host/path?query`
    case absolute
    /// `host:port`, for CONNECT only (which is refused).
    case authority
    /// `*`, for OPTIONS only.
    case asterisk
}

/// How the end of a message's content is found (RFC 9112 §6.3).
public enum BodyFraming: Equatable, Sendable {
    /// There is no content.
    case none
    /// Exactly that many bytes.
    case length(UInt64)
    /// The chunked transfer coding.
    case chunked
    /// All bytes until the connection ends; responses only.
    case untilClose
}
