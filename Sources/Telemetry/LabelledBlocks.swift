// HOT. Counters for names that come and go with the configuration (routes, upstreams): written by one thread,
// read by any, never moved and never freed before their owner.
import CLinux

/// Blocks of counters by slot number, in pages that the writer adds when it first counts into them.
///
/// Slots are given out by ``Metrics``, once per name and process, so that a reload keeps a route's counts.
final class LabelledBlocks {
    /// Slots per page.
    static let perPage = 16
    /// Pages at most, which bounds the names.
    static let pages = 4096
    /// Number of slots there can be.
    static let capacity = perPage * pages

    /// Counters per block.
    let words: Int
    private let table: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>?>
    private let published: UnsafeMutablePointer<UInt32>

    init(words: Int) {
        self.words = words
        table = .allocate(capacity: Self.pages)
        table.initialize(repeating: nil, count: Self.pages)
        published = .allocate(capacity: Self.pages)
        published.initialize(repeating: 0, count: Self.pages)
    }

    deinit {
        for page in 0..<Self.pages { table[page]?.deallocate() }
        table.deallocate()
        published.deallocate()
    }

    /// The block of a slot, for the writing thread only; slots out of range count as slot 0.
    @inline(__always)
    func block(_ slot: Int) -> UnsafeMutablePointer<UInt64> {
        let slot = UInt(bitPattern: slot) < UInt(Self.capacity) ? slot : 0
        let page = slot >> 4
        let base = table[page] ?? add(page)
        return base + (slot & 15) &* words
    }

    /// The block of a slot for reading from any thread; nil when nothing was ever counted near it.
    func find(_ slot: Int) -> UnsafePointer<UInt64>? {
        guard slot >= 0, slot < Self.capacity, pc_load32(published + slot / Self.perPage) != 0 else { return nil }
        return table[slot / Self.perPage].map { UnsafePointer($0 + slot % Self.perPage * words) }
    }

    @inline(never)
    private func add(_ page: Int) -> UnsafeMutablePointer<UInt64> {
        let base = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.perPage * words)
        base.initialize(repeating: 0, count: Self.perPage * words)
        table[page] = base
        pc_store32(published + page, 1)
        return base
    }
}
