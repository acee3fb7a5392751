// COLD. Failures of a network in a minute, and which addresses are one network.
import Glibc

/// What counts as one guesser: an IPv4 address, or an IPv6 /64, which one customer has whole.
struct ClientNetwork: Hashable {
    /// The significant bytes; of an address that is none, its text.
    private let bytes: [UInt8]

    /// Of an address in text, without a port; IPv4 within IPv6 is IPv4.
    init(_ address: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, address, &four) == 1 {
            bytes = withUnsafeBytes(of: four) { Array($0) }
        } else if inet_pton(AF_INET6, address, &six) == 1 {
            let all = withUnsafeBytes(of: six) { Array($0) }
            let isMapped = all[..<10].allSatisfy { $0 == 0 } && all[10] == 0xff && all[11] == 0xff
            bytes = isMapped ? Array(all[12...]) : Array(all[..<8])
        } else {
            bytes = Array("?\(address)".utf8.prefix(64))
        }
    }
}

/// A leaky bucket for each network: it holds a minute's failures and leaks evenly.
struct NetworkBudget {
    private struct Bucket {
        /// In sixtieths of `perMinute`: a failure adds 60, a second takes `perMinute`.
        var level: Int
        var updated: Int64
    }

    private let perMinute: Int
    private let capacity: Int
    private var swept = Int64.min
    private var buckets: [ClientNetwork: Bucket] = [:]

    init(perMinute: Int, capacity: Int) {
        self.perMinute = max(1, perMinute)
        self.capacity = max(1, capacity)
    }

    var count: Int { buckets.count }

    /// Seconds until one more failure fits; 0: now.
    func wait(_ network: ClientNetwork, now: Int64) -> Int {
        let excess = level(network, now: now) + 60 - perMinute * 60
        return excess <= 0 ? 0 : (excess + perMinute - 1) / perMinute
    }

    /// Whether there is room to count a failure: a network that is not known when all buckets are in use is refused,
    /// for no bucket that holds something is given up.
    mutating func hasRoom(_ network: ClientNetwork, now: Int64) -> Bool {
        if buckets[network] != nil || buckets.count < capacity { return true }
        guard swept != now else { return false }
        swept = now
        buckets = buckets.filter { leaked($0.value, now: now) > 0 }
        return buckets.count < capacity
    }

    /// One failure more.
    mutating func add(_ network: ClientNetwork, now: Int64) {
        buckets[network] = Bucket(level: level(network, now: now) + 60, updated: now)
    }

    /// One failure less.
    mutating func takeBack(_ network: ClientNetwork, now: Int64) {
        let level = max(0, level(network, now: now) - 60)
        buckets[network] = level == 0 ? nil : Bucket(level: level, updated: now)
    }

    private func level(_ network: ClientNetwork, now: Int64) -> Int {
        buckets[network].map { leaked($0, now: now) } ?? 0
    }

    private func leaked(_ bucket: Bucket, now: Int64) -> Int {
        // A clock that was put back leaks nothing; one that was put forward empties.
        let seconds = min(max(0, now - bucket.updated), 60)
        return max(0, bucket.level - Int(seconds) * perMinute)
    }
}
