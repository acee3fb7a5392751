// HOT. What RFC 9113 §8.2 lets a field be: the checks that hold whatever the library thinks.
import Bytes

/// The fields that need a look at their value, and those that HTTP/2 forbids.
enum FieldRole {
    case plain
    /// `Connection` and its kin (RFC 9113 §8.2.2): their presence makes a message malformed.
    case forbidden
    case te
    case host
    case cookie
    case contentLength
    case webSocketKey
    case webSocketAccept
}

/// Names and values of fields.
enum FieldRules {
    /// Whether the bytes are a token without upper-case letters (RFC 9113 §8.2.1), and not empty.
    @inline(__always)
    static func isName(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard count > 0 else { return false }
        var i = 0
        while i < count {
            if !isNameByte(bytes[i]) { return false }
            i &+= 1
        }
        return true
    }

    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        // Bit n of the low word is byte n, of the high word byte 64 + n; A-Z are left out.
        let low: UInt64 = 0x03ff_6cfa_0000_0000
        let high: UInt64 = 0x57ff_ffff_c000_0000
        let word = byte < 64 ? low : high
        return byte < 128 && word &>> UInt64(byte & 63) & 1 != 0
    }

    /// Whether the bytes are a token of any case (a method).
    static func isToken(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard count > 0 else { return false }
        for i in 0..<count where !isNameByte(Scan.lowercase(bytes[i])) { return false }
        return true
    }

    /// Whether the bytes may be a value: no control character but HTAB, and no white space at either end.
    @inline(__always)
    static func isValue(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard count > 0 else { return true }
        if isBlank(bytes[0]) || isBlank(bytes[count &- 1]) { return false }
        let raw = UnsafeRawPointer(bytes)
        var i = 0
        while count &- i >= 16 {
            let v = raw.loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self)
            let control = v .< SIMD16<UInt8>(repeating: 0x20)
            let tab = v .== SIMD16<UInt8>(repeating: 0x09)
            let delete = v .== SIMD16<UInt8>(repeating: 0x7f)
            let words = unsafeBitCast((control .& .!tab) .| delete, to: SIMD2<UInt64>.self)
            if words[0] | words[1] != 0 { return false }
            i &+= 16
        }
        while i < count {
            let byte = bytes[i]
            if byte < 0x20 ? byte != 0x09 : byte == 0x7f { return false }
            i &+= 1
        }
        return true
    }

    /// Whether the bytes can stand in a request line: no space, no control character.
    static func isTarget(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for i in 0..<count where bytes[i] <= 0x20 || bytes[i] == 0x7f { return false }
        return count > 0
    }

    /// Which field a lower-case name is.
    @inline(__always)
    static func role(_ name: UnsafePointer<UInt8>, _ count: Int) -> FieldRole {
        switch count {
        case 2: equal(name, "te") ? .te : .plain
        case 4: equal(name, "host") ? .host : .plain
        case 6: equal(name, "cookie") ? .cookie : .plain
        case 7: equal(name, "upgrade") ? .forbidden : .plain
        case 10: equal(name, "connection") || equal(name, "keep-alive") ? .forbidden : .plain
        case 14: equal(name, "content-length") ? .contentLength : .plain
        case 16: equal(name, "proxy-connection") ? .forbidden : .plain
        case 17:
            if equal(name, "transfer-encoding") {
                .forbidden
            } else {
                equal(name, "sec-websocket-key") ? .webSocketKey : .plain
            }
        case 20: equal(name, "sec-websocket-accept") ? .webSocketAccept : .plain
        default: .plain
        }
    }

    /// Whether as many bytes as `text` has are those of `text`.
    @inline(__always)
    static func equal(_ bytes: UnsafePointer<UInt8>, _ text: StaticString) -> Bool {
        Scan.equal(bytes, text.utf8Start, text.utf8CodeUnitCount)
    }

    /// Whether both count and bytes are those of `text`.
    @inline(__always)
    static func equal(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && equal(bytes, text)
    }

    /// A length of digits only, below 2^63; -1 for anything else.
    static func number(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int64 {
        guard count > 0, count <= 19 else { return -1 }
        var value: Int64 = 0
        for i in 0..<count {
            let digit = bytes[i] &- 0x30
            guard digit < 10 else { return -1 }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, more) = product.addingReportingOverflow(Int64(digit))
            if overflow || more { return -1 }
            value = sum
        }
        return value
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
