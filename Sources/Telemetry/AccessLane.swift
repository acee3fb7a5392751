// HOT. A worker's end of the access log: lines gather in a buffer that is handed over whole.
import Bytes

/// Gathers one worker's lines.
///
/// Owned by that worker's thread; costs no lock and no call per line.
public final class AccessLane {
    /// Bytes after which a batch is handed over.
    static let batch = 32 * 1024

    private let log: AccessLog
    private let metrics: WorkerMetrics
    private var buffer: OutputBuffer
    private var lines = 0
    private var began: Int64 = 0
    private var timestamp = Timestamp()

    init(log: AccessLog, metrics: WorkerMetrics) {
        self.log = log
        self.metrics = metrics
        buffer = AccessLog.makeBuffer()
    }

    deinit { timestamp.deallocate() }

    /// Appends the line of a request whose first half was kept.
    ///
    /// - Parameters:
    ///   - requestPart: what ``AccessLine/appendRequest(_:to:)`` wrote.
    ///   - result: the second half.
    ///   - unixMilliseconds: the wall clock.
    ///   - now: milliseconds of the monotonic clock.
    public func append(
        requestPart: UnsafeBufferPointer<UInt8>,
        _ result: borrowing AccessResult,
        unixMilliseconds: Int64,
        now: Int64
    ) {
        open(unixMilliseconds, now)
        buffer.append(requestPart)
        AccessLine.appendResult(result, to: buffer)
        close()
    }

    /// Appends the line of a request at once.
    public func append(
        _ request: borrowing AccessRequest,
        _ result: borrowing AccessResult,
        unixMilliseconds: Int64,
        now: Int64
    ) {
        open(unixMilliseconds, now)
        AccessLine.appendRequest(request, to: buffer)
        AccessLine.appendResult(result, to: buffer)
        close()
    }

    /// Hands over what is older than a second; call it once per turn of the loop, and at least once per second
    /// while ``isPending``.
    @inline(__always)
    public func tick(now: Int64) {
        if lines > 0, now &- began >= 1000 { flush() }
    }

    /// Whether lines wait here.
    public var isPending: Bool { lines > 0 }

    /// Hands over what there is: at the end of a drain, before the log is closed.
    public func flush() {
        guard lines > 0 else { return }
        let (next, dropped) = log.submit(buffer, lines: lines)
        if dropped > 0 { metrics.add(.accessLogDropped, UInt64(dropped)) }
        buffer = next
        lines = 0
    }

    @inline(__always)
    private func open(_ unixMilliseconds: Int64, _ now: Int64) {
        if lines == 0 { began = now }
        buffer.append("{\"time\":\"")
        timestamp.append(unixMilliseconds: unixMilliseconds, to: buffer)
        buffer.append("\",")
    }

    @inline(__always)
    private func close() {
        lines &+= 1
        if buffer.count >= Self.batch { flush() }
    }
}
