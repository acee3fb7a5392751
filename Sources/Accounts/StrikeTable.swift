// COLD. Failures counted per key in bounded memory; which one is given up when there is no room.

/// Failures in a row, and when the last one was.
struct Strikes: Equatable {
    var count: Int
    /// Unix seconds.
    var last: Int64
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

    /// One failure more.
    mutating func add(_ key: Key, now: Int64) {
        if let place = places[key] {
            entries[place].strikes.count += 1
            entries[place].strikes.last = now
            return
        }
        if entries.count >= capacity { evict() }
        places[key] = entries.count
        entries.append((key, Strikes(count: 1, last: now)))
    }

    /// The last failure was now.
    mutating func stamp(_ key: Key, now: Int64) {
        guard let place = places[key] else { return add(key, now: now) }
        entries[place].strikes.last = max(now, entries[place].strikes.last)
    }

    /// One failure less.
    mutating func takeBack(_ key: Key) {
        guard let place = places[key] else { return }
        entries[place].strikes.count -= 1
        if entries[place].strikes.count <= 0 { _ = remove(key) }
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
