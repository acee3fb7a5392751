// HOT. The rest of a turn, after its events: connections that have had their share, and frames that wait to be sent.
import Reactor

extension Worker {
    func resumePending() {
        guard !pending.isEmpty else { return }
        let due = pending
        pending.removeAll(keepingCapacity: true)
        let started = Clock.microseconds()
        for (place, key) in due.enumerated() {
            // The rest comes first in the next turn, after what is new then.
            if place & 1 == 1, Clock.microseconds() &- started > Self.shareOfPending {
                return pending.insert(contentsOf: due[place...], at: 0)
            }
            switch slot(key) {
            case .http1(let connection): connection.resume()
            case .http2(let connection): connection.resume()
            case .backend(let connection): connection.resume()
            case .upstream(let connection): connection.exchange?.pumpResponse()
            case .listener, .handshake, .mailbox, .free: break
            }
        }
    }

    /// Microseconds of a turn for connections that have had their share of the one before.
    private static let shareOfPending: Int64 = 1000

    /// Sends what multiplexed connections have queued in this turn.
    func flushQueued() {
        var rounds = 0
        while !unflushed.isEmpty, rounds < 4 {
            rounds += 1
            let due = unflushed
            unflushed.removeAll(keepingCapacity: true)
            for key in due {
                switch slot(key) {
                case .http2(let connection): connection.flush()
                case .backend(let connection): connection.flush()
                default: break
                }
            }
        }
    }

    /// Flushes a multiplexed connection at the end of this turn.
    func flushLater(_ key: UInt64) { unflushed.append(key) }

    /// Runs a connection again in the next turn, because it used up its share of this one.
    func later(_ key: UInt64) { pending.append(key) }

    /// The same for a backend's connection.
    func laterUpstream(_ key: UInt64) { pending.append(key) }
}
