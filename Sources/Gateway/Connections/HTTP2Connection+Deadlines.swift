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
        if worker.now >= shutdownAt {
            shutdownAt = .max
            codec.finishShutdown()
            flushLater()
        }
        if isTooSlow() { return }
        if active > 0 || !codec.isIdle {
            deadline = worker.now + worker.plan.timeouts.idle
        } else if worker.now >= deadline {
            return endIdle()
        }
        let since = codec.partialSince
        let partial = since < 0 ? Int64.max : since + worker.plan.timeouts.headers
        let isWaiting = output != nil || codec.stalledSince >= 0
        let stall = isWaiting ? worker.now + max(50, worker.plan.timeouts.write / 4) : Int64.max
        wake(min(min(deadline, shutdownAt), min(partial, stall)))
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

    private func endIdle() {
        if phase == .open { worker.metrics.timedOut(requests == 0 ? .headers : .idle) }
        codec.finishShutdown()
        beginClosing()
    }
}
