// HOT. Deadlines: a hashed wheel of intrusive entries. Moving a deadline is a few stores.

/// Names a timer of a ``TimerWheel``.
public typealias TimerID = Int32

/// A wheel of 1,024 slots of 16 ms each.
///
/// Owned by one thread.
///
/// Deadlines further away than one round stay in their slot and are passed over. An owner that only ever moves its
/// deadline later need not tell the wheel: it looks at its own deadline when the timer fires, and arms again.
public final class TimerWheel {
    private struct Entry {
        var due: Int64 = 0
        var owner: UInt64 = 0
        var next: TimerID = -1
        var previous: TimerID = -1
        /// Slot, or −1 when not armed, or `slots` in the list of the expired.
        var slot: Int32 = -1
    }

    private static let slots = 1024
    private static let tick: Int64 = 16
    private var entries: [Entry] = []
    private var heads: [TimerID]
    private var free: [TimerID] = []
    private var position: Int64
    /// Number of armed timers.
    public private(set) var armed = 0

    /// A wheel that begins at `now` (milliseconds).
    public init(now: Int64) {
        heads = .init(repeating: -1, count: Self.slots + 1)
        position = now / Self.tick
    }

    /// A new timer, not armed; `owner` is given back when it fires.
    public func make(owner: UInt64) -> TimerID {
        if let id = free.popLast() {
            entries[Int(id)].owner = owner
            return id
        }
        entries.append(Entry(owner: owner))
        return TimerID(entries.count - 1)
    }

    /// Gives a timer back; it never fires again.
    public func remove(_ id: TimerID) {
        disarm(id)
        free.append(id)
    }

    /// Whose timer it is.
    public func owner(of id: TimerID) -> UInt64 { entries[Int(id)].owner }

    /// When the timer fires (milliseconds), or `Int64.max` when it is not armed.
    @inline(__always)
    public func due(_ id: TimerID) -> Int64 {
        entries[Int(id)].slot < 0 ? .max : entries[Int(id)].due
    }

    /// Sets the deadline (milliseconds).
    public func arm(_ id: TimerID, at due: Int64) {
        disarm(id)
        let at = max(due / Self.tick &+ 1, position &+ 1)
        link(id, into: Int32(truncatingIfNeeded: at & Int64(Self.slots - 1)))
        entries[Int(id)].due = due
        armed &+= 1
    }

    /// Takes the deadline away.
    public func disarm(_ id: TimerID) {
        guard entries[Int(id)].slot >= 0 else { return }
        unlink(id)
        armed &-= 1
    }

    /// Moves on to `now` and collects what has become due; `popExpired` hands it out.
    public func advance(to now: Int64) {
        let target = now / Self.tick
        guard target > position else { return }
        let rounds = min(target &- position, Int64(Self.slots))
        var at = target &- rounds
        while at < target {
            at &+= 1
            var id = heads[Int(at & Int64(Self.slots - 1))]
            while id >= 0 {
                let next = entries[Int(id)].next
                if entries[Int(id)].due <= now {
                    unlink(id)
                    link(id, into: Int32(Self.slots))
                }
                id = next
            }
        }
        position = target
    }

    /// The next expired timer, disarmed, or nil.
    public func popExpired() -> TimerID? {
        let id = heads[Self.slots]
        guard id >= 0 else { return nil }
        unlink(id)
        armed &-= 1
        return id
    }

    /// Milliseconds until the wheel should be moved again, at most `limit`.
    public func timeout(now: Int64, limit: Int64) -> Int32 {
        guard armed > 0 else { return Int32(limit) }
        if heads[Self.slots] >= 0 { return 0 }
        var at = position &+ 1
        let last = position &+ limit / Self.tick &+ 1
        while at < last, heads[Int(at & Int64(Self.slots - 1))] < 0 { at &+= 1 }
        return Int32(clamping: min(limit, max(1, at &* Self.tick &- now)))
    }

    /// Whether every list is whole (for tests): each armed entry is in exactly the list it names.
    public func validate() -> Bool {
        var seen = 0
        for slot in 0...Self.slots {
            var previous: TimerID = -1
            var id = heads[slot]
            while id >= 0 {
                let entry = entries[Int(id)]
                guard entry.slot == Int32(slot), entry.previous == previous else { return false }
                seen += 1
                previous = id
                id = entry.next
            }
        }
        return seen == armed
    }

    private func link(_ id: TimerID, into slot: Int32) {
        let head = heads[Int(slot)]
        entries[Int(id)].slot = slot
        entries[Int(id)].previous = -1
        entries[Int(id)].next = head
        if head >= 0 { entries[Int(head)].previous = id }
        heads[Int(slot)] = id
    }

    private func unlink(_ id: TimerID) {
        let entry = entries[Int(id)]
        if entry.previous >= 0 {
            entries[Int(entry.previous)].next = entry.next
        } else {
            heads[Int(entry.slot)] = entry.next
        }
        if entry.next >= 0 { entries[Int(entry.next)].previous = entry.previous }
        entries[Int(id)].slot = -1
    }
}
