// HOT. The deadlines of a client's HTTP/2 connection: what is idle, comes too slowly or is not taken ends.
import HTTP2
import Reactor
import Telemetry

extension HTTP2Connection {
    func setDeadline(_ due: Int64) {
        deadline = due
        wake(due)
    }

    /// Looks at the clock then, or before.
    @inline(__always)
    func wake(_ due: Int64) {
        if worker.wheel.due(timer) > due { worker.wheel.arm(timer, at: due) }
    }

    func timerFired() {
        guard phase != .closed else { return }
        codec.now = worker.now
        if phase == .waiting {
            if worker.now < deadline { return wake(deadline) }
            endWaiting()
            return beginClosing()
        }
        if phase == .closing || phase == .lingering {
            if worker.now < deadline { return wake(deadline) }
            return output == nil ? close() : abort()
        }
        if worker.now >= shutdownAt { goOnShutdown() }
        if isTooSlow() || isDead() { return }
        // What else is open waits for the client alone: the end of a tunnel that we have ended.
        if active > 0 || codec.stalledSince >= 0 || output != nil {
            deadline = worker.now + worker.plan.timeouts.idle
        } else if worker.now >= deadline {
            return endIdle()
        }
        let since = codec.partialSince
        let partial = since < 0 ? Int64.max : since + worker.plan.timeouts.headers
        let isWaiting = output != nil || codec.stalledSince >= 0
        let stall = isWaiting ? worker.now + max(50, worker.plan.timeouts.write / 4) : Int64.max
        let shutdown = shutdownAt < .max && worker.now >= shutdownAt ? shutdownAt &+ Self.quietPatience : shutdownAt
        wake(min(min(deadline, shutdown), min(partial, min(stall, nextSign))))
    }

    // MARK: Signs of life

    /// From now on the client has open requests: a silence of it is asked about.
    @inline(__always)
    func watchLife() {
        let patience = worker.plan.timeouts.keepalive
        if patience > 0 { wake(max(heard, worker.now) &+ patience) }
    }

    /// When the client's silence has to be looked at again.
    private var nextSign: Int64 {
        let timeouts = worker.plan.timeouts
        guard active > 0, timeouts.keepalive > 0, output == nil else { return .max }
        return asked >= 0 ? asked &+ timeouts.keepaliveAnswer : heard &+ timeouts.keepalive
    }

    /// Asks a silent client for a sign of life; whether it has not given one in time, and is gone.
    ///
    /// While we have something to say that it does not take, its patience is `timeouts.write`.
    private func isDead() -> Bool {
        if heard >= asked { asked = -1 }
        guard worker.now >= nextSign else { return false }
        if asked < 0 {
            asked = worker.now
            codec.ping()
            flushLater()
            return false
        }
        worker.metrics.timedOut(.keepalive)
        abort()
        return true
    }

    // MARK: Ends

    /// Asks the client for another connection from `due` on, because what this one stands on has changed.
    ///
    /// Some clients give requests up that are under way when they are asked: it is done between requests, if there is
    /// such a moment soon.
    func drain(at due: Int64) {
        guard phase == .open, due < shutdownAt else { return }
        shutdownAt = due
        if worker.now >= due { goOnShutdown() } else { wake(due) }
    }

    /// The next step of a shutdown whose time has come.
    private func goOnShutdown() {
        if phase == .draining { return finishShutdown() }
        guard phase == .open else { return }
        if active == 0 || worker.now >= shutdownAt &+ Self.quietPatience { return beginShutdown() }
        wake(shutdownAt &+ Self.quietPatience)
    }

    /// The last stream ended.
    func becameQuiet() {
        if phase == .open, worker.now >= shutdownAt { beginShutdown() }
    }

    /// Whether the client's time to read or to finish a frame is over; what follows from it is done.
    private func isTooSlow() -> Bool {
        let patience = worker.plan.timeouts.write
        if output != nil, worker.now - writeStalled >= patience {
            worker.metrics.timedOut(.write)
            abort()
            return true
        }
        let since = codec.partialSince
        if since >= 0, worker.now - since >= worker.plan.timeouts.headers {
            worker.metrics.timedOut(.headers)
            codec.giveUp()
        } else if codec.stalledSince >= 0, codec.dropStalled(since: worker.now - patience) {
            worker.metrics.timedOut(.write)
        }
        guard codec.hasNews || codec.wantsWrite else { return false }
        flushLater()
        return phase == .closed
    }

    /// The worker ends now: what was said last goes out, as far as the socket takes it.
    func sayGoodbye() {
        codec.now = worker.now
        codec.finishShutdown()
        flush()
        close()
    }

    private func endIdle() {
        if phase == .open { worker.metrics.timedOut(requests == 0 ? .headers : .idle) }
        codec.finishShutdown()
        beginClosing()
    }
}
