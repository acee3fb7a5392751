// COLD. Host names to addresses, on threads that may block.
import CLinux
import Glibc
public import Reactor

/// Where a server is said to be in the configuration.
public enum ServerLocation: Sendable, Equatable {
    /// A fixed address.
    case fixed(SocketAddress)
    /// A host name that is looked up again and again.
    case name(String, port: UInt16)

    /// Parses `host:port`, `[IPv6]:port` or `unix:/path`; nil when it is none of them.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count < 108 else { return nil }
            self = .fixed(SocketAddress(path: path))
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { return nil }
        if var ip = IPAddress(text: host) {
            ip.port = port
            self = .fixed(SocketAddress(ip: ip))
        } else {
            self = .name(host, port: port)
        }
    }
}

/// Name look-ups by the system's resolver.
///
/// They block: call on an offload thread.
public enum Resolver {
    /// All addresses of a name, sorted, without duplicates; empty when it is not known.
    public static func addresses(of name: String, port: UInt16) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, String(port), &hints, &list) == 0, let first = list else { return [] }
        defer { freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var node: UnsafeMutablePointer<addrinfo>? = first
        while let entry = node {
            if let address = SocketAddress(
                UnsafeMutableRawPointer(entry.pointee.ai_addr),
                length: Int(entry.pointee.ai_addrlen)
            ),
                !found.contains(address)
            {
                found.append(address)
            }
            node = entry.pointee.ai_next
        }
        return found.sorted { $0.text < $1.text }
    }
}
