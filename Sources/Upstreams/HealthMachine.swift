// COLD. When a run of probe results takes a backend out and when another takes it back in. Pure.

/// Counts probe results against two thresholds.
///
///     up ──(unhealthy failures in a row)──► down
///     down ──(healthy successes in a row)──► up
public struct HealthMachine: Sendable, Equatable {
    /// Whether the backend is in.
    public private(set) var isUp: Bool
    private var run = 0
    private let healthy: Int
    private let unhealthy: Int

    /// A backend that is in, or out; `healthy` and `unhealthy` results in a row change that (1 at least).
    public init(healthy: Int, unhealthy: Int, isUp: Bool = true) {
        self.isUp = isUp
        self.healthy = max(1, healthy)
        self.unhealthy = max(1, unhealthy)
    }

    /// Takes a result; returns whether the state changed.
    public mutating func record(success: Bool) -> Bool {
        if success == isUp {
            run = 0
            return false
        }
        run += 1
        guard run >= (isUp ? unhealthy : healthy) else { return false }
        isUp.toggle()
        run = 0
        return true
    }
}
