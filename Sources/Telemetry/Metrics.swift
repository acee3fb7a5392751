// COLD. All counters of the process: one block per worker, names for slots, and what the main thread counts.
import Bytes
import Reactor
import Synchronization

/// The counters of the process.
public final class Metrics: Sendable {
    struct Names {
        var list: [String]
        var index: [String: Int]

        init(first: String) {
            list = [first]
            index = [first: 0]
        }

        mutating func slot(_ name: String) -> Int {
            if let known = index[name] { return known }
            guard list.count < LabelledBlocks.capacity else { return 0 }
            list.append(name)
            index[name] = list.count - 1
            return list.count - 1
        }
    }

    /// Route slot of requests that matched no route.
    public static let noRoute = 0

    // Exception to plain Sendable: a worker's block is written by that worker only, through relaxed atomic stores;
    // everybody else only reads it, through relaxed atomic loads (LabelledBlocks publishes its pages with a release).
    nonisolated(unsafe) private let blocks: [WorkerMetrics]
    let reasons: [String]
    let protocolErrors: [String]
    private let routes = Locked(Names(first: "(none)"))
    private let upstreams = Locked(Names(first: "(none)"))
    private let reloadsApplied = Atomic<UInt64>(0)
    private let reloadsFailed = Atomic<UInt64>(0)
    private let reloadSeconds = Atomic<Int64>(0)
    private let logFailures = Atomic<UInt64>(0)

    /// Counters for `workers` workers.
    ///
    /// - Parameters:
    ///   - workers: how many.
    ///   - reasons: the codes of the gate's reasons, in the order of the indexes given to ``WorkerMetrics/auth(_:reason:)``.
    ///   - protocolErrors: the codes of refused messages, in the order of ``WorkerMetrics/refused(protocolError:)``.
    public init(workers: Int, reasons: [String], protocolErrors: [String]) {
        self.reasons = reasons
        self.protocolErrors = protocolErrors
        let layout = WorkerMetrics.Layout(reasons: reasons.count, protocolErrors: protocolErrors.count)
        blocks = (0..<workers).map { _ in WorkerMetrics(layout: layout) }
    }

    /// The block of a worker; only its thread may add to it.
    public func worker(_ index: Int) -> WorkerMetrics { blocks[index] }

    /// Number of workers.
    public var workers: Int { blocks.count }

    /// Slots for the routes of a configuration, by position; a name keeps its slot (and its counts) over reloads.
    public func routeSlots(_ names: [String]) -> [Int] {
        routes.withLock { routes in names.map { routes.slot($0) } }
    }

    /// Slots for the upstreams of a configuration, by position.
    public func upstreamSlots(_ names: [String]) -> [Int] {
        upstreams.withLock { upstreams in names.map { upstreams.slot($0) } }
    }

    /// Counts a reload.
    public func reloaded(applied: Bool, unixSeconds: Int64) {
        if applied {
            reloadsApplied.wrappingAdd(1, ordering: .relaxed)
            reloadSeconds.store(unixSeconds, ordering: .relaxed)
        } else {
            reloadsFailed.wrappingAdd(1, ordering: .relaxed)
        }
    }

    /// Counts access log lines that the writer could not write.
    func lostLogLines(_ count: Int) { logFailures.wrappingAdd(UInt64(count), ordering: .relaxed) }

    /// Sum of a counter over all workers.
    public func total(_ counter: Counter) -> UInt64 {
        let sum = blocks.reduce(0) { $0 &+ $1.value(counter) }
        return counter == .accessLogDropped ? sum &+ logFailures.load(ordering: .relaxed) : sum
    }

    /// Sum of a gauge over all workers.
    public func total(_ gauge: Gauge) -> Int { blocks.reduce(0) { $0 &+ $1.value(gauge) } }

    // MARK: What the exposition reads

    var routeNames: [String] { routes.withLock { $0.list } }
    var upstreamNames: [String] { upstreams.withLock { $0.list } }
    var reloads: (applied: UInt64, failed: UInt64, seconds: Int64) {
        (
            reloadsApplied.load(ordering: .relaxed), reloadsFailed.load(ordering: .relaxed),
            reloadSeconds.load(ordering: .relaxed)
        )
    }
    var layout: WorkerMetrics.Layout? { blocks.first?.layout }

    func sum(_ index: Int) -> UInt64 { blocks.reduce(0) { $0 &+ $1.read(index) } }

    /// Adds every worker's block of one slot to `sums`; false when nobody counted there.
    func collect(_ blocksOf: KeyPath<WorkerMetrics, LabelledBlocks>, slot: Int, into sums: inout [UInt64]) -> Bool {
        var any = false
        for index in sums.indices { sums[index] = 0 }
        for worker in blocks {
            guard let block = worker[keyPath: blocksOf].find(slot) else { continue }
            for index in sums.indices {
                let value = loadCounter(block + index)
                sums[index] &+= value
                any = any || value != 0
            }
        }
        return any
    }
}
