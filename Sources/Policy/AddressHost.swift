// HOT. IPv6 hosts in the one form in which they are compared: several texts are the same address.
import Glibc

/// A host that is an IPv6 address in brackets.
enum AddressHost {
    /// More than any such host has bytes, with a zero at its end.
    static let longest = 64

    /// Whether the host is one.
    @inline(__always)
    static func isOne(_ host: UnsafeBufferPointer<UInt8>) -> Bool { host.count > 2 && (unsafe host[0]) == 0x5b }

    /// Writes the host's usual form (RFC 5952) to `text`, which has room for `longest` bytes; returns its length, and 0
    /// when the host is no such address.
    static func write(_ host: UnsafeBufferPointer<UInt8>, to text: UnsafeMutableBufferPointer<CChar>) -> Int {
        guard unsafe isOne(host), host.count < longest, unsafe host[host.count &- 1] == 0x5d else { return 0 }
        let count = host.count &- 2
        for i in 0..<count { unsafe text[i] = CChar(bitPattern: host[i &+ 1]) }
        unsafe text[count] = 0
        guard let base = text.baseAddress else { return 0 }
        var address = in6_addr()
        guard unsafe inet_pton(AF_INET6, base, &address) == 1,
            unsafe inet_ntop(AF_INET6, &address, base + 1, socklen_t(longest - 2)) != nil
        else { return 0 }
        unsafe text[0] = 0x5b
        let end = unsafe strlen(base)
        unsafe text[end] = 0x5d
        return end &+ 1
    }

    /// The usual form of a host from the configuration; itself when it is no such address.
    static func canonical(_ host: String) -> String {
        unsafe Array(host.utf8).withUnsafeBufferPointer { bytes in
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: longest) { text in
                let count = unsafe write(bytes, to: text)
                let written = unsafe text.prefix(count).map { UInt8(bitPattern: $0) }
                return count > 0 ? String(decoding: written, as: UTF8.self) : host
            }
        }
    }
}
