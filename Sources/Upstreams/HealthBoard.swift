// HOT to read, COLD to write. Which backends the active checks have taken out; shared by all threads.
import CLinux

/// A state per backend that one thread writes and all workers read.
public final class HealthBoard: Sendable {
    // Exception to plain Sendable: fixed memory, accessed through atomic loads and stores only.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<UInt32>
    /// Number of backends.
    public let count: Int

    /// A board on which every backend is in.
    public init(count: Int) {
        self.count = count
        cells = .allocate(capacity: max(1, count))
        cells.initialize(repeating: 0, count: max(1, count))
    }

    deinit { cells.deallocate() }

    /// Whether backend `index` may be used.
    @inline(__always)
    public func isUp(_ index: Int) -> Bool { pc_load32(cells + index) == 0 }

    /// Takes backend `index` out or back in.
    public func set(_ index: Int, up: Bool) { pc_store32(cells + index, up ? 0 : 1) }
}
