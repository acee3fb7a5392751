// COLD. What host names resolved to last: a name service that fails for a while takes nothing away.
import Bytes
import Glibc
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
        let key = Self.key(name, port)
        return known.withLock { known in
            if found.isEmpty { return known[key] ?? [] }
            known[key] = found
            return found
        }
    }

    /// What is known of a name without asking anybody.
    public func known(_ name: String, port: UInt16) -> [SocketAddress] {
        known.withLock { $0[Self.key(name, port)] ?? [] }
    }

    /// Looks up those of the names that are not known, several at a time, and waits for at most `milliseconds`.
    ///
    /// A look-up that takes longer goes on, and nobody waits for it; names behind it are not begun any more.
    public func learn(_ names: [(name: String, port: UInt16)], within milliseconds: Int64) {
        struct Work {
            var queue: [(name: String, port: UInt16)] = []
            var unanswered = 0
        }
        let deadline = Clock.milliseconds() + milliseconds
        var seen: Set<String> = []
        let new = known.withLock { known in
            names.filter { name, port in
                let key = Self.key(name, port)
                return known[key] == nil && seen.insert(key).inserted
            }
        }
        let work = Locked(Work(queue: new.reversed(), unanswered: new.count))
        for _ in 0..<min(Self.lookUpThreads, new.count) {
            let thread = try? Threads.start("names") { [self] in
                while let next = work.withLock({ $0.queue.popLast() }) {
                    _ = addresses(of: next.name, port: next.port)
                    work.withLock { $0.unanswered -= 1 }
                }
            }
            thread?.detach()
        }
        while work.withLock({ $0.unanswered }) > 0, Clock.milliseconds() < deadline { usleep(1000) }
        work.withLock { $0.queue = [] }
    }

    private static let lookUpThreads = 8

    private static func key(_ name: String, _ port: UInt16) -> String { "\(name.lowercased()):\(port)" }
}
