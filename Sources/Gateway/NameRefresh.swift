// COLD. Looks up the names of upstreams again and again.
import Reactor
import Synchronization
import Upstreams

/// When which upstream's names are looked up, and the threads that do it.
///
/// The threads are its own: a name service that does not answer holds them for as long as it likes, and reloads,
/// revocations and the closing of logs must not wait behind that.
final class NameRefresh {
    /// Which generation is in force, for look-ups that have waited.
    private final class Current: Sendable {
        let generation = Atomic<UInt64>(0)
    }

    private let pool: OffloadPool
    private let mailbox: Mailbox<ControlMessage>
    private let names: NameBook
    private let current = Current()
    private var due: [Int64] = []

    init(_ names: NameBook, _ mailbox: Mailbox<ControlMessage>) throws(SystemError) {
        self.names = names
        self.mailbox = mailbox
        pool = try OffloadPool(threads: 4, limit: 1024)
    }

    /// Goes on with the upstreams of a generation.
    func adopt(_ snapshot: Snapshot, now: Int64) {
        current.generation.store(snapshot.generation, ordering: .relaxed)
        due = snapshot.upstreams.map { plan in
            guard plan.hasNames else { return .max }
            // A reload takes from the book what is known, however old: it is looked up at once. The start just did.
            return snapshot.generation > 1 ? now : now + Self.patience(plan, plan.servers.map(\.addresses))
        }
    }

    /// Looks up what is due; the answers come as messages.
    func turn(_ snapshot: Snapshot, now: Int64) {
        for index in due.indices where due[index] <= now {
            let plan = snapshot.upstreams[index]
            let (mailbox, names, current) = (mailbox, names, current)
            let generation = snapshot.generation
            let accepted = pool.submit {
                // Of a configuration that was replaced while this waited behind others.
                guard current.generation.load(ordering: .relaxed) == generation else { return }
                let lists = plan.servers.map { server in
                    switch server.location {
                    case .fixed: server.addresses
                    case .name(let name, let port): names.addresses(of: name, port: port)
                    }
                }
                mailbox.post(.resolved(generation: generation, upstream: index, lists))
            }
            // The answer says when next: one look-up of an upstream never queues behind another of it.
            due[index] = accepted ? .max : now + 1000
        }
    }

    /// Notes an answer.
    func answered(_ index: Int, _ plan: UpstreamPlan, _ addresses: [[SocketAddress]], now: Int64) {
        due[index] = now + Self.patience(plan, addresses)
    }

    /// Ends the threads, unless they hang.
    func stop() { pool.stop(within: 50) }

    /// Milliseconds until names are looked up again: soon when one has no address at all.
    private static func patience(_ plan: UpstreamPlan, _ addresses: [[SocketAddress]]) -> Int64 {
        addresses.contains(where: \.isEmpty) ? min(1000, plan.resolveInterval) : plan.resolveInterval
    }
}

extension UpstreamPlan {
    fileprivate var hasNames: Bool {
        servers.contains { if case .name = $0.location { true } else { false } }
    }
}
