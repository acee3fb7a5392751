// HOT. Which clients had connections that came to nothing, lately: a bounded table, kept by each worker.
import Reactor

/// Counts by address, which fade with time; the more there are, the longer a client waits.
///
/// An address is never refused for its past: others may share it. Ends of failed connections are put off, which nobody
/// who keeps to the protocol ever meets, and handshakes for a little; what is established goes on as ever. Who comes
/// again as soon as it was cut off comes less often.
struct Offenders {
    /// Failures in quick succession that are nobody's fault.
    static let tolerated: Int64 = 40
    /// Failures that are forgotten in a second.
    static let forgiven: Int64 = 1
    /// Milliseconds that each further failure adds to the wait.
    static let step: Int64 = 25
    private static let sets = 256
    private static let ways = 4

    private struct Entry {
        var high: UInt64 = 0
        var low: UInt64 = 0
        /// Failures in thousandths, as of `last`; 0 for a free place.
        var level: Int64 = 0
        var last: Int64 = 0

        func level(at now: Int64) -> Int64 { max(0, level &- (now &- last) &* Offenders.forgiven) }

        func isOf(_ peer: IPAddress) -> Bool { level > 0 && high == peer.high && low == Self.low(of: peer) }

        /// Of IPv6, whoever has one address has the whole network of 64 bits.
        static func low(of peer: IPAddress) -> UInt64 { peer.isIPv4 ? peer.low : 0 }
    }

    private var entries = [Entry](repeating: Entry(), count: Offenders.sets * Offenders.ways)
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed | 1 }

    /// Counts a failure as `weight`; how many milliseconds the client waits now, at most `most`.
    ///
    /// A table that is full forgets whoever has the least in it.
    mutating func count(_ peer: IPAddress, weight: Int64, now: Int64, most: Int64) -> Int64 {
        let place = place(of: peer, now: now)
        var entry = entries[place]
        if !entry.isOf(peer) { entry = Entry(high: peer.high, low: Entry.low(of: peer)) }
        let limit = (Self.tolerated &+ most / Self.step &+ 2) &* 1000
        entry.level = min(entry.level(at: now) &+ weight &* 1000, limit)
        entry.last = now
        entries[place] = entry
        return Self.delay(entry.level, most)
    }

    /// How many milliseconds a client waits now, at most `most`.
    func delay(of peer: IPAddress, now: Int64, most: Int64) -> Int64 {
        let entry = entries[place(of: peer, now: now)]
        return entry.isOf(peer) ? Self.delay(entry.level(at: now), most) : 0
    }

    private static func delay(_ level: Int64, _ most: Int64) -> Int64 {
        max(0, min(most, (level / 1000 &- tolerated) &* step))
    }

    /// Where a client's entry is, or the one of its set that has the least to forget.
    private func place(of peer: IPAddress, now: Int64) -> Int {
        let mixed = (peer.high ^ Entry.low(of: peer) &* 0x9e37_79b9_7f4a_7c15 ^ seed) &* 0xd6e8_feb8_6659_fd93
        let first = Int(mixed >> 56) &* Self.ways
        var place = first
        for candidate in first..<first &+ Self.ways {
            if entries[candidate].isOf(peer) { return candidate }
            if entries[candidate].level(at: now) < entries[place].level(at: now) { place = candidate }
        }
        return place
    }
}
