// HOT. Writes a canonical path into memory of its own: the rules behind `CanonicalTarget`.

/// A buffer and the pass that fills it.
///
/// Writes are bounds-checked; offsets of the input never meet offsets here.
@safe
struct PathWriter {
    private let base: UnsafeMutablePointer<UInt8>
    private let capacity: Int
    private var count = 1
    /// Start of the segment being written, and of the part behind its last `%2F`.
    private var segment = 1
    private var part = 1
    /// The part holds a decoded dot.
    private var decodedDot = false
    private var hasPercent25 = false
    /// A `%2F` was kept.
    private(set) var hasEncodedSlash = false

    init(capacity: Int) {
        self.capacity = capacity
        unsafe base = .allocate(capacity: capacity)
        unsafe base[0] = 0x2f
    }

    func deallocate() { unsafe base.deallocate() }

    /// What was written.
    @inline(__always)
    var bytes: UnsafeBufferPointer<UInt8> { unsafe UnsafeBufferPointer(start: base, count: count) }

    /// Makes it `/`.
    mutating func reset() {
        unsafe base[0] = 0x2f
        count = 1
        segment = 1
        part = 1
        decodedDot = false
        hasPercent25 = false
        hasEncodedSlash = false
    }

    /// Bytes that stand for themselves in a path and need no look: `pchar` without `%`, `.` and `;`.
    @inline(__always)
    private static func isOrdinary(_ byte: UInt8) -> Bool {
        // ! $ & ' ( ) * + , - 0-9 : = and @ A-Z _ a-z ~
        let low: UInt64 = 0x27ff_3fd2_0000_0000
        let high: UInt64 = 0x47ff_fffe_87ff_ffff
        if byte < 64 { return low &>> UInt64(byte) & 1 != 0 }
        return byte < 128 && high &>> UInt64(byte &- 64) & 1 != 0
    }

    /// A byte that never needs an escape (RFC 3986 §2.3).
    @inline(__always)
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        ByteScan.isUsualName(byte) || byte == 0x2e || byte == 0x5f || byte == 0x7e
    }

    /// Writes the canonical form of `start..<end`; `resolveDots` false refuses literal dot segments as well.
    mutating func write(
        _ input: Span<UInt8>,
        _ start: Int,
        _ end: Int,
        options: CanonicalTarget.Options,
        resolveDots: Bool
    ) -> ProtocolError? {
        reset()
        guard start < end else { return nil }
        guard input[start] == 0x2f else { return .pathNotOrigin }
        if end &- start <= capacity, ByteScan.isPlainPath(input, start, end) {
            copy(input, start, end)
            return nil
        }
        var i = start &+ 1
        while i < end {
            let byte = input[i]
            if PathWriter.isOrdinary(byte) || byte == 0x2e || byte == 0x3b {
                guard count < capacity else { return .pathTooLong }
                unsafe base[count] = byte
                count &+= 1
                i &+= 1
            } else if byte == 0x2f {
                if let error = endSegment(isLast: false, resolveDots: resolveDots) { return error }
                i &+= 1
            } else if byte == 0x25 {
                if let error = escape(input, &i, end, options) { return error }
            } else {
                if let error = raw(byte) { return error }
                i &+= 1
            }
        }
        if let error = endSegment(isLast: true, resolveDots: resolveDots) { return error }
        guard hasPercent25 else { return nil }
        return unsafe DoubleEncoding.check(Span(_unsafeStart: UnsafePointer(base), count: count))
    }

    /// Takes a path as it is, which fits.
    @inline(__always)
    private mutating func copy(_ input: Span<UInt8>, _ start: Int, _ end: Int) {
        let length = end &- start
        _ = unsafe input.withUnsafeBufferPointer { source in
            unsafe UnsafeMutableBufferPointer(start: base, count: capacity)
                .update(fromContentsOf: source[start..<end])
        }
        count = length
    }

    /// Writes `prefix` and `rest` with one slash between them, canonical and without dot segments, or refuses.
    mutating func join(
        _ prefix: UnsafeBufferPointer<UInt8>,
        _ rest: UnsafeBufferPointer<UInt8>,
        options: CanonicalTarget.Options
    ) -> ProtocolError? {
        let length = prefix.count &+ rest.count &+ 1
        guard length < capacity else { return .pathTooLong }
        var error: ProtocolError?
        var isPrefix = true
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: length) { scratch in
            var n = 0
            for i in 0..<prefix.count {
                unsafe scratch[n] = prefix[i]
                n &+= 1
            }
            if n == 0 || (unsafe scratch[n &- 1] != 0x2f), rest.isEmpty ? n == 0 : (unsafe rest[0] != 0x2f) {
                unsafe scratch[n] = 0x2f
                n &+= 1
            }
            for i in 0..<rest.count {
                unsafe scratch[n] = rest[i]
                n &+= 1
            }
            let joined = unsafe Span(_unsafeElements: UnsafeBufferPointer(rebasing: scratch[..<n]))
            error = write(joined, 0, n, options: options, resolveDots: false)
            for i in 0..<prefix.count where i >= count || (unsafe base[i] != prefix[i]) {
                isPrefix = false
                break
            }
        }
        if let error { return error }
        return isPrefix ? nil : .rewriteOutsidePrefix
    }

    /// Ends a segment: drops it if it is empty or `.`, and the one before too if it is `..`.
    @inline(__always)
    private mutating func endSegment(isLast: Bool, resolveDots: Bool) -> ProtocolError? {
        let length = count &- segment
        guard length > 0 else {
            decodedDot = false
            return nil
        }
        let first = unsafe base[part]
        if part < count, first == 0x2e || first == 0x3b {
            if let error = special(resolveDots) { return error }
            if count == segment {
                part = segment
                decodedDot = false
                return nil
            }
        }
        decodedDot = false
        if isLast { return nil }
        guard count < capacity else { return .pathTooLong }
        unsafe base[count] = 0x2f
        count &+= 1
        segment = count
        part = count
        return nil
    }

    /// A part that begins with a dot or a semicolon.
    ///
    /// Part and segment differ only behind a `%2F`.
    private mutating func special(_ resolveDots: Bool) -> ProtocolError? {
        let dots = dotCount()
        guard dots >= 0 else { return nil }
        let length = count &- part
        if length > dots { return .pathDotParameters }
        if decodedDot || part != segment { return .pathEscapedDots }
        guard resolveDots else { return .rewriteOutsidePrefix }
        if dots == 1 {
            count = segment
            return nil
        }
        guard segment > 1 else { return .pathAboveRoot }
        var i = segment &- 2
        while unsafe base[i] != 0x2f { i &-= 1 }
        count = i &+ 1
        segment = count
        return nil
    }

    /// The number of dots of a part that is `.` or `..`, also with parameters or empty with them; -1 for all others.
    private func dotCount() -> Int {
        var i = part
        while i < count, i &- part < 2, unsafe base[i] == 0x2e { i &+= 1 }
        return i == count || (unsafe base[i] == 0x3b) ? i &- part : -1
    }

    /// A byte that may not stand in a path as it is.
    private mutating func raw(_ byte: UInt8) -> ProtocolError? {
        switch byte {
        case 0x5c: return .pathBackslash
        case 0x22, 0x3c, 0x3e, 0x5b, 0x5d, 0x5e, 0x60, 0x7b, 0x7c, 0x7d: return append(escaped: byte)
        default: return .pathCharacter
        }
    }

    /// `%` and two digits.
    private mutating func escape(
        _ input: Span<UInt8>,
        _ i: inout Int,
        _ end: Int,
        _ options: CanonicalTarget.Options
    ) -> ProtocolError? {
        guard let byte = PathWriter.escapedByte(input, i, end) else { return .pathEscapeMalformed }
        if byte >= 0x80 { return utf8(input, &i, end, byte) }
        i &+= 3
        if PathWriter.isUnreserved(byte) {
            guard count < capacity else { return .pathTooLong }
            unsafe base[count] = byte
            count &+= 1
            if byte == 0x2e { decodedDot = true }
            return nil
        }
        switch byte {
        case 0x2f where options.encodedSlashes:
            return encodedSlash()
        case 0x2f, 0x5c: return .pathEscapedSlash
        case 0x23, 0x3b, 0x3f: return .pathEscapedDelimiter
        case 0..<0x20, 0x7f: return .pathEscapedControl
        case 0x25: hasPercent25 = true
        default: break
        }
        return append(escaped: byte)
    }

    /// A `%2F` that the route allows: what it separates must not be a dot segment to whoever decodes it.
    private mutating func encodedSlash() -> ProtocolError? {
        let dots = dotCount()
        if dots > 0 || (dots == 0 && count > part) { return .pathEscapedDots }
        if let error = append(escaped: 0x2f) { return error }
        part = count
        decodedDot = false
        hasEncodedSlash = true
        return nil
    }

    /// A sequence of escapes that must be one UTF-8 character (RFC 3629 §4); no overlong forms, no surrogates.
    private mutating func utf8(
        _ input: Span<UInt8>,
        _ i: inout Int,
        _ end: Int,
        _ lead: UInt8
    ) -> ProtocolError? {
        let more: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xbf
        switch lead {
        case 0xc2...0xdf: more = 1
        case 0xe0...0xef:
            more = 2
            if lead == 0xe0 { low = 0xa0 }
            if lead == 0xed { high = 0x9f }
        case 0xf0...0xf4:
            more = 3
            if lead == 0xf0 { low = 0x90 }
            if lead == 0xf4 { high = 0x8f }
        default: return .pathNotUTF8
        }
        if let error = append(escaped: lead) { return error }
        i &+= 3
        for _ in 0..<more {
            guard let byte = PathWriter.escapedByte(input, i, end), byte >= low, byte <= high else {
                return .pathNotUTF8
            }
            if let error = append(escaped: byte) { return error }
            low = 0x80
            high = 0xbf
            i &+= 3
        }
        return nil
    }

    @inline(__always)
    private static func escapedByte(_ input: Span<UInt8>, _ i: Int, _ end: Int) -> UInt8? {
        guard end &- i >= 3, input[i] == 0x25 else { return nil }
        let high = ByteScan.hexValue(input[i &+ 1])
        let low = ByteScan.hexValue(input[i &+ 2])
        return high < 16 && low < 16 ? high &<< 4 | low : nil
    }

    private mutating func append(escaped byte: UInt8) -> ProtocolError? {
        guard capacity &- count >= 3 else { return .pathTooLong }
        unsafe base[count] = 0x25
        unsafe base[count &+ 1] = PathWriter.upperHex(byte &>> 4)
        unsafe base[count &+ 2] = PathWriter.upperHex(byte & 15)
        count &+= 3
        return nil
    }

    @inline(__always)
    private static func upperHex(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 &+ nibble : 0x37 &+ nibble }
}
