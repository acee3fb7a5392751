// HOT. The head of an HTTP/1 request, in one pass.
import Bytes

/// Parses request heads (RFC 9112 §3, §5, §6).
///
/// It knows no leniency that another hop could read differently.
public enum RequestParser {
    /// Parses a request head at the start of `input` into `head`; `input` holds the unread bytes of the connection.
    ///
    /// About a nanosecond per byte; allocates nothing. After `.needMore` it is called again with the same bytes and
    /// more (see `HeadScanner` for when). One CRLF before the request line is skipped (RFC 9112 §2.2).
    public static func parse(_ input: Span<UInt8>, into head: RequestHead, limits: HeadLimits) -> ParseOutcome {
        head.reset()
        var i = 0
        if input.count > 0, input[0] == 0x0d {
            guard input.count > 1 else { return .needMore }
            guard input[1] == 0x0a else { return .refuse(.bareCarriageReturn) }
            i = 2
        }
        let start = i
        switch RequestLine.parse(input, from: i, into: head, limits: limits) {
        case .complete(let next): i = next
        case .needMore: return .needMore
        case .refuse(let error): return .refuse(error)
        }
        let section = FieldSection.parse(
            input,
            from: i,
            headStart: start,
            most: limits.head,
            into: head.fields,
            limits: limits
        )
        switch section {
        case .complete(let next): head.length = next
        case .needMore: return .needMore
        case .refuse(let error): return .refuse(error)
        }
        if let error = interpret(input, head, limits) { return .refuse(error) }
        return .complete
    }

    /// What the fields mean together.
    @inline(__always)
    private static func interpret(_ input: Span<UInt8>, _ head: RequestHead, _ limits: HeadLimits) -> ProtocolError? {
        let fields = head.fields
        if let error = authority(input, head) { return error }
        switch MessageFraming.read(input, fields, version: head.version) {
        case .success(let framing): head.framing = framing
        case .failure(let error): return error
        }
        if fields.count(.authorization) > 1 || fields.count(.proxyAuthorization) > 1 || fields.count(.contentType) > 1
            || fields.count(.origin) > 1 || fields.count(.expect) > 1 || fields.count(.maxForwards) > 1
        {
            return .duplicateField
        }

        var options = ConnectionOptions()
        if fields.first(.connection) >= 0 {
            if let error = options.read(input, fields, isRequest: true, limits: limits) { return error }
        }
        head.connectionNamesFields = options.namesFields
        head.keepAlive = !options.close && (head.version == .http11 || options.keepAlive)
        if options.upgrade, head.version == .http11, fields.count(.upgrade) == 1 {
            head.upgrade = fields[fields.first(.upgrade)].value
        }
        return rarities(input, head, limits)
    }

    /// Host and port (RFC 9112 §3.2): `Host` must be right even where an absolute target overrides it.
    @inline(__always)
    private static func authority(_ input: Span<UInt8>, _ head: RequestHead) -> ProtocolError? {
        let fields = head.fields
        let index = fields.first(.host)
        if index < 0 {
            return head.version == .http10 ? nil : .hostMissing
        }
        if fields.count(.host) > 1 { return .hostDuplicate }
        let value = fields[index].value
        var authority = Authority()
        if let error = authority.read(input, value.start, value.end) { return error }
        if head.form != .absolute {
            head.authority = value
            head.host = authority.host
            head.port = authority.port
        }
        return nil
    }

    /// Fields that most requests do not have.
    @inline(__always)
    private static func rarities(_ input: Span<UInt8>, _ head: RequestHead, _ limits: HeadLimits) -> ProtocolError? {
        let fields = head.fields
        let expect = fields.first(.expect)
        if expect >= 0 {
            let value = fields[expect].value
            guard ByteScan.equalFolded(input, value.start, value.end, "100-continue") else {
                return .expectationUnknown
            }
            head.expectsContinue = head.version == .http11 && head.framing != .none && head.framing != .length(0)
        }
        if fields.first(.te) >= 0 { head.teTrailers = takesTrailers(input, fields) }
        if fields.first(.cookie) >= 0, cookies(input, fields) > limits.cookiePairs { return .tooManyCookies }
        return nil
    }

    private static func cookies(_ input: Span<UInt8>, _ fields: FieldTable) -> Int {
        var pairs = 0
        var index = fields.first(.cookie)
        while index >= 0 {
            let value = fields[index].value
            pairs &+= 1
            var i = ByteScan.index(of: 0x3b, in: input, value.start, value.end)
            while i < value.end {
                pairs &+= 1
                i = ByteScan.index(of: 0x3b, in: input, i &+ 1, value.end)
            }
            index = fields.next(.cookie, after: index)
        }
        return pairs
    }

    /// Whether some member of `TE` is `trailers`.
    private static func takesTrailers(_ input: Span<UInt8>, _ fields: FieldTable) -> Bool {
        var index = fields.first(.te)
        while index >= 0 {
            let value = fields[index].value
            var i = value.start
            while i < value.end {
                let comma = ByteScan.index(of: 0x2c, in: input, i, value.end)
                var end = comma
                while i < end, input[i] == 0x20 || input[i] == 0x09 { i &+= 1 }
                while end > i, input[end &- 1] == 0x20 || input[end &- 1] == 0x09 { end &-= 1 }
                if ByteScan.equalFolded(input, i, end, "trailers") { return true }
                i = comma &+ 1
            }
            index = fields.next(.te, after: index)
        }
        return false
    }
}
