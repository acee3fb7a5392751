// HOT. Which clients have had connections ended for what they did, lately: a bounded table, kept by each worker.
import Reactor

/// Counts by address, which fade with time; the more there are, the longer a client waits for the next end.
///
/// An address is never refused for its past: others may share it. Only ends are put off, which nobody who keeps to the
/// protocol ever meets, and who comes again as soon as it was cut off comes less often.
struct Offenders {
    /// Ends in quick succession that are nobody's fault.
    static let tolerated: Int64 = 40
    /// Ends that are forgotten in a second.
    static let forgiven: Int64 = 1
    /// Milliseconds that each further end adds to the wait.
    static let step: Int64 = 25
    private static let sets = 256
    private static let ways = 4

    private struct Entry {
        var high: UInt64 = 0
        var low: UInt64 = 0
        /// Ends in thousandths, as of `last`; 0 for a free place.
        var level: Int64 = 0
        var last: Int64 = 0

        func level(at now: Int64) -> Int64 { max(0, level &- (now &- last) &* Offenders.forgiven) }
    }

    private var entries = [Entry](repeating: Entry(), count: Offenders.sets * Offenders.ways)
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed | 1 }

    /// Counts one end as `weight`; how many milliseconds it is put off, at most `most`.
    ///
    /// A table that is full forgets whoever has the least in it.
    mutating func count(_ peer: IPAddress, weight: Int64, now: Int64, most: Int64) -> Int64 {
        // Of IPv6, whoever has one address has the whole network of 64 bits.
        let low = peer.isIPv4 ? peer.low : 0
        let mixed = (peer.high ^ low &* 0x9e37_79b9_7f4a_7c15 ^ seed) &* 0xd6e8_feb8_6659_fd93
        let first = Int(mixed >> 56) &* Self.ways
        var place = first
        for candidate in first..<first &+ Self.ways {
            if entries[candidate].level > 0, entries[candidate].high == peer.high, entries[candidate].low == low {
                place = candidate
                break
            }
            if entries[candidate].level(at: now) < entries[place].level(at: now) { place = candidate }
        }
        var entry = entries[place]
        if entry.high != peer.high || entry.low != low { entry = Entry(high: peer.high, low: low) }
        let most = min(most, 1 << 20)
        let limit = (Self.tolerated &+ most / Self.step &+ 2) &* 1000
        entry.level = min(entry.level(at: now) &+ weight &* 1000, limit)
        entry.last = now
        entries[place] = entry
        return max(0, min(most, (entry.level / 1000 &- Self.tolerated) &* Self.step))
    }
}
