// HOT. Where a duration is counted: buckets at powers of two microseconds, found without a search.

/// The shape of a latency histogram: 64 µs, 128 µs … 67.1 s, and everything above.
enum Histogram {
    /// Exponent of the first bound (2^6 µs).
    static let first = 6
    /// Number of buckets, the unbounded one included.
    static let buckets = 22
    /// Words it takes: the buckets and the sum in microseconds.
    static let words = buckets + 1

    /// The bucket of a duration: the first whose bound is not below it.
    @inline(__always)
    static func bucket(_ microseconds: UInt64) -> Int {
        let above = microseconds &- (microseconds == 0 ? 0 : 1)
        let exponent = UInt64.bitWidth &- above.leadingZeroBitCount
        return min(max(exponent &- first, 0), buckets &- 1)
    }

    /// The upper bound of a bucket in microseconds; nil for the last.
    static func bound(_ bucket: Int) -> UInt64? {
        bucket < buckets - 1 ? 1 << UInt64(first + bucket) : nil
    }
}
