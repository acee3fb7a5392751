// HOT. The deadlines of an exchange: one timer for whatever it waits for, and for the end of what has none of its own.
import Bytes
import HTTP
import Identity
import JOSE
import Policy
import Reactor
import Telemetry

extension Exchange {
    /// Bytes queued for one side at which reading from the other stops, and at which it goes on.
    @inline(__always) var highWater: Int { plan.snapshot.bufferLimit }
    @inline(__always) var lowWater: Int { plan.snapshot.bufferLimit >> 2 }

    /// Watches for the end of a wait, `milliseconds` from now; 0 for as long as the whole exchange may take.
    @inline(__always)
    func watch(_ wait: Wait, _ milliseconds: Int64) {
        self.wait = wait
        waitDue = milliseconds == 0 ? .max : worker.now &+ milliseconds
        deadline = min(waitDue, overall)
        if worker.wheel.due(timer) > deadline { worker.wheel.arm(timer, at: deadline) }
    }

    /// Sets the deadline of the whole exchange.
    @inline(__always)
    func limitOverall(_ milliseconds: Int64) {
        limitOverall(until: milliseconds == 0 ? .max : worker.now &+ milliseconds)
    }

    /// The same at a time of the loop.
    @inline(__always)
    func limitOverall(until due: Int64) {
        patience = due
        overall = due
        deadline = min(deadline, overall)
        if worker.wheel.due(timer) > deadline { worker.wheel.arm(timer, at: deadline) }
    }

    func unlimitOverall() {
        patience = .max
        overall = .max
        bound = .patience
    }

    /// What has no end of its own ends with the credential that allowed it.
    ///
    /// A token that is accepted only for the tolerated difference of clocks lasts until that is used up.
    func limitToCredential() {
        guard let principal = note.principal else { return }
        let now = Clock.unixMilliseconds()
        if let session = principal.session {
            // It lasts longer when it is used: this is looked at again then.
            return bind(.credential, max(0, end(of: session) &* 1000 &- now))
        }
        let expiry = principal.claims.expiry &* 1000
        let until = expiry > now ? expiry : principal.expiry &* 1000
        bind(.credential, max(0, until &- now))
    }

    /// A poll does not outlast its credential.
    ///
    /// That is watched only when the credential ends before the first byte has to be there. What changes something is
    /// left alone.
    @inline(__always)
    func limitPoll(_ principal: Principal) {
        let patience = bounds.firstByteTimeout
        let expiry = principal.session?.deadline ?? principal.claims.expiry
        if patience == 0 || expiry &- worker.unixSeconds < patience / 1000 &+ 10 { limitToCredential() }
    }

    /// An answer whose length is told may be read to its end.
    @inline(__always)
    func outlastCredential() {
        guard bound == .credential, !note.isGRPC else { return }
        overall = patience
        bound = .patience
        deadline = min(waitDue, overall)
    }

    /// When a session ends, or is not recent enough for the route any more.
    private func end(of session: LiveSession) -> Int64 {
        isOwnStream ? session.deadline : min(session.deadline, plan.snapshot.rules[route].end(of: session))
    }

    /// A session that was used since lasts longer than it seemed: false when it is over.
    private func outlastsSession(_ session: LiveSession) -> Bool {
        let now = Clock.unixMilliseconds() / 1000
        guard session.isLive(at: now), now < end(of: session) else { return false }
        // Everything else that it waits for ends when it would have.
        overall = patience
        bound = .patience
        if oldAt < .max { bind(.age, max(0, oldAt &- worker.now)) }
        limitToCredential()
        deadline = min(waitDue, overall)
        if worker.wheel.due(timer) > deadline { worker.wheel.arm(timer, at: deadline) }
        return true
    }

    /// What has no end of its own ends when it is old.
    func limitAge() {
        let age = plan.routes[route].streamAge
        guard age > 0 else { return }
        oldAt = worker.now &+ age
        bind(.age, age)
    }

    private func bind(_ bound: Bound, _ milliseconds: Int64) {
        let due = worker.now &+ milliseconds
        guard due < overall else { return }
        overall = due
        self.bound = bound
        deadline = min(deadline, overall)
        if worker.wheel.due(timer) > deadline { worker.wheel.arm(timer, at: deadline) }
    }

    /// Begins to watch how fast the client's body comes.
    func watchBody() {
        window = requestBytes
        watch(.clientBody, plan.timeouts.bodyProgress)
    }

    func timerFired() {
        guard phase != .idle else { return }
        if worker.now < deadline {
            if deadline < .max { worker.wheel.arm(timer, at: deadline) }
            return
        }
        if worker.now >= overall {
            switch bound {
            case .credential:
                if let session = note.principal?.session {
                    if outlastsSession(session) { return }
                    let isLive = session.isLive(at: Clock.unixMilliseconds() / 1000)
                    return credentialEnded(isLive ? .loginTooOld : .sessionEnded)
                }
                return credentialEnded(note.principal?.isCertificate == true ? .certificateExpired : .expired)
            case .age: return grewOld()
            case .patience: break
            }
            worker.metrics.timedOut(.request)
            if endCall(.deadlineExceeded, GatewayError.requestDeadline.detail) { return }
            return phase == .answering || phase == .tunnelling ? abort() : fail(.requestDeadline)
        }
        switch wait {
        case .none: break
        case .lease: leaseWaited()
        case .lookup:
            worker.metrics.timedOut(.sessionLookup)
            sessionFound(.unavailable)
        case .portal:
            worker.metrics.timedOut(.portal)
            respond(Problem(Reason.sessionsUnavailable, status: 503))
        case .events: keepEventsAlive()
        case .connect:
            worker.metrics.timedOut(.upstreamConnect)
            connectTimedOut()
        case .clientBody: bodyWindowEnded()
        case .firstByte:
            worker.metrics.timedOut(.upstreamFirstByte)
            fail(.upstreamTimeout)
        case .stream, .tunnel: fellSilent()
        }
    }

    private func bodyWindowEnded() {
        let expected = UInt64(plan.timeouts.bodyProgress) * plan.minimumBodyRate / 1000
        let isBackendSlow = phase != .collecting && (out?.count ?? 0) &- sent >= lowWater
        if requestBytes &- window >= expected || isBackendSlow { return watchBody() }
        worker.metrics.timedOut(.bodyProgress)
        phase == .answering ? abort() : fail(.bodyTimeout)
    }
}
