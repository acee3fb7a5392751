// HOT. One server of an upstream as one worker sees it: its address, its idle connections, its counters.
public import Reactor

/// One server of an upstream, owned by one worker.
public final class Backend {
    /// Where it is.
    public let address: SocketAddress
    /// The name that it was found by, or its address: who it must prove to be.
    public let hostName: String
    /// The address in text, for logs.
    public let label: [UInt8]
    /// Share of the load relative to its siblings, 1…1000.
    public let weight: Int
    /// Its place on the health board, shared by all workers.
    public internal(set) var healthIndex: Int
    /// Connections with an exchange, or on their way to one.
    public internal(set) var active = 0
    /// Registrations of idle connections, the newest last.
    public internal(set) var idle: [UInt64] = []
    /// Registrations of connections that carry many requests at once and take more.
    public private(set) var shared: [UInt64] = []
    /// Until when (monotonic milliseconds) it is passed over because it refused a connection.
    public internal(set) var avoidedUntil: Int64 = 0
    /// Whether what it refused was TLS.
    var isAvoidedForTLS = false
    /// Whether the configuration or the name service no longer knows it: idle connections are closed when they return.
    public var isRetired = false
    /// Running score of the smooth weighted round robin.
    var score = 0

    /// A backend without connections.
    public init(address: SocketAddress, hostName: String = "", weight: Int, healthIndex: Int, maximumIdle: Int) {
        self.address = address
        self.hostName = hostName.isEmpty ? address.ip.text : hostName
        label = Array(address.text.utf8)
        self.weight = max(1, weight)
        self.healthIndex = healthIndex
        idle.reserveCapacity(min(maximumIdle, 64))
    }
}

extension Backend {
    /// A connection takes requests from now on.
    public func remember(shared key: UInt64) { shared.append(key) }

    /// A connection takes no further request.
    public func forget(shared key: UInt64) {
        if let index = shared.firstIndex(of: key) { shared.remove(at: index) }
    }

    /// The idle connection that has been idle the longest.
    public var oldestIdle: UInt64? { idle.first }

    /// Takes the oldest idle connection out of the pool.
    public func dropOldestIdle() { if !idle.isEmpty { idle.removeFirst() } }

    /// Takes all idle connections out of the pool.
    public func takeIdle() -> [UInt64] {
        let all = idle
        idle.removeAll()
        return all
    }
}
