// HOT once per connection. The PROXY protocol's header, versions 1 and 2: bytes to addresses, no I/O.
import CLinux
import Glibc

/// What the first bytes of a connection say when the peer is one that sends a PROXY header.
///
/// Source: the PROXY protocol, versions 1 & 2 (haproxy.org, 2020-03-05). Strict: whoever is trusted to send a header
/// must send one, and a byte that does not belong there refuses the connection.
public enum ProxyHeader: Equatable, Sendable {
    /// Not complete; never said of more than ``maximumLength`` bytes.
    case needMore
    /// No header, or one that is malformed or too long: close the connection.
    case refused
    /// The proxy speaks for itself (a health check) or does not know: the connection's own addresses count.
    ///
    /// The connection's content begins at `length`.
    case local(length: Int)
    /// Where the client came from and what it connected to; the connection's content begins at `length`.
    case address(source: IPAddress, destination: IPAddress, length: Int)

    /// Longest header that is accepted: 107 bytes of version 1, 4 KiB behind the fixed part of version 2, whose
    /// extensions may hold a client's certificate or what a cloud knows of it.
    public static let maximumLength = 16 + 4096
    private static let maximumText = 107
    private static let fixedBytes = 16
    private static let text: StaticString = "PROXY "

    /// Parses a header at the beginning of `bytes`; bytes behind it are not looked at.
    ///
    /// O(header), no allocation.
    public static func parse(_ bytes: Span<UInt8>) -> ProxyHeader {
        guard !bytes.isEmpty else { return .needMore }
        return bytes[0] == 0x0d ? parseBinary(bytes) : parseText(bytes)
    }

    // MARK: Version 1

    private static func parseText(_ bytes: Span<UInt8>) -> ProxyHeader {
        let size = text.utf8CodeUnitCount
        var i = 0
        while i < min(size, bytes.count) {
            if bytes[i] != text.utf8Start[i] { return .refused }
            i += 1
        }
        while i < min(bytes.count, maximumText) {
            let byte = bytes[i]
            if byte == 0x0a {
                guard i > size, bytes[i - 1] == 0x0d else { return .refused }
                return readText(bytes, from: size, to: i - 1)
            }
            if bytes[i - 1] == 0x0d || byte != 0x0d && (byte < 0x20 || byte > 0x7e) { return .refused }
            i += 1
        }
        return bytes.count >= maximumText ? .refused : .needMore
    }

    private static func readText(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> ProxyHeader {
        let length = end + 2
        var position = start
        let family = word(bytes, &position, end)
        if equals(bytes, family, "UNKNOWN") { return .local(length: length) }
        let isSix = equals(bytes, family, "TCP6")
        guard isSix || equals(bytes, family, "TCP4"),
            var source = address(bytes, word(bytes, &position, end), isSix),
            var destination = address(bytes, word(bytes, &position, end), isSix),
            let from = port(bytes, word(bytes, &position, end)),
            let to = port(bytes, word(bytes, &position, end)), position == end + 1
        else { return .refused }
        source.port = from
        destination.port = to
        return .address(source: source, destination: destination, length: length)
    }

    /// The bytes up to the next space, or to the end; steps over the space.
    private static func word(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) -> Range<Int> {
        let start = min(position, end)
        var i = start
        while i < end, bytes[i] != 0x20 { i += 1 }
        position = i + 1
        return start..<i
    }

    private static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ word: StaticString) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        for i in range where bytes[i] != word.utf8Start[i - range.lowerBound] { return false }
        return true
    }

    private static func address(_ bytes: Span<UInt8>, _ range: Range<Int>, _ isSix: Bool) -> IPAddress? {
        guard (2...45).contains(range.count) else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { text in
            for (offset, i) in range.enumerated() {
                text.initializeElement(at: offset, to: CChar(bitPattern: bytes[i]))
            }
            text.initializeElement(at: range.count, to: 0)
            if isSix {
                var six = in6_addr()
                guard inet_pton(AF_INET6, text.baseAddress, &six) == 1 else { return nil }
                return withUnsafeBytes(of: &six) { raw in
                    IPAddress(
                        high: UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
                        low: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        port: 0
                    )
                }
            }
            var four = in_addr()
            guard inet_pton(AF_INET, text.baseAddress, &four) == 1 else { return nil }
            return IPAddress(high: 0, low: 0xffff_0000_0000 | UInt64(UInt32(bigEndian: four.s_addr)), port: 0)
        }
    }

    private static func port(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt16? {
        guard (1...5).contains(range.count), range.count == 1 || bytes[range.lowerBound] != 0x30 else { return nil }
        var value = 0
        for i in range {
            guard bytes[i] >= 0x30, bytes[i] <= 0x39 else { return nil }
            value = value * 10 + Int(bytes[i] - 0x30)
        }
        return UInt16(exactly: value)
    }

    // MARK: Version 2

    private static func signature(_ i: Int) -> UInt8 {
        // "\r\n\r\n\0\r\nQUIT\n"
        let high: UInt64 = 0x0d0a_0d0a_000d_0a51
        let low: UInt32 = 0x5549_540a
        return i < 8
            ? UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * i))
            : UInt8(truncatingIfNeeded: low >> UInt32(24 - 8 * (i - 8)))
    }

    private static func parseBinary(_ bytes: Span<UInt8>) -> ProxyHeader {
        for i in 0..<min(12, bytes.count) where bytes[i] != signature(i) { return .refused }
        guard bytes.count >= fixedBytes else {
            // What is there of the rest may already be wrong.
            if bytes.count > 12, bytes[12] & 0xfe != 0x20 { return .refused }
            return .needMore
        }
        guard bytes[12] & 0xfe == 0x20 else { return .refused }
        let isLocal = bytes[12] == 0x20
        let length = fixedBytes + Int(number(bytes, 14, 2))
        guard length <= maximumLength else { return .refused }
        var addressBytes = 0
        switch bytes[13] {
        case 0x11: addressBytes = 12
        case 0x21: addressBytes = 36
        case 0x31: addressBytes = 216
        case 0x00: addressBytes = 0
        default: if !isLocal { return .refused }
        }
        guard isLocal || length >= fixedBytes + addressBytes else { return .refused }
        guard bytes.count >= length else { return .needMore }
        if isLocal { return .local(length: length) }
        // With no family named, the rest has no form that could be checked.
        if bytes[13] == 0x00 { return .local(length: length) }
        guard hasSoundExtensions(bytes, from: fixedBytes + addressBytes, to: length) else { return .refused }
        switch bytes[13] {
        case 0x11:
            return .address(
                source: IPAddress(
                    high: 0,
                    low: 0xffff_0000_0000 | number(bytes, 16, 4),
                    port: UInt16(truncatingIfNeeded: number(bytes, 24, 2))
                ),
                destination: IPAddress(
                    high: 0,
                    low: 0xffff_0000_0000 | number(bytes, 20, 4),
                    port: UInt16(truncatingIfNeeded: number(bytes, 26, 2))
                ),
                length: length
            )
        case 0x21:
            return .address(
                source: IPAddress(
                    high: number(bytes, 16, 8),
                    low: number(bytes, 24, 8),
                    port: UInt16(truncatingIfNeeded: number(bytes, 48, 2))
                ),
                destination: IPAddress(
                    high: number(bytes, 32, 8),
                    low: number(bytes, 40, 8),
                    port: UInt16(truncatingIfNeeded: number(bytes, 50, 2))
                ),
                length: length
            )
        default: return .local(length: length)
        }
    }

    private static let checksumType: UInt8 = 0x03

    /// Whether the extensions (type, length, value) end where the header ends, and the checksum is right if it is there.
    private static func hasSoundExtensions(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        var i = start
        var checksum = -1
        while i < end {
            guard i + 3 <= end else { return false }
            let length = Int(number(bytes, i + 1, 2))
            if bytes[i] == checksumType {
                guard checksum < 0, length == 4, i + 7 <= end else { return false }
                checksum = i + 3
            }
            i += 3 + length
        }
        guard i == end else { return false }
        return checksum < 0 || number(bytes, checksum, 4) == UInt64(sum(bytes, end, without: checksum))
    }

    /// CRC32C of the whole header, the four bytes at `place` taken for zeros (§2.2.3).
    private static func sum(_ bytes: Span<UInt8>, _ count: Int, without place: Int) -> UInt32 {
        var value: UInt32 = .max
        for i in 0..<count {
            value ^= i >= place && i < place + 4 ? 0 : UInt32(bytes[i])
            for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82f6_3b78 }
        }
        return ~value
    }

    private static func number(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        for i in start..<(start + count) { value = value << 8 | UInt64(bytes[i]) }
        return value
    }
}
