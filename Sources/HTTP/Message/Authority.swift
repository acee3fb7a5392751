// HOT. Host and port of `Host` or of an absolute target.
import Bytes

/// An authority without user information (RFC 3986 §3.2), narrower than the grammar: names of letters, digits, `-`,
/// `_`, `~` and single dots, or an address; no percent-encoding, no sub-delimiters, at most 255 bytes.
struct Authority {
    /// The host, without a trailing dot; an IPv6 address with its brackets.
    var host = Slice()
    /// The port, -1 if there is none.
    var port = -1

    /// Reads `start..<end`.
    @inline(__always)
    mutating func read(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> ProtocolError? {
        guard end > start, end &- start <= 262 else { return .hostMalformed }
        var i = start
        if input[i] == 0x5b {
            i = ByteScan.index(of: 0x5d, in: input, start, end)
            guard i < end, Authority.isIPv6(input, start &+ 1, i) else { return .hostMalformed }
            i &+= 1
            host = Slice(start, i)
        } else {
            var previous: UInt8 = 0x2e
            while i < end {
                let byte = input[i]
                if byte == 0x2e {
                    guard previous != 0x2e else { return .hostMalformed }
                } else if !ByteScan.isUsualName(byte), byte != 0x5f, byte != 0x7e {
                    break
                }
                previous = byte
                i &+= 1
            }
            guard i > start, i &- start <= 255, i == end || input[i] == 0x3a else { return .hostMalformed }
            host = Slice(start, previous == 0x2e ? i &- 1 : i)
        }
        guard i < end else { return nil }
        guard input[i] == 0x3a else { return .hostMalformed }
        return readPort(input, i &+ 1, end)
    }

    /// `*DIGIT`: nothing, or 1…65535.
    private mutating func readPort(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> ProtocolError? {
        guard end > start else { return nil }
        guard end &- start <= 5 else { return .portMalformed }
        var value = 0
        for i in start..<end {
            let digit = input[i] &- 0x30
            guard digit < 10 else { return .portMalformed }
            value = value &* 10 &+ Int(digit)
        }
        guard value > 0, value < 65536 else { return .portMalformed }
        port = value
        return nil
    }

    /// RFC 3986 §3.2.2 `IPv6address`; no zone.
    private static func isIPv6(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        var groups = 0
        var compressed = false
        var i = start
        if end &- i >= 2, input[i] == 0x3a {
            guard input[i &+ 1] == 0x3a else { return false }
            compressed = true
            i &+= 2
            if i == end { return true }
        }
        while i < end {
            let groupStart = i
            while i < end, ByteScan.hexValue(input[i]) < 16 { i &+= 1 }
            if i < end, input[i] == 0x2e {
                guard isIPv4(input, groupStart, end) else { return false }
                groups &+= 2
                i = end
                break
            }
            guard i > groupStart, i &- groupStart <= 4 else { return false }
            groups &+= 1
            if i == end { break }
            guard input[i] == 0x3a, i &+ 1 < end else { return false }
            i &+= 1
            if input[i] == 0x3a {
                guard !compressed else { return false }
                compressed = true
                i &+= 1
            }
        }
        return compressed ? groups < 8 : groups == 8
    }

    private static func isIPv4(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        var i = start
        for part in 0..<4 {
            let partStart = i
            var value = 0
            while i < end, input[i] &- 0x30 < 10, i &- partStart < 3 {
                value = value &* 10 &+ Int(input[i] &- 0x30)
                i &+= 1
            }
            guard i > partStart, value < 256, i &- partStart == 1 || input[partStart] != 0x30 else { return false }
            if part < 3 {
                guard i < end, input[i] == 0x2e else { return false }
                i &+= 1
            }
        }
        return i == end
    }
}
