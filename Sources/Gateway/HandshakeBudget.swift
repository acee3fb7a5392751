// HOT. How many TLS handshakes a worker begins per second: each costs as much as many requests.

/// A token bucket for each listener, holding one second's worth.
struct HandshakeBudget {
    private var left: [Double] = []
    private var since: [Int64] = []

    /// Takes one from the bucket of a listener; false when it is empty.
    mutating func take(_ listener: Int, perSecond rate: Double, now: Int64) -> Bool {
        while left.count <= listener {
            left.append(rate)
            since.append(now)
        }
        left[listener] = min(rate, left[listener] + Double(now - since[listener]) * rate / 1000)
        since[listener] = now
        guard left[listener] >= 1 else { return false }
        left[listener] -= 1
        return true
    }
}
