// HOT. Which backend takes the next request. An algorithm only orders; health and retries are the caller's filter.

/// A way to choose among backends.
public enum Balancer: Sendable {
    /// Smooth weighted round robin.
    case roundRobin
    /// The fewest active connections relative to weight; equals in turn.
    case leastConnections

    /// Chooses among `backends` those for which `usable` has a bit; nil when none has.
    mutating func pick(_ backends: [Backend], usable: UInt64, turn: inout Int) -> Int? {
        switch self {
        case .roundRobin: Self.roundRobin(backends, usable)
        case .leastConnections: Self.leastConnections(backends, usable, &turn)
        }
    }

    private static func roundRobin(_ backends: [Backend], _ usable: UInt64) -> Int? {
        var best = -1
        var total = 0
        for i in 0..<backends.count where usable & 1 << UInt64(i) != 0 {
            let backend = backends[i]
            backend.score &+= backend.weight
            total &+= backend.weight
            if best < 0 || backend.score > backends[best].score { best = i }
        }
        guard best >= 0 else { return nil }
        backends[best].score &-= total
        return best
    }

    private static func leastConnections(_ backends: [Backend], _ usable: UInt64, _ turn: inout Int) -> Int? {
        var best = -1
        turn &+= 1
        for step in 0..<backends.count {
            let i = (turn &+ step) % backends.count
            guard usable & 1 << UInt64(i) != 0 else { continue }
            let backend = backends[i]
            if best < 0 || backend.active &* backends[best].weight < backends[best].active &* backend.weight {
                best = i
            }
        }
        return best < 0 ? nil : best
    }
}
