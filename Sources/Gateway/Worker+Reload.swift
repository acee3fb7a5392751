// COLD. A new configuration on a worker: what is exchanged between turns, and what cannot go on under it.
import HTTP
import Identity
import Reactor
import Upstreams

extension Worker {
    /// Milliseconds between two connections that are asked to leave, so that not all come back at once; and the most in
    /// which all are asked.
    private static let leavingStep: Int64 = 10
    private static let leavingTime: Int64 = 30_000

    /// Takes a new snapshot for every exchange that begins from now on.
    func adopt(_ snapshot: Snapshot) {
        let old = plan
        plan = WorkerPlan(snapshot, worker: index)
        if snapshot.identity.cacheEntries != old.snapshot.identity.cacheEntries {
            cache = VerifiedCache(entries: snapshot.identity.cacheEntries)
        }
        if snapshot.cachedSessions != old.snapshot.cachedSessions { sessions = snapshot.makeSessionCache() }
        // No head is being parsed between turns, so that these may be exchanged.
        if snapshot.headLimits.fields != old.headLimits.fields {
            requestHead = RequestHead(maxFields: snapshot.headLimits.fields)
        }
        if snapshot.headLimits.requestLine != old.headLimits.requestLine {
            target = CanonicalTarget(capacity: 3 * snapshot.headLimits.requestLine)
        }
        for upstream in old.upstreams {
            for key in upstream.retire() { self.upstream(key)?.closeIdle() }
            for backend in upstream.backends { closeIdle(of: backend) }
        }
        keepAlive()
        judgeCertificates()
        leaveFormerGround()
    }

    /// Sets on the listening sockets what accepted ones get from them.
    func keepAlive() {
        let timeouts = plan.timeouts
        for listener in listeners where !listener.address.ip.isUnix {
            Socket.setNoDelay(listener.descriptor)
            Socket.setKeepAlive(listener.descriptor, after: timeouts.keepalive, answer: timeouts.keepaliveAnswer)
        }
    }

    /// Ends what was opened with a client certificate that is none any more.
    private func judgeCertificates() {
        for exchange in exchanges where exchange.phase != .idle {
            guard let certificate = exchange.connection?.certificate else { continue }
            let principal = exchange.note.principal
            let standsOnIt = principal?.isCertificate == true || principal?.isBound == true
            guard certificate.isRequired || standsOnIt else { continue }
            // Who is refused by it may still come with a token, as for a new request.
            if !standsOnIt, case .refused = certificate.standing(plan.snapshot, revocations, now: unixSeconds) {
                continue
            }
            if let reason = certificate.refusal(plan.snapshot, revocations, now: unixSeconds) {
                exchange.credentialEnded(reason)
            }
        }
    }

    /// Asks clients of HTTP/2 for another connection where this one stands on what has changed: versions, protocols and
    /// client certificates of TLS, who is trusted, and what the client was told of limits.
    private func leaveFormerGround() {
        var leaving: [HTTP2Connection] = []
        for slot in slots {
            if case .http1(let connection) = slot { connection.leaveFormerAuthorities(plan.snapshot) }
            guard case .http2(let connection) = slot else { continue }
            let listener = connection.listener
            let current = listener.current(in: plan.snapshot)
            if current.footing != listener.footing || current.http1 != listener.http1 || current.http2 != listener.http2
                || connection.limits != plan.snapshot.http2Limits(for: connection.peer)
            {
                leaving.append(connection)
            }
        }
        for (place, connection) in leaving.enumerated() {
            connection.drain(at: now + min(Int64(place) * Self.leavingStep, Self.leavingTime))
        }
    }
}
