// HOT. Counting what the other side does that is of no use: token buckets, with time given from outside.

/// A bucket that holds tokens in ten-thousandths, so that "per ten seconds" is "ten-thousandths per millisecond".
struct TokenBucket {
    private var level: Int64
    private var last: Int64 = .min

    init(_ budget: HTTP2Budget) { level = Int64(budget.burst) &* 10_000 }

    /// Takes one token; false when there is none.
    @inline(__always)
    mutating func take(_ budget: HTTP2Budget, now: Int64) -> Bool {
        if now > last {
            if last != .min {
                let refill = min(now &- last, 1 << 20) &* Int64(budget.perTenSeconds)
                level = min(level &+ refill, Int64(budget.burst) &* 10_000)
            }
            last = now
        }
        guard level >= 10_000 else { return false }
        level &-= 10_000
        return true
    }

    /// Gives tokens for useful work, up to twice the burst.
    @inline(__always)
    mutating func credit(_ tokens: Int64, _ budget: HTTP2Budget) {
        level = min(level &+ tokens &* 10_000, Int64(budget.burst) &* 20_000)
    }
}

/// The buckets of one connection.
struct AbuseBudget {
    private var resetsReceived: TokenBucket
    private var resetsProvoked: TokenBucket
    private var settings: TokenBucket
    private var pings: TokenBucket
    private var emptyData: TokenBucket
    private var priorities: TokenBucket
    private var windowUpdates: TokenBucket
    private var tinyWindows: TokenBucket
    private var unknownFrames: TokenBucket
    private var glitches: TokenBucket

    init(_ limits: HTTP2Limits) {
        resetsReceived = TokenBucket(limits.resetsReceived)
        resetsProvoked = TokenBucket(limits.resetsProvoked)
        settings = TokenBucket(limits.settings)
        pings = TokenBucket(limits.pings)
        emptyData = TokenBucket(limits.emptyData)
        priorities = TokenBucket(limits.priorities)
        windowUpdates = TokenBucket(limits.windowUpdates)
        tinyWindows = TokenBucket(limits.tinyWindows)
        unknownFrames = TokenBucket(limits.unknownFrames)
        glitches = TokenBucket(limits.glitches)
    }

    /// Counts one; false when the budget is used up.
    mutating func take(_ kind: AbuseKind, _ limits: HTTP2Limits, now: Int64) -> Bool {
        switch kind {
        case .resetsReceived: resetsReceived.take(limits.resetsReceived, now: now)
        case .resetsProvoked: resetsProvoked.take(limits.resetsProvoked, now: now)
        case .settings: settings.take(limits.settings, now: now)
        case .pings: pings.take(limits.pings, now: now)
        case .emptyData: emptyData.take(limits.emptyData, now: now)
        case .priorities: priorities.take(limits.priorities, now: now)
        case .windowUpdates: windowUpdates.take(limits.windowUpdates, now: now)
        case .tinyWindows: tinyWindows.take(limits.tinyWindows, now: now)
        case .unknownFrames: unknownFrames.take(limits.unknownFrames, now: now)
        case .glitches: glitches.take(limits.glitches, now: now)
        case .continuations, .outboundFrames, .headerList, .stalled: true
        }
    }

    /// A request was received: it may come with changes of priority.
    @inline(__always)
    mutating func countRequest(_ limits: HTTP2Limits) { priorities.credit(2, limits.priorities) }

    /// A stream was reset by us: a window's worth of frames may be on its way.
    @inline(__always)
    mutating func countReset(_ limits: HTTP2Limits) {
        glitches.credit(Int64(limits.streamWindow >> 12), limits.glitches)
    }

    /// A DATA frame was sent: it will be acknowledged on both levels, and the other side may measure how fast it came.
    @inline(__always)
    mutating func countData(_ limits: HTTP2Limits) {
        windowUpdates.credit(3, limits.windowUpdates)
        pings.credit(1, limits.pings)
    }
}
