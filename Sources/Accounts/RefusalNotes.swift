// COLD. Which refused attempts are worth a line of a log that is synced to disk: one a minute of each kind and origin.

/// Refusals cost whoever is refused nothing: written out one by one they would fill the disk.
struct RefusalNotes {
    /// What refusals have in common that are noted once a minute.
    struct Key: Hashable {
        var reason: ThrottleDecision.Reason
        /// Empty for refusals that are about a network.
        var account: String
        /// Nil for those that are about an account.
        var network: ClientNetwork?
    }

    static let interval: Int64 = 60

    private let capacity: Int
    /// When each was noted last.
    private var noted: [Key: Int64] = [:]
    private var swept = Int64.min
    private var leftOut = 0

    init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Nil when a refusal is not noted; else how many were not since the last one that was.
    mutating func note(_ key: Key, now: Int64) -> Int? {
        if let last = noted[key], abs(now - last) < Self.interval { return leaveOut() }
        if noted[key] == nil, noted.count >= capacity {
            // Looked through once a second at most; meanwhile a full table notes nothing new.
            guard swept != now else { return leaveOut() }
            swept = now
            noted = noted.filter { abs(now - $0.value) < Self.interval }
            guard noted.count < capacity else { return leaveOut() }
        }
        noted[key] = now
        defer { leftOut = 0 }
        return leftOut
    }

    private mutating func leaveOut() -> Int? {
        leftOut += 1
        return nil
    }
}
