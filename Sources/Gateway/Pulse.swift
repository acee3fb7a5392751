// HOT to beat, COLD to read. When a loop last turned; the watchdog compares it with the clock.
import CLinux

/// The time of a loop's last turn, written by the loop and read by the watchdog.
final class Pulse: Sendable {
    // Exception to plain Sendable: one word, accessed through atomic loads and stores only.
    private nonisolated(unsafe) let cell: UnsafeMutablePointer<UInt64>

    init() {
        cell = .allocate(capacity: 1)
        cell.initialize(to: 0)
    }

    deinit { cell.deallocate() }

    /// Notes a turn at `now` (monotonic milliseconds).
    @inline(__always)
    func beat(_ now: Int64) { pc_store(cell, UInt64(now)) }

    /// When the loop last turned, 0 before the first turn.
    var last: Int64 { Int64(pc_load(cell)) }
}
