// COLD. Addresses as the file writes them: where to listen, where a server is, which networks are trusted.
import Glibc

/// An address of 128 bits; IPv4 in mapped form (`::ffff:a.b.c.d`), the same layout as `Reactor.IPAddress`.
public struct IPNumber: Sendable, Hashable {
    /// First 8 bytes in network order, as a big-endian number.
    public var high: UInt64
    /// Last 8 bytes in network order, as a big-endian number.
    public var low: UInt64

    /// An address from its halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Whether it is a mapped IPv4 address.
    public var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }

    /// Whether it is this machine: 127.0.0.0/8 or `::1`.
    public var isLoopback: Bool { isIPv4 ? low >> 24 & 255 == 127 : high == 0 && low == 1 }

    /// Parses `192.0.2.1` or `2001:db8::1` (without brackets); nil when it is neither.
    public init?(text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(high: 0, low: 0xffff_0000_0000 | UInt64(UInt32(bigEndian: four.s_addr)))
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            let (high, low) = withUnsafeBytes(of: &six) {
                ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            self.init(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
        } else {
            return nil
        }
    }
}

/// An address with a port, a host name with a port, or a unix socket.
public enum Endpoint: Sendable, Hashable {
    /// `192.0.2.1:80` or `[2001:db8::1]:80`; `host` is the address without brackets.
    case ip(IPNumber, host: String, port: UInt16)
    /// `name:80`, to be looked up.
    case name(String, port: UInt16)
    /// `unix:/path`.
    case unix(path: String)

    /// As in the file: `127.0.0.1:80`, `[::1]:80`, `name:80`, `unix:/path`.
    public var text: String {
        switch self {
        case .ip(let number, let host, let port):
            number.isIPv4 && !host.contains(":") ? "\(host):\(port)" : "[\(host)]:\(port)"
        case .name(let name, let port): "\(name):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Whether only this machine reaches it.
    public var isLoopback: Bool {
        switch self {
        case .ip(let number, _, _): number.isLoopback
        case .name(let name, _): name == "localhost"
        case .unix: true
        }
    }

    /// 127.0.0.1 with `port`.
    public static func loopback(_ port: UInt16) -> Endpoint {
        .ip(IPNumber(high: 0, low: 0xffff_7f00_0001), host: "127.0.0.1", port: port)
    }
}

/// A network in CIDR notation; IPv4 networks are kept in mapped form.
public struct CIDR: Sendable, Hashable {
    /// The network's first address.
    public let network: IPNumber
    /// Leading bits that count, 0…128 (96 more than written for IPv4).
    public let prefixLength: Int
    /// As in the file.
    public let text: String

    /// Parses `10.0.0.0/8`, `2001:db8::/32` or a single address; nil when it is none, or has bits behind the prefix.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let number = IPNumber(text: String(parts[0])) else { return nil }
        let isFour = !parts[0].contains(":")
        var length = 128
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let written = Int(parts[1]),
                written <= (isFour ? 32 : 128)
            else { return nil }
            length = isFour ? written + 96 : written
        }
        let (high, low) = Self.masks(length)
        guard number.high & ~high == 0, number.low & ~low == 0 else { return nil }
        network = number
        prefixLength = length
        self.text = text
    }

    /// Whether the network holds the address (IPv4 in mapped form).
    public func contains(high: UInt64, low: UInt64) -> Bool {
        let (highMask, lowMask) = Self.masks(prefixLength)
        return high & highMask == network.high && low & lowMask == network.low
    }

    private static func masks(_ length: Int) -> (high: UInt64, low: UInt64) {
        (
            length == 0 ? 0 : length >= 64 ? .max : .max << UInt64(64 - length),
            length <= 64 ? 0 : length >= 128 ? .max : .max << UInt64(128 - length)
        )
    }
}
