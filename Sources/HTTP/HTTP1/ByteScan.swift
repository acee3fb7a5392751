// HOT. Finding the end of a name, a value or a target, sixteen bytes at a time.

/// The character classes of RFC 9110 §5.6.2 and the scans over them.
///
/// Every load is bounds-checked.
enum ByteScan {
    /// A token byte (RFC 9110 §5.6.2).
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        // Bit n of the low word is byte n, of the high word byte 64 + n.
        let low: UInt64 = 0x03ff_6cfa_0000_0000
        let high: UInt64 = 0x57ff_ffff_c7ff_fffe
        if byte < 64 { return low &>> UInt64(byte) & 1 != 0 }
        return byte < 128 && high &>> UInt64(byte &- 64) & 1 != 0
    }

    /// A byte of `[A-Za-z0-9-]`.
    @inline(__always)
    static func isUsualName(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2d
    }

    /// The value of a hexadecimal digit, 16 for every other byte.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8 {
        if byte &- 0x30 < 10 { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : 16
    }

    @inline(__always)
    private static func load(_ bytes: RawSpan, _ i: Int) -> SIMD16<UInt8> {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self)
    }

    /// Index of the first set lane, 16 if there is none.
    @inline(__always)
    private static func first(_ mask: SIMDMask<SIMD16<Int8>>) -> Int {
        let words = unsafe unsafeBitCast(mask, to: SIMD2<UInt64>.self)
        if words[0] != 0 { return words[0].trailingZeroBitCount &>> 3 }
        if words[1] != 0 { return 8 &+ words[1].trailingZeroBitCount &>> 3 }
        return 16
    }

    /// The first byte from `start` on that is not in `[A-Za-z0-9-]`, or the end.
    @inline(__always)
    static func endOfUsualName(_ input: Span<UInt8>, _ start: Int) -> Int {
        let bytes = unsafe input.bytes
        let count = input.count
        var i = start
        while count &- i >= 16 {
            let v = load(bytes, i)
            let letter =
                ((v | SIMD16<UInt8>(repeating: 0x20)) &- SIMD16<UInt8>(repeating: 0x61))
                .< SIMD16<UInt8>(repeating: 26)
            let digit = (v &- SIMD16<UInt8>(repeating: 0x30)) .< SIMD16<UInt8>(repeating: 10)
            let hyphen = v .== SIMD16<UInt8>(repeating: 0x2d)
            let hit = first(.!(letter .| digit .| hyphen))
            if hit < 16 { return i &+ hit }
            i &+= 16
        }
        while i < count, isUsualName(input[i]) { i &+= 1 }
        return i
    }

    /// The first byte from `start` on that is not a token byte, or the end.
    static func endOfToken(_ input: Span<UInt8>, _ start: Int) -> Int {
        var i = start
        while i < input.count, isToken(input[i]) { i &+= 1 }
        return i
    }

    /// The first control character but HTAB from `start` on, or the end (RFC 9110 §5.5).
    @inline(__always)
    static func endOfValue(_ input: Span<UInt8>, _ start: Int) -> Int {
        let bytes = unsafe input.bytes
        let count = input.count
        var i = start
        // A value of two blocks is likely to be a long one: a token, a cookie.
        let long = start &+ 32
        while count &- i >= 16 {
            let v = load(bytes, i)
            let control = v .< SIMD16<UInt8>(repeating: 0x20)
            let tab = v .== SIMD16<UInt8>(repeating: 0x09)
            let delete = v .== SIMD16<UInt8>(repeating: 0x7f)
            let hit = first((control .& .!tab) .| delete)
            if hit < 16 { return i &+ hit }
            i &+= 16
            if i == long { i = endOfPlainBlocks(input, i) }
        }
        while i < count {
            let byte = input[i]
            if byte < 0x20 ? byte != 0x09 : byte == 0x7f { return i }
            i &+= 1
        }
        return i
    }

    /// The start of the first 64 bytes from `start` on that hold a control character, or are not all there.
    @inline(__always)
    private static func endOfPlainBlocks(_ input: Span<UInt8>, _ start: Int) -> Int {
        let bytes = unsafe input.bytes
        let count = input.count
        var i = start
        while count &- i >= 64 {
            let v = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: i, as: SIMD64<UInt8>.self)
            let control = v .< SIMD64<UInt8>(repeating: 0x20)
            let delete = v .== SIMD64<UInt8>(repeating: 0x7f)
            let words = unsafe unsafeBitCast(control .| delete, to: SIMD8<UInt64>.self)
            let half = words.lowHalf | words.highHalf
            let quarter = half.lowHalf | half.highHalf
            if quarter[0] | quarter[1] != 0 { break }
            i &+= 64
        }
        return i
    }

    /// Whether a path is canonical as it stands, judging by its bytes alone: letters, digits, `-`, `_`, `~`, and dots
    /// and slashes that do not follow a slash.
    ///
    /// `start` is the place of its first slash; false as well near the end of the input.
    @inline(__always)
    static func isPlainPath(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        let bytes = unsafe input.bytes
        let count = input.count
        var i = start &+ 1
        while i < end {
            guard count &- i >= 16 else { return false }
            let v = load(bytes, i)
            let before = load(bytes, i &- 1) .== SIMD16<UInt8>(repeating: 0x2f)
            let letter =
                ((v | SIMD16<UInt8>(repeating: 0x20)) &- SIMD16<UInt8>(repeating: 0x61))
                .< SIMD16<UInt8>(repeating: 26)
            // `-`, `.`, `/` and the digits stand side by side.
            let digit = (v &- SIMD16<UInt8>(repeating: 0x2d)) .< SIMD16<UInt8>(repeating: 13)
            let other = (v .== SIMD16<UInt8>(repeating: 0x5f)) .| (v .== SIMD16<UInt8>(repeating: 0x7e))
            let separator = (v &- SIMD16<UInt8>(repeating: 0x2e)) .< SIMD16<UInt8>(repeating: 2)
            let hit = first(.!(letter .| digit .| other) .| (separator .& before))
            i &+= hit
            if hit < 16 { return i >= end }
        }
        return true
    }

    /// The first byte from `start` on that is not visible ASCII or is `#`, or the end.
    @inline(__always)
    static func endOfTarget(_ input: Span<UInt8>, _ start: Int) -> Int {
        let bytes = unsafe input.bytes
        let count = input.count
        var i = start
        while count &- i >= 16 {
            let v = load(bytes, i)
            let visible = (v &- SIMD16<UInt8>(repeating: 0x21)) .< SIMD16<UInt8>(repeating: 0x5e)
            let hash = v .== SIMD16<UInt8>(repeating: 0x23)
            let hit = first(.!visible .| hash)
            if hit < 16 { return i &+ hit }
            i &+= 16
        }
        while i < count, input[i] &- 0x21 < 0x5e, input[i] != 0x23 { i &+= 1 }
        return i
    }

    /// The first `byte` in `start..<end`, or `end`.
    @inline(__always)
    static func index(of byte: UInt8, in input: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        let bytes = unsafe input.bytes
        var i = start
        while end &- i >= 16 {
            let hit = first(load(bytes, i) .== SIMD16<UInt8>(repeating: byte))
            if hit < 16 { return i &+ hit }
            i &+= 16
        }
        while i < end, input[i] != byte { i &+= 1 }
        return i
    }

    /// Whether the bytes are `text` (which is lower case), ASCII letters compared without case.
    static func equalFolded(_ input: Span<UInt8>, _ start: Int, _ end: Int, _ text: StaticString) -> Bool {
        guard end &- start == text.utf8CodeUnitCount else { return false }
        for i in 0..<(end &- start) {
            let byte = input[start &+ i]
            let folded = byte &- 0x41 < 26 ? byte | 0x20 : byte
            if unsafe folded != text.utf8Start[i] { return false }
        }
        return true
    }

    /// Whether both ranges hold the same bytes, ASCII letters compared without case.
    static func equalFolded(_ input: Span<UInt8>, _ a: Int, _ b: Int, count: Int) -> Bool {
        for i in 0..<count {
            let x = input[a &+ i]
            let y = input[b &+ i]
            if x != y, (x | 0x20) != (y | 0x20) || (x | 0x20) &- 0x61 >= 26 { return false }
        }
        return true
    }
}
