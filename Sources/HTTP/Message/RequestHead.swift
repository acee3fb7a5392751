// HOT. What a request says before its content, as ranges of the bytes it was parsed from.
public import Bytes

/// The head of a request.
///
/// One per worker, reused; the parser fills it.
///
/// All slices are relative to the span that was parsed and are valid as long as its bytes are.
public final class RequestHead {
    /// The method; `methodName` holds its bytes.
    public internal(set) var method = Method.other
    /// The method's token.
    public internal(set) var methodName = Slice()
    /// The request target as received.
    public internal(set) var target = Slice()
    /// The form of the target.
    public internal(set) var form = TargetForm.origin
    /// The protocol version.
    public internal(set) var version = HTTPVersion.http11
    /// Host and port: of an absolute target, else of `Host`.
    ///
    /// Empty only in HTTP/1.0 without `Host`.
    public internal(set) var authority = Slice()
    /// The host of `authority`, as received but without a trailing dot; an IPv6 address keeps its brackets.
    public internal(set) var host = Slice()
    /// The port of `authority`, -1 if it has none.
    public internal(set) var port = -1
    /// Path and query of the target; `*` for the asterisk form, and empty for `http://host`.
    public internal(set) var pathAndQuery = Slice()
    /// How the content ends.
    public internal(set) var framing = BodyFraming.none
    /// Whether the client wants the connection kept open.
    public internal(set) var keepAlive = true
    /// Whether `Connection` names a field that would go on otherwise: trailers of that name must not go on either
    /// (RFC 9110 §7.6.1).
    public internal(set) var connectionNamesFields = false
    /// Whether the scheme of an absolute target is `https`.
    public internal(set) var isHTTPS = false
    /// Whether the client waits for `100 Continue` (HTTP/1.1 and with content only).
    public internal(set) var expectsContinue = false
    /// The protocols of `Upgrade`; empty unless it is HTTP/1.1, `Connection` names it and it stands once.
    public internal(set) var upgrade = Slice()
    /// Whether the client takes trailers (`TE: trailers`).
    public internal(set) var teTrailers = false
    /// Bytes of the whole head with the empty line; content starts there.
    public internal(set) var length = 0
    /// The field lines.
    public let fields: FieldTable

    /// A head with room for `maxFields` field lines.
    public init(maxFields: Int = 100) {
        fields = FieldTable(capacity: maxFields)
    }

    /// The number of field lines.
    @inline(__always) public var fieldCount: Int { fields.count }

    /// The field line at an index below `fieldCount`.
    public subscript(index: Int) -> Field {
        @inline(__always) get { fields[index] }
        @inline(__always) set { fields[index] = newValue }
    }

    /// Index of the first field of that kind, -1 if there is none.
    @inline(__always)
    public func first(_ id: FieldID) -> Int { fields.first(id) }

    /// The number of fields of that kind.
    @inline(__always)
    public func count(_ id: FieldID) -> Int { fields.count(id) }

    /// Whether some field name holds a byte outside `[A-Za-z0-9-]`.
    @inline(__always) public var hasUnusualNames: Bool { fields.hasUnusualNames }

    @inline(__always)
    func reset() {
        fields.removeAll()
        method = .other
        methodName = Slice()
        target = Slice()
        form = .origin
        version = .http11
        authority = Slice()
        host = Slice()
        port = -1
        pathAndQuery = Slice()
        framing = .none
        keepAlive = true
        connectionNamesFields = false
        isHTTPS = false
        expectsContinue = false
        upgrade = Slice()
        teTrailers = false
        length = 0
    }
}
