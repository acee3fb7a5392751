// HOT. A client's connection before it carries requests: PROXY header, TLS handshake, choice of the protocol.
import Bytes
import CLinux
import Glibc
import Reactor
import TLS
import Telemetry

/// A connection that has been accepted and cannot carry requests yet.
///
///     proxy header ──► TLS handshake ──► HTTP/1 or HTTP/2 takes the descriptor over
///
/// Owned by its worker's table; whoever takes over keeps descriptor, registration and generation.
final class ClientHandshake {
    let worker: Worker
    let descriptor: Int32
    let key: UInt64
    private var peer: IPAddress
    private let listener: ListenerPlan
    private var needsHeader: Bool
    private var tls: TLSStream?
    private let timer: TimerID
    private let deadline: Int64
    /// When TLS begins; negative while that is open.
    private var begins: Int64 = -1
    private var isClosed = false
    /// The client has ended its direction already: no further event tells whoever takes over.
    private(set) var hangup = false

    init(worker: Worker, descriptor: Int32, key: UInt64, peer: IPAddress, listener: ListenerPlan) {
        self.worker = worker
        self.descriptor = descriptor
        self.key = key
        self.peer = peer
        self.listener = listener
        needsHeader = listener.expectsProxyHeader(from: peer)
        timer = worker.wheel.make(owner: key)
        deadline = worker.now + worker.plan.timeouts.handshake
        worker.wheel.arm(timer, at: deadline)
    }

    /// Goes as far as the bytes allow.
    func ready(_ readiness: Readiness) {
        guard !isClosed else { return }
        if !readiness.isDisjoint(with: .halfClosed.union(.failed)) { hangup = true }
        if readiness.contains(.error) { return failed("lost") }
        step()
    }

    func step() {
        if needsHeader, !takeHeader() { return }
        guard let server = listener.tls else { return handOver(nil) }
        if tls == nil {
            guard mayBegin() else { return }
            guard worker.mayShakeHands(listener) else {
                worker.metrics.hit(.handshakes)
                return close()
            }
            tls = server.accept(descriptor)
        }
        guard let tls else { return failed("memory") }
        switch tls.handshake() {
        case .wantRead, .wantWrite: return
        case .failed(let failure): return failed(failure)
        case .done:
            worker.metrics.add(.tlsHandshakes, 1)
            if tls.isResumed { worker.metrics.add(.tlsResumptions, 1) }
            handOver(tls)
        }
    }

    /// Whether the wait is over that clients have whose handshakes came to nothing lately.
    private func mayBegin() -> Bool {
        if begins < 0 {
            let delay = worker.handshakeDelay(peer)
            begins = worker.now + delay
            if delay > 0 {
                worker.metrics.add(.handshakesPutOff, 1)
                worker.wheel.arm(timer, at: min(begins, deadline))
            }
        }
        return worker.now >= begins
    }

    // MARK: PROXY protocol

    /// Looks at the header without taking more than it, so that what follows stays in the socket; false to wait or end.
    private func takeHeader() -> Bool {
        let most = ProxyHeader.maximumLength
        let bytes = worker.frames
        let count = recv(descriptor, bytes, most, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        guard count > 0 else {
            if count == 0 || errno != EAGAIN { failed("proxy_header_missing") }
            return false
        }
        let span = Span(_unsafeElements: UnsafeBufferPointer(start: UnsafePointer(bytes), count: count))
        switch ProxyHeader.parse(span) {
        case .needMore: return false
        case .refused:
            failed("proxy_header_malformed")
            return false
        case .local(let length):
            return take(length)
        case .address(let source, _, let length):
            peer = source
            return take(length)
        }
    }

    private func take(_ length: Int) -> Bool {
        needsHeader = false
        guard recv(descriptor, worker.frames, length, Int32(MSG_DONTWAIT)) == length else {
            failed("proxy_header_malformed")
            return false
        }
        return true
    }

    // MARK: Ends

    private func handOver(_ tls: TLSStream?) {
        isClosed = true
        worker.wheel.remove(timer)
        let transport = Transport(descriptor: descriptor, tls: tls)
        worker.replace(self, transport, peer, listener, isHTTP2: tls?.applicationProtocol == .http2 || !listener.http1)
    }

    private func failed(_ failure: TLSFailure) {
        worker.cameToNothing(peer)
        worker.metrics.add(.tlsHandshakesFailed, 1)
        Log.debug(
            "TLS handshake failed",
            ("client", peer.text),
            ("code", "\(failure.code)"),
            ("reason", failure.reason)
        )
        close()
    }

    private func failed(_ reason: StaticString) {
        worker.metrics.add(.connectionsRefused, 1)
        if tls != nil { worker.cameToNothing(peer) }
        close()
    }

    func timerFired() {
        if worker.now < deadline {
            worker.wheel.arm(timer, at: deadline)
            return step()
        }
        worker.metrics.timedOut(.handshake)
        close()
    }

    /// The kernel refused to register the descriptor, which is closed already.
    func dropped() {
        isClosed = true
        worker.wheel.remove(timer)
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        tls = nil
        worker.wheel.remove(timer)
        worker.closed(descriptor, listener)
    }
}
