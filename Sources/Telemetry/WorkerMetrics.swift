// HOT. What one worker counts: plain adds into its own memory, read by the ops listener at any time.
import CLinux

/// The counters of one worker.
///
/// Only its thread adds; any thread may read.
///
/// Every method is a few plain loads and stores: no allocation, no lock, no read-modify-write.
public final class WorkerMetrics {
    /// Where things lie in the block.
    struct Layout: Sendable {
        let reasons: Int
        let protocolErrors: Int
        let gauge: Int
        let limit: Int
        let timeout: Int
        let protocolError: Int
        let auth: Int
        let total: Int
        let upstream: Int
        let words: Int

        init(reasons: Int, protocolErrors: Int) {
            self.reasons = reasons
            self.protocolErrors = protocolErrors
            gauge = Counter.allCases.count
            limit = gauge + Gauge.allCases.count
            timeout = limit + LimitKind.allCases.count
            total = timeout + TimeoutKind.allCases.count
            upstream = total + Histogram.words
            protocolError = upstream + Histogram.words
            auth = protocolError + protocolErrors
            words = auth + AuthOutcome.allCases.count * (reasons + 1)
        }
    }

    /// Words of a route's block: the status slots, microseconds, bytes in, bytes out.
    static let routeWords = StatusSlots.count + 8
    static let routeMicroseconds = StatusSlots.count
    static let routeBytesIn = StatusSlots.count + 1
    static let routeBytesOut = StatusSlots.count + 2

    let layout: Layout
    let base: UnsafeMutablePointer<UInt64>
    let routes = LabelledBlocks(words: WorkerMetrics.routeWords)
    let upstreams = LabelledBlocks(words: UpstreamEvent.allCases.count)
    private let memory: UnsafeMutableRawPointer
    private let slots: UnsafeMutablePointer<UInt8>

    init(layout: Layout) {
        self.layout = layout
        // Lines of its own at both ends: no worker's counter shares a cache line with another's.
        let bytes = (layout.words * 8 + 127) & ~127
        memory = .allocate(byteCount: bytes + 128, alignment: 128)
        base = memory.bindMemory(to: UInt64.self, capacity: bytes / 8)
        base.initialize(repeating: 0, count: bytes / 8)
        slots = StatusSlots.makeTable()
    }

    deinit {
        memory.deallocate()
        slots.deallocate()
    }

    /// Counts one more, or `count` more.
    @inline(__always)
    public func add(_ counter: Counter, _ count: UInt64 = 1) {
        pc_counter_add(base + counter.rawValue, count)
    }

    /// Moves a gauge up or down.
    @inline(__always)
    public func adjust(_ gauge: Gauge, by change: Int) {
        pc_counter_add(base + (layout.gauge &+ gauge.rawValue), UInt64(bitPattern: Int64(change)))
    }

    /// Sets this worker's share of a gauge.
    @inline(__always)
    public func set(_ gauge: Gauge, to value: Int) {
        pc_store(base + (layout.gauge &+ gauge.rawValue), UInt64(bitPattern: Int64(value)))
    }

    /// Counts a limit that was hit.
    public func hit(_ limit: LimitKind) {
        pc_counter_add(base + (layout.limit &+ limit.rawValue), 1)
    }

    /// Counts a deadline that passed.
    public func timedOut(_ kind: TimeoutKind) {
        pc_counter_add(base + (layout.timeout &+ kind.rawValue), 1)
    }

    /// Counts a message that was refused; `index` as in the codes given to ``Metrics``.
    public func refused(protocolError index: Int) {
        guard index >= 0, index < layout.protocolErrors else { return add(.invariantBroken) }
        pc_counter_add(base + (layout.protocolError &+ index), 1)
    }

    /// Counts an outcome of the gate; `reason` is an index in the codes given to ``Metrics``, −1 when there is none.
    public func auth(_ outcome: AuthOutcome, reason: Int = -1) {
        guard reason >= -1, reason < layout.reasons else { return add(.invariantBroken) }
        pc_counter_add(base + (layout.auth &+ outcome.rawValue &* (layout.reasons &+ 1) &+ reason &+ 1), 1)
    }

    /// Counts something that happened with an upstream; `slot` from ``Metrics/upstreamSlots(_:)``.
    public func upstream(_ slot: Int, _ event: UpstreamEvent) {
        pc_counter_add(upstreams.block(slot) + event.rawValue, 1)
    }

    /// Counts a finished request: the one call per request.
    ///
    /// - Parameters:
    ///   - route: slot from ``Metrics/routeSlots(_:)``; 0 when no route matched.
    ///   - status: what the client was answered; 0 when it got no answer (499 for a client that went away).
    ///   - microseconds: from the first byte of the head to the last of the response.
    ///   - upstreamMicroseconds: from the request being sent to the last byte of the response; −1 without upstream.
    ///   - bytesIn: bytes received for it, head included.
    ///   - bytesOut: bytes sent for it, head included.
    public func finished(
        route: Int,
        status: Int,
        microseconds: Int64,
        upstreamMicroseconds: Int64,
        bytesIn: UInt64,
        bytesOut: UInt64
    ) {
        let block = routes.block(route)
        let slot = UInt(bitPattern: status) < 600 ? Int(slots[status]) : 0
        let total = UInt64(max(0, microseconds))
        pc_counter_add(block + slot, 1)
        pc_counter_add(block + Self.routeMicroseconds, total)
        pc_counter_add(block + Self.routeBytesIn, bytesIn)
        pc_counter_add(block + Self.routeBytesOut, bytesOut)
        observe(layout.total, total)
        if upstreamMicroseconds >= 0 { observe(layout.upstream, UInt64(upstreamMicroseconds)) }
    }

    @inline(__always)
    private func observe(_ histogram: Int, _ microseconds: UInt64) {
        pc_counter_add(base + (histogram &+ Histogram.bucket(microseconds)), 1)
        pc_counter_add(base + (histogram &+ Histogram.buckets), microseconds)
    }

    // MARK: Reading, from any thread

    /// The value of a counter.
    public func value(_ counter: Counter) -> UInt64 { pc_load(base + counter.rawValue) }
    /// This worker's share of a gauge.
    public func value(_ gauge: Gauge) -> Int { Int(truncatingIfNeeded: read(layout.gauge + gauge.rawValue)) }
    func read(_ index: Int) -> UInt64 { pc_load(base + index) }
}
