// COLD. Ports for servers that are told theirs.
import Bytes
import Foundation
import Glibc

extension RedisServer {
    private static let given = Locked(Set<UInt16>())

    /// A port that nobody listens on, given to nobody before.
    ///
    /// It lies outside of the range from which the system takes ports of connections: between this look and the start
    /// of a server, and while a killed one is away, no connection of the tests beside can get it.
    static func freePort() throws -> UInt16 {
        let text = try String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
        let ends = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        let all = 10_000...65_535
        let outside = all.filter { ends.count != 2 || $0 < ends[0] || $0 > ends[1] }
        for _ in 0..<1000 {
            let port = UInt16(outside.randomElement() ?? Int.random(in: all))
            if isFree(port), given.withLock({ $0.insert(port).inserted }) { return port }
        }
        throw POSIXError(.EADDRINUSE)
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        address.sin_port = port.bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) == 0 }
        }
    }
}
