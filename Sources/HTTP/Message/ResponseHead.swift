// HOT. What a response says before its content, as ranges of the bytes it was parsed from.
public import Bytes

/// The head of a response.
///
/// One per worker, reused; the parser fills it.
public final class ResponseHead {
    /// The status code, 100…599.
    public internal(set) var status = 0
    /// The reason phrase; may be empty.
    public internal(set) var reason = Slice()
    /// The protocol version.
    public internal(set) var version = HTTPVersion.http11
    /// How the content ends.
    public internal(set) var framing = BodyFraming.none
    /// The value of `Content-Length`, -1 if there is none; also where there is no content (HEAD, 304).
    public internal(set) var contentLength: Int64 = -1
    /// Whether the connection may be used again once the content was read.
    public internal(set) var keepAlive = true
    /// Whether `Connection` names a field that would go on otherwise: trailers of that name must not go on either
    /// (RFC 9110 §7.6.1).
    public internal(set) var connectionNamesFields = false
    /// The protocol of `Upgrade`; empty unless the status is 101 or 426 and `Connection` names it.
    public internal(set) var upgrade = Slice()
    /// Bytes of the whole head with the empty line; content starts there.
    public internal(set) var length = 0
    /// The field lines.
    public let fields: FieldTable

    /// A head with room for `maxFields` field lines.
    public init(maxFields: Int = 200) {
        fields = FieldTable(capacity: maxFields)
    }

    /// Whether it is an interim response, after which another one follows (101 is final).
    @inline(__always) public var isInterim: Bool { status < 200 && status != 101 }

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

    /// The frame that carried the head said that no content follows it.
    ///
    /// Where the next hop tells ends by bytes that is a length of 0, unless the status or the method says it already.
    public func endsWithHead(byFrame: Bool) {
        if framing == .untilClose { framing = byFrame ? .none : .length(0) }
    }

    @inline(__always)
    func reset() {
        fields.removeAll()
        status = 0
        reason = Slice()
        version = .http11
        framing = .none
        contentLength = -1
        keepAlive = true
        connectionNamesFields = false
        upgrade = Slice()
        length = 0
    }
}
