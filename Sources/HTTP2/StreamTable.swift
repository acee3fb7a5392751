// HOT. The streams of one connection by id, and the ids of those that ended a moment ago.

/// Open addressing over stream ids, which are odd and mostly consecutive: nearly every look-up is one probe.
struct StreamTable {
    private var slots: UnsafeMutablePointer<Unmanaged<StreamRecord>?>
    private var capacity = 8
    private(set) var count = 0
    private var idle: StreamRecord?
    private var idleCount = 0
    /// Ids that ended lately, doubled, plus one if we reset them.
    private let ended: UnsafeMutablePointer<UInt32>
    private var endedNext = 0
    private static let endedCount = 64

    init() {
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: nil, count: capacity)
        ended = .allocate(capacity: Self.endedCount)
        ended.initialize(repeating: 0, count: Self.endedCount)
    }

    /// Frees the memory; the table is not used again.
    mutating func destroy() {
        for i in 0..<capacity {
            slots[i]?.release()
            slots[i] = nil
        }
        slots.deallocate()
        ended.deallocate()
        while let record = idle {
            idle = record.next
            record.next = nil
        }
    }

    @inline(__always)
    private func home(_ id: Int32) -> Int { Int(id &>> 1) & (capacity &- 1) }

    /// The record of a stream that is open.
    @inline(__always)
    func find(_ id: Int32) -> StreamRecord? {
        var i = home(id)
        while let slot = slots[i] {
            if slot._withUnsafeGuaranteedRef({ $0.id == id }) { return slot.takeUnretainedValue() }
            i = (i &+ 1) & (capacity &- 1)
        }
        return nil
    }

    /// Calls `body` with every record; the table must not change meanwhile.
    func forEach(_ body: (StreamRecord) -> Void) {
        for i in 0..<capacity {
            if let slot = slots[i] { body(slot.takeUnretainedValue()) }
        }
    }

    /// A record for a new stream.
    mutating func insert(_ id: Int32) -> StreamRecord {
        if count &* 2 >= capacity { grow() }
        let record: StreamRecord
        if let pooled = idle {
            record = pooled
            idle = pooled.next
            pooled.next = nil
            idleCount &-= 1
        } else {
            record = StreamRecord()
        }
        record.reset(id: id)
        place(Unmanaged.passRetained(record), id)
        count &+= 1
        return record
    }

    private func place(_ slot: Unmanaged<StreamRecord>, _ id: Int32) {
        var i = home(id)
        while slots[i] != nil { i = (i &+ 1) & (capacity &- 1) }
        slots[i] = slot
    }

    /// Takes a record out of the table; the caller holds on to it until `recycle`.
    mutating func remove(_ record: StreamRecord) {
        let mask = capacity &- 1
        var i = home(record.id)
        while let slot = slots[i], slot.takeUnretainedValue() !== record { i = (i &+ 1) & mask }
        guard let slot = slots[i] else { return }
        // What stands behind moves up, so that no search ends too early.
        var j = (i &+ 1) & mask
        while let other = slots[j] {
            let place = home(other.takeUnretainedValue().id)
            if (j &- place) & mask >= (j &- i) & mask {
                slots[i] = other
                i = j
            }
            j = (j &+ 1) & mask
        }
        slots[i] = nil
        count &-= 1
        slot.release()
    }

    /// Keeps a record for the next stream.
    mutating func recycle(_ record: StreamRecord) {
        guard idleCount < 16 else { return }
        record.next = idle
        idle = record
        idleCount &+= 1
    }

    private mutating func grow() {
        let old = slots
        let oldCapacity = capacity
        capacity &*= 2
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: nil, count: capacity)
        for i in 0..<oldCapacity {
            if let slot = old[i] { place(slot, slot.takeUnretainedValue().id) }
        }
        old.deallocate()
    }

    /// Notes how a stream ended.
    @inline(__always)
    mutating func noteEnd(_ id: Int32, reset: Bool) {
        ended[endedNext] = UInt32(bitPattern: id) &<< 1 | (reset ? 1 : 0)
        endedNext = (endedNext &+ 1) % Self.endedCount
    }

    /// How a stream ended, if that was lately: nil if nothing is known.
    func endedByReset(_ id: Int32) -> Bool? {
        let key = UInt32(bitPattern: id) &<< 1
        for i in 0..<Self.endedCount where ended[i] & ~1 == key { return ended[i] & 1 != 0 }
        return nil
    }
}
