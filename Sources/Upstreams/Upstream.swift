// HOT. A named set of backends as one worker sees it: who is usable, who is next, which idle connection to take.

/// What `Upstream.lease` found.
public enum Lease {
    /// An idle connection, by its registration.
    case reuse(UInt64, Backend)
    /// A connection to this backend has to be opened.
    case connect(Backend)
    /// Every backend that could answer is at its connection limit.
    case saturated
    /// No backend is in: all are unhealthy, refusing, tried already, or none is known.
    case unavailable
}

/// A named set of backends, owned by one worker.
///
/// Who takes a lease gives it back: `release` with the connection, or `forget` when it is gone.
public final class Upstream {
    /// Most backends of one upstream.
    public static let maximumBackends = 64

    /// Its name in the configuration.
    public let name: String
    /// Its servers, in the order of the configuration.
    public private(set) var backends: [Backend]
    private var balancer: Balancer
    private var turn: Int
    private let board: HealthBoard
    /// Most connections to one backend.
    public let maximumConnections: Int
    /// How many requests one connection carries at once.
    public let streamsPerConnection: Int
    private let maximumActive: Int
    /// Requests that wait because all connections are taken; the caller counts them.
    public var waiting = 0
    /// Most idle connections kept to one backend.
    public let maximumIdle: Int
    /// Milliseconds after which an idle connection is closed.
    public let idleTimeout: Int64

    /// An upstream over `backends` (64 at most; more are left out).
    public init(
        name: String,
        backends: [Backend],
        balancer: Balancer,
        board: HealthBoard,
        maximumConnections: Int,
        maximumIdle: Int,
        streamsPerConnection: Int = 1,
        idleTimeout: Int64 = 60_000,
        firstTurn: Int = 0
    ) {
        self.name = name
        self.backends = Array(backends.prefix(Self.maximumBackends))
        self.balancer = balancer
        self.board = board
        self.maximumConnections = maximumConnections
        self.streamsPerConnection = streamsPerConnection
        maximumActive = maximumConnections * streamsPerConnection
        self.maximumIdle = maximumIdle
        self.idleTimeout = idleTimeout
        turn = firstTurn
    }

    /// A connection for one exchange; `tried` has a bit for each backend that must not be asked again.
    ///
    /// With `fresh`, idle connections are not considered.
    @inline(__always)
    public func lease(now: Int64, tried: UInt64 = 0, fresh: Bool = false) -> Lease {
        if backends.count == 1 { return leaseOnly(now: now, tried: tried, fresh: fresh) }
        return leaseAmong(now: now, tried: tried, fresh: fresh)
    }

    private func leaseOnly(now: Int64, tried: UInt64, fresh: Bool) -> Lease {
        let backend = backends[0]
        guard tried & 1 == 0, board.isUp(backend.healthIndex), backend.avoidedUntil <= now else { return .unavailable }
        return take(backend, fresh: fresh)
    }

    private func leaseAmong(now: Int64, tried: UInt64, fresh: Bool) -> Lease {
        var usable: UInt64 = 0
        var saturated = false
        for i in 0..<backends.count {
            let backend = backends[i]
            guard tried & 1 << UInt64(i) == 0, board.isUp(backend.healthIndex), backend.avoidedUntil <= now else {
                continue
            }
            if backend.active >= maximumActive {
                saturated = true
            } else {
                usable |= 1 << UInt64(i)
            }
        }
        guard let index = balancer.pick(backends, usable: usable, turn: &turn) else {
            return saturated ? .saturated : .unavailable
        }
        return take(backends[index], fresh: fresh)
    }

    private func take(_ backend: Backend, fresh: Bool) -> Lease {
        if backend.active >= maximumActive { return .saturated }
        if !fresh, let key = backend.idle.popLast() {
            backend.active &+= 1
            return .reuse(key, backend)
        }
        backend.active &+= 1
        return .connect(backend)
    }

    /// Gives a connection back for others; false when it should be closed instead.
    @inline(__always)
    public func release(_ key: UInt64, of backend: Backend) -> Bool {
        backend.active &-= 1
        guard backend.idle.count < maximumIdle, !backend.isRetired else { return false }
        backend.idle.append(key)
        return true
    }

    /// Gives a lease back whose connection is gone.
    public func forget(_ backend: Backend) { backend.active &-= 1 }

    /// Drops an idle connection that has ended by itself.
    public func remove(idle key: UInt64, of backend: Backend) {
        if let index = backend.idle.lastIndex(of: key) { backend.idle.remove(at: index) }
    }

    /// Passes a backend over for `milliseconds`, because it refused a connection.
    public func avoid(_ backend: Backend, until due: Int64, forTLS: Bool = false) {
        backend.avoidedUntil = due
        backend.isAvoidedForTLS = forTLS
    }

    /// Whether all that keeps every backend from being asked is a TLS handshake that failed just now, for one at least.
    public func isBarredByTLS(now: Int64) -> Bool {
        backends.allSatisfy { $0.avoidedUntil > now } && backends.contains(where: \.isAvoidedForTLS)
    }

    /// The bit of a backend in `tried`, 0 when it is no longer one of ours.
    public func bit(of backend: Backend) -> UInt64 {
        for i in 0..<backends.count where backends[i] === backend { return 1 << UInt64(i) }
        return 0
    }

    /// Whether any backend may be used now.
    public func isAvailable(now: Int64) -> Bool {
        backends.contains { board.isUp($0.healthIndex) && $0.avoidedUntil <= now }
    }

    /// Ends its use by new exchanges: those that run may still lease, and nothing is kept for others; returns the idle
    /// connections.
    public func retire() -> [UInt64] {
        backends.flatMap { backend in
            backend.isRetired = true
            return backend.takeIdle()
        }
    }

    /// Replaces the servers, keeping those whose address stays with their connections; returns those that are gone.
    public func replace(with next: [Backend]) -> [Backend] {
        let merged = next.prefix(Self.maximumBackends).map { new in
            guard let kept = backends.first(where: { $0.address == new.address && $0.weight == new.weight }) else {
                return new
            }
            kept.healthIndex = new.healthIndex
            return kept
        }
        let gone = backends.filter { old in !merged.contains { $0 === old } }
        for backend in gone { backend.isRetired = true }
        backends = merged
        return gone
    }
}
