// HOT. A connection to a backend: connects, carries one exchange at a time, idles in the pool between them.
import Bytes
import HTTP
import Reactor
import Telemetry
import Upstreams

/// A connection to a backend, lent to one exchange at a time.
final class UpstreamConnection {
    unowned(unsafe) let worker: Worker
    let descriptor: Int32
    let key: UInt64
    let backend: Backend
    let upstream: Upstream
    var exchange: Exchange?
    /// Bytes of an answer that could not be used yet: a head or a chunk line cut in the middle.
    var input: OutputBuffer?
    var isConnected: Bool
    var canRead = false
    var canWrite: Bool
    var hangup = false
    private(set) var isClosed = false
    /// Exchanges so far, the current one included.
    var exchanges: UInt32 = 0
    var idleSince: Int64 = 0

    init(worker: Worker, descriptor: Int32, isConnected: Bool, backend: Backend, upstream: Upstream) {
        self.worker = worker
        self.descriptor = descriptor
        self.backend = backend
        self.upstream = upstream
        self.isConnected = isConnected
        canWrite = isConnected
        key = UInt64(worker.nextGeneration(of: descriptor)) << 32 | UInt64(UInt32(bitPattern: descriptor))
    }

    @inline(__always)
    func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: .halfClosed.union(.failed)) { hangup = true }
        if !readiness.isDisjoint(with: .readable) { canRead = true }
        guard let exchange else {
            // Whatever an idle connection says, it can no longer be trusted with a request. An event of this very turn
            // may be older than the answer that was read meanwhile; then there is nothing to hear.
            if !hangup, readiness.isDisjoint(with: .readable) || Socket.isQuiet(descriptor) { return }
            upstream.remove(idle: key, of: backend)
            closeIdle()
            return
        }
        if !readiness.isDisjoint(with: .writable) {
            canWrite = true
            if !isConnected {
                let code = Socket.error(of: descriptor)
                if code != 0 { return exchange.connectFailed(self, code: code) }
                isConnected = true
                exchange.connected()
            }
            if exchange.hasUnsentRequest { exchange.flushRequest() }
        }
        if self.exchange === exchange, !readiness.isDisjoint(with: .readable), isConnected { exchange.pumpResponse() }
    }

    func giveInput() {
        if let buffer = input {
            worker.small.give(buffer)
            input = nil
        }
    }

    /// Closes a connection that no exchange uses.
    func closeIdle() {
        guard !isClosed else { return }
        isClosed = true
        giveInput()
        worker.retire(descriptor)
    }

    /// Closes a connection in use, and gives its lease back.
    func close() {
        guard !isClosed else { return }
        exchange = nil
        upstream.forget(backend)
        closeIdle()
    }

    /// Puts the connection back into the pool, or closes it when there is no place.
    @inline(__always)
    func release() {
        exchange = nil
        giveInput()
        // The last read filled its room: what may lie behind the answer is nobody's.
        if canRead, !hangup, !Socket.isQuiet(descriptor) { hangup = true }
        if hangup || isClosed || !upstream.release(key, of: backend) {
            if hangup, !isClosed { upstream.forget(backend) }
            closeIdle()
            return
        }
        idleSince = worker.now
    }
}
