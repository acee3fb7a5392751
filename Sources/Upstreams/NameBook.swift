// COLD. What host names resolved to last: a name service that fails for a while takes nothing away.
import Bytes
public import Reactor

/// The last known addresses of names; one for the process, used by every snapshot.
public final class NameBook: Sendable {
    private let known = Locked<[String: [SocketAddress]]>([:])
    private let resolve: @Sendable (String, UInt16) -> [SocketAddress]

    /// An empty book over the system's resolver, or over another.
    public init(resolve: @escaping @Sendable (String, UInt16) -> [SocketAddress] = Resolver.addresses(of:port:)) {
        self.resolve = resolve
    }

    /// The addresses of a name, looked up now; those of the last success when it is not known now.
    ///
    /// Blocks: call on an offload thread, or at the start.
    public func addresses(of name: String, port: UInt16) -> [SocketAddress] {
        let found = resolve(name, port)
        let key = "\(name.lowercased()):\(port)"
        return known.withLock { known in
            if found.isEmpty { return known[key] ?? [] }
            known[key] = found
            return found
        }
    }
}
