// HOT. JSON strings: finding their end, checking their UTF-8 and unescaping them in place.
internal import Bytes

/// Strings of a JSON text.
enum JSONStrings {
    /// Reads a string whose opening quote was just consumed; leaves `i` behind the closing one.
    ///
    /// Returns where the unescaped bytes are: they overwrite the escaped ones, which are never shorter.
    static func scan(_ text: inout MutableSpan<UInt8>, _ i: inout Int) throws(JSONError) -> Slice {
        let count = text.count
        let start = i
        while true {
            // Eight bytes at once while nothing special is among them.
            while count &- i >= 8 {
                let word = unsafe text.bytes.unsafeLoadUnaligned(fromByteOffset: i, as: UInt64.self).littleEndian
                let special = specials(word)
                if special != 0 {
                    i &+= special.trailingZeroBitCount >> 3
                    break
                }
                i &+= 8
            }
            guard i < count else { throw .syntax }
            let byte = text[i]
            if byte == 0x22 {
                let slice = Slice(start, i)
                i &+= 1
                return slice
            }
            if byte == 0x5c { return try unescape(&text, &i, from: start) }
            if byte < 0x20 { throw .syntax }
            i &+= byte < 0x80 ? 1 : try sequence(text, i)
        }
    }

    /// The top bit of the lowest byte that is a quote, a backslash, a control or not ASCII (bits above it may be set
    /// as well).
    @inline(__always)
    private static func specials(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        let quote = word ^ (ones &* 0x22)
        let slash = word ^ (ones &* 0x5c)
        let found = ((quote &- ones) & ~quote) | ((slash &- ones) & ~slash) | ((word &- ones &* 0x20) & ~word) | word
        return found & tops
    }

    /// Length of the UTF-8 sequence that starts at `i` (RFC 3629 §4: no overlong form, no surrogate).
    private static func sequence(_ text: borrowing MutableSpan<UInt8>, _ i: Int) throws(JSONError) -> Int {
        let rest = text.count &- i
        let first = text[i]
        func follows(_ offset: Int, _ low: UInt8 = 0x80, _ high: UInt8 = 0xbf) -> Bool {
            offset < rest && text[i &+ offset] >= low && text[i &+ offset] <= high
        }
        switch first {
        case 0xc2...0xdf:
            if follows(1) { return 2 }
        case 0xe0...0xef:
            if follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf), follows(2) { return 3 }
        case 0xf0...0xf4:
            if follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf), follows(2), follows(3) { return 4 }
        default: break
        }
        throw .encoding
    }

    /// The rest of a string from its first backslash on.
    @inline(never)
    private static func unescape(
        _ text: inout MutableSpan<UInt8>,
        _ i: inout Int,
        from start: Int
    ) throws(JSONError) -> Slice {
        let count = text.count
        var out = i
        while i < count {
            let byte = text[i]
            if byte == 0x22 {
                i &+= 1
                return Slice(start, out)
            }
            if byte < 0x20 { throw .syntax }
            if byte != 0x5c {
                let length = byte < 0x80 ? 1 : try sequence(text, i)
                for _ in 0..<length {
                    text[out] = text[i]
                    out &+= 1
                    i &+= 1
                }
                continue
            }
            guard i &+ 1 < count else { throw .syntax }
            let plain: UInt8
            switch text[i &+ 1] {
            case 0x22: plain = 0x22
            case 0x5c: plain = 0x5c
            case 0x2f: plain = 0x2f
            case 0x62: plain = 0x08
            case 0x66: plain = 0x0c
            case 0x6e: plain = 0x0a
            case 0x72: plain = 0x0d
            case 0x74: plain = 0x09
            case 0x75:
                try unicode(&text, &i, &out)
                continue
            default: throw .syntax
            }
            text[out] = plain
            out &+= 1
            i &+= 2
        }
        throw .syntax
    }

    /// `\uXXXX`, or two of them for a character beyond the first plane; half a pair is refused.
    private static func unicode(_ text: inout MutableSpan<UInt8>, _ i: inout Int, _ out: inout Int) throws(JSONError) {
        var scalar = try unit(text, i)
        i &+= 6
        if scalar & 0xf800 == 0xd800 {
            guard scalar < 0xdc00, i &+ 1 < text.count, text[i] == 0x5c, text[i &+ 1] == 0x75 else { throw .encoding }
            let low = try unit(text, i)
            guard low & 0xfc00 == 0xdc00 else { throw .encoding }
            i &+= 6
            scalar = 0x10000 &+ (scalar & 0x3ff) << 10 &+ (low & 0x3ff)
        }
        func put(_ bits: UInt32) {
            text[out] = UInt8(truncatingIfNeeded: bits)
            out &+= 1
        }
        if scalar < 0x80 {
            put(scalar)
        } else if scalar < 0x800 {
            put(0xc0 | scalar >> 6)
            put(0x80 | scalar & 0x3f)
        } else {
            if scalar < 0x10000 {
                put(0xe0 | scalar >> 12)
            } else {
                put(0xf0 | scalar >> 18)
                put(0x80 | scalar >> 12 & 0x3f)
            }
            put(0x80 | scalar >> 6 & 0x3f)
            put(0x80 | scalar & 0x3f)
        }
    }

    /// The four hexadecimal digits behind `\u` at `i`.
    private static func unit(_ text: borrowing MutableSpan<UInt8>, _ i: Int) throws(JSONError) -> UInt32 {
        guard text.count &- i >= 6 else { throw .syntax }
        var value: UInt32 = 0
        for place in 2..<6 {
            let byte = text[i &+ place]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte &- 0x30
            case 0x41...0x46: digit = byte &- 0x37
            case 0x61...0x66: digit = byte &- 0x57
            default: throw .syntax
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
