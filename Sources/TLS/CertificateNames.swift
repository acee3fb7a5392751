// HOT. The names that a server certificate is for, and whether a host is one of them.

/// Host names of a certificate: exact ones, and wildcards that stand for one label (RFC 6125 §6.4.3).
public struct CertificateNames: Sendable, Equatable {
    /// Each name in lower case behind its length; wildcards begin with `*`.
    private var bytes: [UInt8] = []
    /// The names in lower case.
    public private(set) var texts: [String] = []

    /// No names.
    init() {}

    /// Adds a name; what cannot be a host (partial wildcards, too long, empty) is left out.
    mutating func insert(_ name: String) {
        var name = name.lowercased()
        if name.hasSuffix(".") { name.removeLast() }
        guard (1...253).contains(name.utf8.count), !texts.contains(name) else { return }
        if name.contains("*"), !name.hasPrefix("*.") || name.utf8.count < 3 || name.dropFirst().contains("*") { return }
        texts.append(name)
        bytes.append(UInt8(name.utf8.count))
        bytes.append(contentsOf: name.utf8)
    }

    /// Whether a host is one of the names.
    ///
    /// The host is without port, in any case, IPv6 addresses in brackets; a dot at its end does not count. O(bytes of
    /// all names), no allocation.
    public func covers(_ host: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        var count = count
        if count > 1, host[count - 1] == UInt8(ascii: ".") { count -= 1 }
        guard count > 0, count <= 253 else { return false }
        // Where the first label ends; what is before it is what a wildcard stands for.
        var dot = 0
        while dot < count, host[dot] != UInt8(ascii: ".") { dot += 1 }
        let suffix = count - dot
        return bytes.withUnsafeBufferPointer { names in
            var i = 0
            while i < names.count {
                let length = Int(names[i])
                let start = i + 1
                i = start + length
                if names[start] == UInt8(ascii: "*") {
                    if dot > 0, length - 1 == suffix, Self.isSame(names, start + 1, host + dot, suffix) { return true }
                } else if length == count, Self.isSame(names, start, host, count) {
                    return true
                }
            }
            return false
        }
    }

    /// Whether a host is one of the names.
    public func covers(_ host: String) -> Bool {
        var host = host
        return host.withUTF8 { buffer in buffer.baseAddress.map { covers($0, buffer.count) } ?? false }
    }

    @inline(__always)
    private static func isSame(
        _ names: UnsafeBufferPointer<UInt8>,
        _ start: Int,
        _ host: UnsafePointer<UInt8>,
        _ count: Int
    ) -> Bool {
        var i = 0
        while i < count {
            if names[start + i] != lowered(host[i]) { return false }
            i += 1
        }
        return true
    }

    /// A byte of a host name in lower case.
    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
