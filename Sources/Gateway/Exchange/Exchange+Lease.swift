// HOT. How an exchange gets a connection to a backend: from the pool, or a new one; another backend when one refuses.
import Bytes
import Glibc
import HTTP
import Identity
import Policy
import Reactor
import Telemetry
import Upstreams

extension Exchange {
    func lease(fresh: Bool) {
        guard let upstream else { return fail(.noBackend) }
        // Nobody overtakes those who wait.
        if upstream.waiting > 0, phase != .waiting { return waitForLease(.upstreamConnections) }
        if sendsRaw { return leaseStream(of: upstream) }
        while true {
            switch upstream.lease(now: worker.now, tried: tried, fresh: fresh) {
            case .reuse(let key, let backend):
                guard let connection = worker.upstream(key), !connection.hangup else {
                    upstream.forget(backend)
                    if let stale = worker.upstream(key) { stale.closeIdle() }
                    continue
                }
                // What must not be sent twice is only sent where nothing says that the other side has gone.
                if !isReplayable, !connection.isQuiet {
                    connection.close()
                    continue
                }
                countUpstream(.reuse)
                worker.pooled[Int(connection.descriptor)] = false
                return attach(connection, reused: true)
            case .connect(let backend):
                return connect(backend, upstream)
            case .saturated: return waitForLease(.upstreamConnections)
            case .unavailable: return findsNoBackend(upstream)
            }
        }
    }

    /// Waits in line, for as long as connecting may take, because there is no connection and a limit allows no further
    /// one.
    func waitForLease(_ limit: LimitKind) {
        guard let upstream else { return fail(.upstreamBusy) }
        let isNew = phase != .waiting
        if isNew {
            worker.metrics.hit(limit)
            if upstream.waiting >= upstreamPlan.maximumWaiting {
                worker.metrics.hit(.upstreamQueue)
                return fail(.upstreamBusy)
            }
            phase = .waiting
            waitUntil = worker.now + bounds.connectTimeout
        }
        if worker.now >= waitUntil { return fail(.upstreamBusy) }
        worker.line(of: upstream).join(self, atFront: !isNew)
        // No event of ours tells when another worker, or another process, gives a descriptor back.
        watch(.lease, limit == .descriptors ? 20 : waitUntil - worker.now)
    }

    /// The wait in line is over, or a descriptor may be there.
    func leaseWaited() {
        if worker.now >= waitUntil { return fail(.upstreamBusy) }
        line?.remove(self)
        lease(fresh: false)
    }

    /// A socket on its way to a backend; nil when that failed at once, which is dealt with.
    func openSocket(_ backend: Backend, _ upstream: Upstream) -> (descriptor: Int32, done: Bool)? {
        let (descriptor, done) = Socket.connect(to: backend.address)
        if descriptor == -EMFILE || descriptor == -ENFILE {
            upstream.forget(backend)
            waitForLease(.descriptors)
            return nil
        }
        countUpstream(.connect)
        if descriptor >= 0, !backend.address.ip.isUnix {
            Socket.setKeepAlive(descriptor, after: upstreamPlan.keepalive, answer: plan.timeouts.keepaliveAnswer)
        }
        if descriptor < 0 {
            upstream.forget(backend)
            refused(backend, upstream, code: -descriptor)
            return nil
        }
        return (descriptor, done)
    }

    func connect(_ backend: Backend, _ upstream: Upstream) {
        guard let (descriptor, done) = openSocket(backend, upstream) else { return }
        let connection = HTTP1Upstream(
            worker: worker,
            descriptor: descriptor,
            isConnected: done,
            backend: backend,
            upstream: upstream,
            security: plan.security(of: upstream)
        )
        guard worker.adopt(connection) else {
            Socket.close(descriptor)
            upstream.forget(backend)
            return fail(.noBackend)
        }
        attach(connection, reused: false)
        if done { connection.begin() }
    }

    func attach(_ connection: UpstreamConnection, reused: Bool) {
        upstreamConnection = connection
        connection.exchange = self
        connection.exchanges &+= 1
        isReused = reused
        note.backend = connection.backend
        if connection.isConnected {
            phase = .sending
            connected()
            flushRequest()
        } else {
            phase = .connecting
            watch(.connect, bounds.connectTimeout)
        }
    }

    /// The connection is there: from now on the answer is waited for.
    func connected() {
        phase = .sending
        sentMicros = Clock.microseconds()
        if requestComplete { return watch(.firstByte, bounds.firstByteTimeout) }
        // A call may say little for as long as it likes; a backend of HTTP/1 takes none.
        note.isGRPC && sendsRaw ? watch(.stream, bounds.streamIdle) : watchBody()
    }

    func connectFailed(_ connection: UpstreamConnection, code: Int32) {
        guard let upstream else { return }
        let backend = connection.backend
        upstreamConnection = nil
        connection.close()
        refused(backend, upstream, code: code)
    }

    /// The backend's TLS is not what it has to be.
    func handshakeFailed(_ connection: UpstreamConnection) {
        guard let upstream else { return }
        let backend = connection.backend
        upstreamConnection = nil
        connection.close()
        lastFailure = .upstreamHandshake
        countUpstream(.connectFailure)
        guard !hasSent || isReplayable || isKept else {
            upstream.avoid(backend, until: worker.now + upstreamPlan.refusedPause, forTLS: true)
            return fail(.upstreamHandshake)
        }
        sent = 0
        hasSent = false
        avoid(backend, upstream)
    }

    /// No backend can be asked.
    func findsNoBackend(_ upstream: Upstream) {
        if tried != 0 { return fail(lastFailure) }
        guard upstream.isBarredByTLS(now: worker.now) else { return fail(.noBackend) }
        // Passed over for a moment, but why is known, and waiting will not help.
        countUpstream(.unavailable)
        fail(.upstreamHandshake)
    }

    func connectTimedOut() {
        guard let upstream, let connection = upstreamConnection else { return fail(.upstreamTimeout) }
        let backend = connection.backend
        upstreamConnection = nil
        connection.close()
        lastFailure = .upstreamTimeout
        avoid(backend, upstream)
    }

    var upstreamPlan: UpstreamPlan {
        guard case .forward(let index) = plan.routes[route].action else { return .none }
        return plan.snapshot.upstreams[index]
    }

    func refused(_ backend: Backend, _ upstream: Upstream, code: Int32) {
        lastFailure = .upstreamRefused
        countUpstream(.connectFailure)
        avoid(backend, upstream)
    }

    func avoid(_ backend: Backend, _ upstream: Upstream) {
        let isTLS = lastFailure == .upstreamHandshake
        upstream.avoid(backend, until: worker.now + upstreamPlan.refusedPause, forTLS: isTLS)
        let bit = upstream.bit(of: backend)
        tried |= bit
        if bit == 0 || tried.nonzeroBitCount > upstreamPlan.retries { return fail(lastFailure) }
        lease(fresh: false)
    }
}
