// HOT. The head of an HTTP/1 response, in one pass.
import Bytes

/// Parses response heads (RFC 9112 §4, §5, §6.3).
///
/// Every refusal is the upstream's fault: a 502.
public enum ResponseParser {
    /// Parses a response head at the start of `input`; `requestMethod` is the method of the request it answers.
    public static func parse(
        _ input: Span<UInt8>,
        requestMethod: Method,
        into head: ResponseHead,
        limits: HeadLimits
    ) -> ParseOutcome {
        head.reset()
        let start: Int
        switch statusLine(input, into: head, limits: limits) {
        case .complete(let next): start = next
        case .needMore: return .needMore
        case .refuse(let error): return .refuse(error)
        }
        let section = FieldSection.parse(
            input,
            from: start,
            headStart: 0,
            most: limits.head,
            into: head.fields,
            limits: limits,
            trimsNames: true
        )
        switch section {
        case .complete(let next): head.length = next
        case .needMore: return .needMore
        case .refuse(let error): return .refuse(error.fromUpstream)
        }
        if let error = interpret(input, requestMethod, head, limits) { return .refuse(error.fromUpstream) }
        return .complete
    }

    /// `HTTP/1.1 200 OK` and CRLF; the space before an empty reason may be missing.
    @inline(__always)
    private static func statusLine(
        _ input: Span<UInt8>,
        into head: ResponseHead,
        limits: HeadLimits
    ) -> SectionOutcome {
        guard input.count >= 14 else { return partialStatusLine(input) }
        let word = unsafe input.bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)
        switch UInt64(bigEndian: word) {
        case 0x4854_5450_2f31_2e31: head.version = .http11
        case 0x4854_5450_2f31_2e30: head.version = .http10
        default: return .refuse(badVersion(input))
        }
        let a = input[9] &- 0x30
        let b = input[10] &- 0x30
        let c = input[11] &- 0x30
        guard input[8] == 0x20, a >= 1, a <= 5, b < 10, c < 10 else { return .refuse(.upstreamStatusLine) }
        head.status = Int(a) &* 100 &+ Int(b) &* 10 &+ Int(c)
        var i = 12
        if input[12] == 0x20 {
            i = ByteScan.endOfValue(input, 13)
            head.reason = Slice(13, i)
        }
        if i > limits.requestLine { return .refuse(.upstreamHeadTooLarge) }
        guard i < input.count else { return .needMore }
        guard input[i] == 0x0d else { return .refuse(.upstreamStatusLine) }
        guard i &+ 1 < input.count else { return .needMore }
        guard input[i &+ 1] == 0x0a else { return .refuse(.upstreamStatusLine) }
        return .complete(i &+ 2)
    }

    @inline(__always)
    private static func interpret(
        _ input: Span<UInt8>,
        _ method: Method,
        _ head: ResponseHead,
        _ limits: HeadLimits
    ) -> ProtocolError? {
        let fields = head.fields
        var framing: BodyFraming
        switch MessageFraming.read(input, fields, version: head.version) {
        case .success(let read): framing = read
        case .failure(let error): return error
        }
        if case .length(let length) = framing { head.contentLength = Int64(length) }

        var options = ConnectionOptions()
        if fields.first(.connection) >= 0 {
            if let error = options.read(input, fields, isRequest: false, limits: limits) { return error }
        }
        head.connectionNamesFields = options.namesFields
        head.keepAlive = !options.close && (head.version == .http11 || options.keepAlive)
        if framing == .none {
            framing = .untilClose
        }
        if head.status < 200 || head.status == 204 {
            // Neither may have a framing (RFC 9112 §6.1, RFC 9110 §8.6), and both end with the head whatever it says
            // (RFC 9112 §6.3): whoever sends one with content has sent bytes that are nobody's.
            if framing == .chunked || head.contentLength > 0 {
                if head.status < 200 { return .framingConflict }
                head.keepAlive = false
            }
            head.contentLength = -1
            framing = .none
        } else if head.status == 304 || method == .head {
            framing = .none
        }
        head.framing = framing
        if framing == .untilClose { head.keepAlive = false }
        if head.status == 101 || head.status == 426, options.upgrade, fields.count(.upgrade) == 1 {
            head.upgrade = fields[fields.first(.upgrade)].value
        }
        return nil
    }

    /// Fewer bytes than the shortest status line: refuses as soon as one of them is wrong.
    private static func partialStatusLine(_ input: Span<UInt8>) -> SectionOutcome {
        let want: StaticString = "HTTP/1."
        for i in 0..<input.count {
            let byte = input[i]
            let fits =
                switch i {
                case 0..<7: unsafe byte == want.utf8Start[i]
                case 7: byte == 0x30 || byte == 0x31
                case 8: byte == 0x20
                case 9: byte &- 0x31 < 5
                case 10, 11: byte &- 0x30 < 10
                case 12: byte == 0x20 || byte == 0x0d
                default: input[12] == 0x20 ? byte >= 0x20 || byte == 0x09 || byte == 0x0d : byte == 0x0a
                }
            if !fits { return .refuse(i < 8 ? badVersion(input) : .upstreamStatusLine) }
        }
        return .needMore
    }

    private static func badVersion(_ input: Span<UInt8>) -> ProtocolError {
        let want: StaticString = "HTTP/"
        for i in 0..<min(5, input.count) where unsafe input[i] != want.utf8Start[i] { return .upstreamStatusLine }
        return .upstreamVersion
    }
}
