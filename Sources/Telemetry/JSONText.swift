// HOT. Bytes from outside as JSON string contents: nothing in them can end the string, the line or a terminal's mode.
public import Bytes

/// Writes JSON strings without allocating.
///
/// Advisory A45 (log injection): quotes, backslashes, control characters (C0, DEL, C1), line separators and
/// bidirectional controls are escaped, bytes that are not UTF-8 become U+FFFD, and length is capped.
public enum JSONText {
    /// Appends the contents of a string (without quotes): at most `cap` bytes of `text`, an ellipsis when it was longer.
    @inline(__always)
    public static func append(_ text: UnsafeBufferPointer<UInt8>, cap: Int, to out: OutputBuffer) {
        guard let base = text.baseAddress, text.count > 0 else { return }
        let count = min(text.count, cap)
        if count == text.count, copyPlain(base, count, to: out.reserve(count)) {
            out.advance(count)
        } else {
            escape(base, count, cut: count < text.count, to: out)
        }
    }

    /// Copies `count` bytes while looking at them; false when one is not printable US-ASCII, or is `"` or `\`.
    ///
    /// In blocks, the last of which overlaps the one before it: no loop over single bytes beyond three.
    @inline(__always)
    static func copyPlain(_ base: UnsafePointer<UInt8>, _ count: Int, to place: UnsafeMutablePointer<UInt8>) -> Bool {
        let from = UnsafeRawPointer(base)
        let to = UnsafeMutableRawPointer(place)
        if count >= 16 {
            var index = 0
            while index &+ 16 < count {
                if !copy16(from + index, to + index) { return false }
                index &+= 16
            }
            return copy16(from + (count &- 16), to + (count &- 16))
        }
        if count >= 8 { return copy8(from, to) && copy8(from + (count &- 8), to + (count &- 8)) }
        var index = 0
        while index < count {
            let byte = base[index]
            if byte < 0x20 || byte > 0x7e || byte == 0x22 || byte == 0x5c { return false }
            place[index] = byte
            index &+= 1
        }
        return true
    }

    @inline(__always)
    private static func copy16(_ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer) -> Bool {
        copy8(from, to) && copy8(from + 8, to + 8)
    }

    @inline(__always)
    private static func copy8(_ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer) -> Bool {
        let chunk = from.loadUnaligned(as: UInt64.self)
        to.storeBytes(of: chunk, as: UInt64.self)
        // Exact where it says no: the high bits of bytes below 0x20, of `"`, of `\`, above 0x7e.
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = chunk ^ (ones &* 0x22)
        let backslash = chunk ^ (ones &* 0x5c)
        let delete = chunk ^ (ones &* 0x7f)
        let low = (chunk &- ones &* 0x20) & ~chunk
        let found =
            low | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (delete &- ones) & ~delete | chunk
        return found & (ones &* 0x80) == 0
    }

    @inline(never)
    private static func escape(_ base: UnsafePointer<UInt8>, _ count: Int, cut: Bool, to out: OutputBuffer) {
        var index = 0
        while index < count {
            let byte = base[index]
            if byte < 0x80 {
                escape(ascii: byte, to: out)
                index &+= 1
                continue
            }
            let (scalar, length) = decode(base + index, count &- index)
            switch scalar {
            case 0x80...0x9f, 0x2028, 0x2029, 0x200e, 0x200f, 0x202a...0x202e, 0x2066...0x2069:
                out.append("\\u")
                out.append(hex: UInt64(scalar), digits: 4)
            case 0:
                // A character cut in two by the cap is left out; the ellipsis says so.
                if cut, count &- index < 4, isLead(byte) { index = count } else { out.append("\\ufffd") }
            default: out.append(base + index, length)
            }
            index &+= length
        }
        if cut { out.append("\u{2026}") }
    }

    private static func escape(ascii byte: UInt8, to out: OutputBuffer) {
        switch byte {
        case 0x22: out.append("\\\"")
        case 0x5c: out.append("\\\\")
        case 0x0a: out.append("\\n")
        case 0x0d: out.append("\\r")
        case 0x09: out.append("\\t")
        case 0x20...0x7e: out.append(byte: byte)
        default:
            out.append("\\u")
            out.append(hex: UInt64(byte), digits: 4)
        }
    }

    private static func isLead(_ byte: UInt8) -> Bool { byte >= 0xc2 && byte <= 0xf4 }

    /// The first scalar and its length; (0, 1) when the bytes are not UTF-8 (RFC 3629 §4).
    private static func decode(_ base: UnsafePointer<UInt8>, _ count: Int) -> (UInt32, Int) {
        let first = base[0]
        guard isLead(first) else { return (0, 1) }
        let length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        guard count >= length else { return (0, 1) }
        var scalar = UInt32(first) & (length == 2 ? 0x1f : length == 3 ? 0x0f : 0x07)
        for index in 1..<length {
            guard base[index] & 0xc0 == 0x80 else { return (0, 1) }
            scalar = scalar << 6 | UInt32(base[index] & 0x3f)
        }
        let least: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x1_0000
        guard scalar >= least, scalar <= 0x10_ffff, !(0xd800...0xdfff).contains(scalar) else { return (0, 1) }
        return (scalar, length)
    }
}
