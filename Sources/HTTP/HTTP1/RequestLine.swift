// HOT. The request line: method, target, version.
import Bytes

/// Parses the request line (RFC 9112 §3): single spaces, CRLF, visible ASCII in the target.
enum RequestLine {
    /// The longest method that is told from an unknown one.
    private static let longestMethod = 32

    @inline(__always)
    static func parse(
        _ input: Span<UInt8>,
        from start: Int,
        into head: RequestHead,
        limits: HeadLimits
    ) -> SectionOutcome {
        let count = input.count
        var i = start
        while i < count, ByteScan.isToken(input[i]) { i &+= 1 }
        if i &- start > longestMethod { return .refuse(.methodTooLong) }
        guard i < count else { return .needMore }
        guard input[i] == 0x20, i > start else { return .refuse(badMethod(input[i])) }
        head.methodName = Slice(start, i)
        head.method = Method(input, start, i)
        if head.method == .connect { return .refuse(.connectNotSupported) }

        i &+= 1
        let targetStart = i
        i = ByteScan.endOfTarget(input, i)
        if i &- start > limits.requestLine { return .refuse(.requestLineTooLong) }
        guard i < count else { return .needMore }
        guard input[i] == 0x20, i > targetStart else { return .refuse(badTarget(input[i])) }
        let targetEnd = i
        head.target = Slice(targetStart, targetEnd)
        if input[targetStart] == 0x2f {
            head.form = .origin
            head.pathAndQuery = head.target
        } else if let error = otherForm(input, targetStart, targetEnd, head) {
            return .refuse(error)
        }
        return version(input, from: i &+ 1, lineStart: start, into: head, limits: limits)
    }

    /// `HTTP/1.1` and CRLF.
    @inline(__always)
    private static func version(
        _ input: Span<UInt8>,
        from start: Int,
        lineStart: Int,
        into head: RequestHead,
        limits: HeadLimits
    ) -> SectionOutcome {
        if start &+ 8 &- lineStart > limits.requestLine { return .refuse(.requestLineTooLong) }
        guard input.count &- start >= 10 else { return otherVersion(input, start) }
        let word = unsafe input.bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self)
        switch UInt64(bigEndian: word) {
        case 0x4854_5450_2f31_2e31: head.version = .http11
        case 0x4854_5450_2f31_2e30: head.version = .http10
        default: return otherVersion(input, start)
        }
        guard input[start &+ 8] == 0x0d, input[start &+ 9] == 0x0a else { return otherVersion(input, start) }
        return .complete(start &+ 10)
    }

    /// A target that does not begin with `/`.
    private static func otherForm(
        _ input: Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ head: RequestHead
    ) -> ProtocolError? {
        if end &- start == 1, input[start] == 0x2a {
            guard head.method == .options else { return .targetMalformed }
            head.form = .asterisk
            head.pathAndQuery = head.target
            return nil
        }
        var i = start
        while i < end, ByteScan.isUsualName(input[i]) || input[i] == 0x2b || input[i] == 0x2e { i &+= 1 }
        guard end &- i >= 3, i > start, input[i] == 0x3a, input[i &+ 1] == 0x2f, input[i &+ 2] == 0x2f else {
            return .targetMalformed
        }
        head.isHTTPS = ByteScan.equalFolded(input, start, i, "https")
        guard head.isHTTPS || ByteScan.equalFolded(input, start, i, "http") else { return .targetScheme }
        let authorityStart = i &+ 3
        i = authorityStart
        while i < end, input[i] != 0x2f, input[i] != 0x3f {
            if input[i] == 0x40 { return .targetUserinfo }
            i &+= 1
        }
        var authority = Authority()
        if let error = authority.read(input, authorityStart, i) { return error }
        head.form = .absolute
        head.authority = Slice(authorityStart, i)
        head.host = authority.host
        head.port = authority.port
        head.pathAndQuery = Slice(i, end)
        return nil
    }

    private static func badMethod(_ byte: UInt8) -> ProtocolError {
        switch byte {
        case 0x0a: .bareLineFeed
        case 0x0d, 0x20: .requestLineMalformed
        default: .methodMalformed
        }
    }

    private static func badTarget(_ byte: UInt8) -> ProtocolError {
        switch byte {
        case 0x0a: .bareLineFeed
        case 0x0d, 0x20: .requestLineMalformed
        default: .targetCharacter
        }
    }

    /// A version that is incomplete or wrong.
    ///
    /// The first wrong byte decides, however the bytes arrive; one that is well formed but not spoken here is a 505,
    /// anything else a 400.
    private static func otherVersion(_ input: Span<UInt8>, _ start: Int) -> SectionOutcome {
        let want: StaticString = "HTTP/"
        for i in start..<min(input.count, start &+ 10) {
            let byte = input[i]
            let isDigit = byte &- 0x30 < 10
            switch i &- start {
            case let place where place < 5:
                if unsafe byte == want.utf8Start[place] { continue }
                let ends = byte == 0x20 || byte == 0x0d || byte == 0x0a
                return .refuse(ends ? .requestLineMalformed : .versionMalformed)
            case 5:
                if !isDigit { return .refuse(.versionMalformed) }
            case 6:
                if byte != 0x2e { return .refuse(.versionMalformed) }
            case 7:
                if !isDigit { return .refuse(.versionMalformed) }
                if input[i &- 2] != 0x31 || byte > 0x31 { return .refuse(.versionNotSupported) }
            case 8:
                if byte != 0x0d { return .refuse(byte == 0x0a ? .bareLineFeed : .versionMalformed) }
            default:
                if byte != 0x0a { return .refuse(.bareCarriageReturn) }
            }
        }
        return .needMore
    }
}
