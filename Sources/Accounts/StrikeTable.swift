// COLD. Failures counted per key in bounded memory; which one is given up when there is no room.

/// Failures in a row, and when the last one was.
struct Strikes: Equatable {
    var count: Int
    /// Unix seconds; an attempt that still goes on counts as one.
    var last: Int64
    /// The same without attempts that still go on: what `last` is again when they are taken back.
    var settled: Int64
    /// Attempts that still go on.
    var open: Int
}

/// A table of at most `capacity` counters.
///
/// When it is full, the smallest counter of a random sample goes (the oldest of equal ones). To be rid of a large
/// counter, somebody has to fill the table with counters that are larger: each of those costs as many failures, and
/// failures are what the other tables limit.
struct StrikeTable<Key: Hashable> {
    private static var sampleSize: Int { 16 }

    private let capacity: Int
    private var places: [Key: Int] = [:]
    private var entries: [(key: Key, strikes: Strikes)] = []

    init(capacity: Int) { self.capacity = max(1, capacity) }

    var count: Int { entries.count }

    subscript(key: Key) -> Strikes? { places[key].map { entries[$0].strikes } }

    var all: [(key: Key, strikes: Strikes)] { entries }

    /// An attempt, which counts as a failure until it is taken back.
    mutating func add(_ key: Key, now: Int64) {
        guard let place = places[key] else { return insert(key, now: now, open: 1) }
        var strikes = entries[place].strikes
        if strikes.open == 0 { strikes.settled = strikes.last }
        strikes.count += 1
        strikes.last = now
        strikes.open += 1
        entries[place].strikes = strikes
    }

    /// An attempt failed: the last failure was now.
    mutating func stamp(_ key: Key, now: Int64) {
        guard let place = places[key] else { return insert(key, now: now, open: 0) }
        var strikes = entries[place].strikes
        strikes.last = max(now, strikes.last)
        strikes.settled = strikes.last
        strikes.open = max(0, strikes.open - 1)
        entries[place].strikes = strikes
    }

    /// An attempt was none: one failure less, and when it was the only one that went on, as long ago as before it.
    ///
    /// Otherwise whoever knows the password would wait anew for each right one while somebody else guesses.
    mutating func takeBack(_ key: Key) {
        guard let place = places[key] else { return }
        var strikes = entries[place].strikes
        strikes.count -= 1
        strikes.open = max(0, strikes.open - 1)
        if strikes.open == 0 { strikes.last = strikes.settled }
        entries[place].strikes = strikes
        if strikes.count <= 0 { _ = remove(key) }
    }

    private mutating func insert(_ key: Key, now: Int64, open: Int) {
        if entries.count >= capacity { evict() }
        places[key] = entries.count
        entries.append((key, Strikes(count: 1, last: now, settled: now, open: open)))
    }

    /// Begins anew; what there was.
    @discardableResult
    mutating func remove(_ key: Key) -> Strikes? {
        guard let place = places.removeValue(forKey: key) else { return nil }
        let removed = entries[place].strikes
        let last = entries.removeLast()
        if place < entries.count {
            entries[place] = last
            places[last.key] = place
        }
        return removed
    }

    private mutating func evict() {
        var victim = Int.random(in: 0..<entries.count)
        for _ in 1..<Self.sampleSize {
            let other = Int.random(in: 0..<entries.count)
            let (a, b) = (entries[other].strikes, entries[victim].strikes)
            if (a.count, a.last) < (b.count, b.last) { victim = other }
        }
        remove(entries[victim].key)
    }
}
