// COLD. Host names of Redis servers to addresses; blocks, so only an offload thread calls it.
internal import Glibc
internal import Reactor

enum RedisResolver {
    /// All addresses of a name in the system's order; empty when it is not known.
    static func addresses(of name: String, port: UInt16) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, String(port), &hints, &list) == 0, let first = list else { return [] }
        defer { freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var node: UnsafeMutablePointer<addrinfo>? = first
        while let entry = node {
            let raw = UnsafeMutableRawPointer(entry.pointee.ai_addr)
            if let address = SocketAddress(raw, length: Int(entry.pointee.ai_addrlen)), !found.contains(address) {
                found.append(address)
            }
            node = entry.pointee.ai_next
        }
        return found
    }
}
