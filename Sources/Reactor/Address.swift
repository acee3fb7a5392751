// COLD except `IPAddress`: addresses of sockets, as text and as the kernel wants them.
public import Bytes
import CLinux
import Glibc

/// An IPv4 or IPv6 address with a port in 24 bytes; IPv4 is kept in mapped form.
public struct IPAddress: Equatable, Hashable, Sendable {
    /// First 8 bytes in network order, as a big-endian number.
    public var high: UInt64
    /// Last 8 bytes in network order, as a big-endian number.
    public var low: UInt64
    /// Port, 0 when none.
    public var port: UInt16
    /// Whether there is an address at all: a unix socket's peer has none.
    public var isUnix: Bool

    /// The peer of a unix socket.
    public static let unix = IPAddress(high: 0, low: 0, port: 0, isUnix: true)

    /// Whether this is an IPv4 address (mapped).
    public var isIPv4: Bool { !isUnix && high == 0 && low >> 32 == 0xffff }

    /// Whether it is this machine: 127.0.0.0/8, `::1`, or a unix socket.
    public var isLoopback: Bool { isUnix || (isIPv4 ? low >> 24 & 255 == 127 : high == 0 && low == 1) }

    /// An address from its parts.
    public init(high: UInt64, low: UInt64, port: UInt16, isUnix: Bool = false) {
        self.high = high
        self.low = low
        self.port = port
        self.isUnix = isUnix
    }

    /// The address in a socket address.
    init(_ storage: sockaddr_storage) {
        var copy = storage
        let family = Int32(storage.ss_family)
        self = withUnsafeBytes(of: &copy) { raw in
            switch family {
            case AF_INET:
                let address = UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
                let port = UInt16(bigEndian: raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
                return IPAddress(high: 0, low: 0xffff_0000_0000 | UInt64(address), port: port)
            case AF_INET6:
                return IPAddress(
                    high: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                    low: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)),
                    port: UInt16(bigEndian: raw.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
                )
            default:
                return .unix
            }
        }
    }

    /// The address in text, without port, or nil when it is none.
    public init?(text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(high: 0, low: 0xffff_0000_0000 | UInt64(UInt32(bigEndian: four.s_addr)), port: 0)
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            let (high, low) = withUnsafeBytes(of: &six) {
                ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            self.init(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), port: 0)
        } else {
            return nil
        }
    }

    /// Appends the address without port; `unix` for a unix socket.
    public func write(to out: OutputBuffer) {
        if isUnix { return out.append("unix") }
        if isIPv4 {
            for shift in stride(from: UInt64(24), through: 0, by: -8) {
                out.append(decimal: low >> shift & 255)
                if shift > 0 { out.append(byte: 0x2e) }
            }
            return
        }
        writeIPv6(to: out)
    }

    private func writeIPv6(to out: OutputBuffer) {
        // RFC 5952: the longest run of zero groups (two at least, the first of equals) becomes "::".
        func group(_ i: Int) -> UInt64 {
            (i < 4 ? high >> UInt64(48 - 16 * i) : low >> UInt64(48 - 16 * (i - 4))) & 0xffff
        }
        var bestStart = -1
        var bestLength = 1
        var i = 0
        while i < 8 {
            var length = 0
            while i + length < 8, group(i + length) == 0 { length += 1 }
            if length > bestLength {
                bestStart = i
                bestLength = length
            }
            i += max(1, length)
        }
        i = 0
        while i < 8 {
            if i == bestStart {
                out.append(i == 0 ? "::" : ":")
                i += bestLength
                continue
            }
            out.append(hex: group(i))
            if i < 7 { out.append(byte: 0x3a) }
            i += 1
        }
    }

    /// The address without port.
    public var text: String {
        let out = OutputBuffer(capacity: 64)
        write(to: out)
        return String(decoding: out.bytes, as: UTF8.self)
    }

    /// Whether the first `bits` bits (of 128) are those of `network`.
    public func isIn(_ network: IPAddress, bits: Int) -> Bool {
        if isUnix || network.isUnix { return false }
        let highMask = bits >= 64 ? UInt64.max : bits <= 0 ? 0 : ~(UInt64.max >> UInt64(bits))
        let lowMask = bits >= 128 ? UInt64.max : bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
        return (high ^ network.high) & highMask == 0 && (low ^ network.low) & lowMask == 0
    }
}

/// Where to listen or connect: an IP address with port or a unix socket's path.
public struct SocketAddress: Sendable, Equatable {
    /// The address, or `.unix`.
    public var ip: IPAddress
    /// Path of a unix socket, empty for IP.
    public var path: String

    /// An IP address with its port.
    public init(ip: IPAddress) {
        self.ip = ip
        path = ""
    }

    /// A unix socket.
    public init(path: String) {
        ip = .unix
        self.path = path
    }

    /// Host and port in text, or the path with `unix:`.
    public var text: String {
        if ip.isUnix { return "unix:" + path }
        return ip.isIPv4 ? "\(ip.text):\(ip.port)" : "[\(ip.text)]:\(ip.port)"
    }

    /// Address family for `socket`.
    var family: Int32 { ip.isUnix ? AF_UNIX : ip.isIPv4 ? AF_INET : AF_INET6 }

    /// Calls `body` with the kernel's form; nil when a path is too long.
    func withSocketAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R? {
        var storage = sockaddr_storage()
        let length = withUnsafeMutableBytes(of: &storage) { raw -> Int in
            raw.storeBytes(of: sa_family_t(family), as: sa_family_t.self)
            if ip.isUnix {
                let bytes = Array(path.utf8)
                guard bytes.count < 108 else { return 0 }
                if let base = raw.baseAddress { memcpy(base + 2, bytes, bytes.count) }
                return 2 + bytes.count + 1
            }
            raw.storeBytes(of: ip.port.bigEndian, toByteOffset: 2, as: UInt16.self)
            if ip.isIPv4 {
                raw.storeBytes(of: UInt32(truncatingIfNeeded: ip.low).bigEndian, toByteOffset: 4, as: UInt32.self)
                return MemoryLayout<sockaddr_in>.size
            }
            raw.storeBytes(of: ip.high.bigEndian, toByteOffset: 8, as: UInt64.self)
            raw.storeBytes(of: ip.low.bigEndian, toByteOffset: 16, as: UInt64.self)
            return MemoryLayout<sockaddr_in6>.size
        }
        guard length > 0 else { return nil }
        return withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }
}

extension SocketAddress {
    /// The address that the system's resolver returned; nil when it is no IP address.
    public init?(_ pointer: UnsafeMutableRawPointer?, length: Int) {
        guard let pointer, length > 0, length <= MemoryLayout<sockaddr_storage>.size else { return nil }
        var storage = sockaddr_storage()
        memcpy(&storage, pointer, length)
        let ip = IPAddress(storage)
        guard !ip.isUnix else { return nil }
        self.init(ip: ip)
    }
}
