// HOT. An HTTP/1 connection to a backend: connects, carries one exchange at a time, idles in the pool between them.
import Bytes
import HTTP
import Reactor
import TLS
import Telemetry
import Upstreams

/// A connection to a backend, lent to one exchange at a time.
final class HTTP1Upstream: UpstreamConnection {
    private(set) var transport: Transport
    private let security: UpstreamSecurity?
    private(set) var isClosed = false

    init(
        worker: Worker,
        descriptor: Int32,
        isConnected: Bool,
        backend: Backend,
        upstream: Upstream,
        security: UpstreamSecurity?
    ) {
        self.security = security
        transport = Transport(descriptor: descriptor, tls: nil)
        super.init(
            worker: worker,
            key: UInt64(worker.nextGeneration(of: descriptor)) << 32 | UInt64(UInt32(bitPattern: descriptor)),
            isConnected: isConnected && security == nil,
            isStream: false,
            backend: backend,
            upstream: upstream
        )
    }

    var descriptor: Int32 { transport.descriptor }

    @inline(__always)
    func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: .halfClosed.union(.failed)) { hangup = true }
        if !readiness.isDisjoint(with: .readable) {
            canRead = true
            transport.becameReadable()
        }
        guard let exchange else {
            // Whatever an idle connection says, it can no longer be trusted with a request. An event of this very turn
            // may be older than the answer that was read meanwhile; then there is nothing to hear.
            if !hangup, readiness.isDisjoint(with: .readable) || isQuiet { return }
            upstream.remove(idle: key, of: backend)
            closeIdle()
            return
        }
        if !isConnected {
            guard becomesConnected(readiness, exchange) else { return }
        } else if !readiness.isDisjoint(with: .writable) || !canWrite && transport.writesWhenReadable {
            canWrite = true
            if transport.readsWhenWritable { canRead = true }
        }
        if canWrite, exchange.hasUnsentRequest { exchange.flushRequest() }
        if self.exchange === exchange, !readiness.isDisjoint(with: .readable), isConnected { exchange.pumpResponse() }
    }

    /// Goes on with connecting and the TLS handshake; true when requests can be sent.
    private func becomesConnected(_ readiness: Readiness, _ exchange: Exchange) -> Bool {
        if transport.tls == nil {
            guard !readiness.isDisjoint(with: .writable) else { return false }
            let code = Socket.error(of: descriptor)
            if code != 0 {
                exchange.connectFailed(self, code: code)
                return false
            }
            if let security {
                guard let tls = security.connect(descriptor, backend: backend, worker: worker) else {
                    exchange.handshakeFailed(self)
                    return false
                }
                transport = Transport(descriptor: descriptor, tls: tls)
            }
        }
        if let tls = transport.tls {
            switch tls.handshake() {
            case .done: canRead = true
            case .wantRead, .wantWrite: return false
            case .failed(let failure):
                security?.report(failure, backend: backend, worker: worker)
                exchange.handshakeFailed(self)
                return false
            }
        }
        isConnected = true
        canWrite = true
        exchange.connected()
        return true
    }

    /// The socket is connected already: begins what comes before requests.
    func begin() {
        guard !isConnected, let exchange, !isClosed else { return }
        if becomesConnected(.writable, exchange), exchange.hasUnsentRequest { exchange.flushRequest() }
    }

    override func read(_ place: UnsafeMutablePointer<UInt8>, _ room: Int) -> Int {
        let n = transport.read(place, room)
        if n > 0 {
            if !hangup, !transport.mayHaveMore(after: n, of: room) { canRead = false }
        } else {
            canRead = false
        }
        return n
    }

    override func write(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int { transport.write(bytes, count) }

    override var isQuiet: Bool { transport.isQuiet }

    override func endWriting() { transport.endWriting() }

    /// Closes a connection that no exchange uses.
    override func closeIdle() {
        guard !isClosed else { return }
        isClosed = true
        giveInput()
        worker.retire(descriptor)
    }

    /// Closes a connection in use, and gives its lease back.
    override func close() {
        guard !isClosed else { return }
        exchange = nil
        upstream.forget(backend)
        closeIdle()
    }

    override func close(saying bytes: UnsafePointer<UInt8>, _ count: Int) {
        if canWrite, transport.write(bytes, count) == count { transport.endWriting() }
        close()
    }

    override func reportsRejection() -> Bool {
        guard let failure = transport.tls?.failure, failure.kind == .alertReceived else { return false }
        security?.report(failure, backend: backend, worker: worker)
        return true
    }

    /// Puts the connection back into the pool, or closes it when there is no place.
    override func release() {
        exchange = nil
        giveInput()
        // The last read filled its room: what may lie behind the answer is nobody's.
        if canRead, !hangup, !isQuiet { hangup = true }
        if hangup || isClosed || !upstream.release(key, of: backend) {
            if hangup, !isClosed { upstream.forget(backend) }
            closeIdle()
            return
        }
        idleSince = worker.now
        worker.pooled[Int(descriptor)] = true
    }
}
