// COLD. How a worker's thread comes to its worker, and tells of its end.
import Reactor
import Telemetry

/// Lets a worker's thread report its end; the gateway outlives its threads, which it joins.
struct WeakCounter: @unchecked Sendable {
    // Exception: only the atomic counter of the gateway is touched.
    private unowned let gateway: Gateway

    init(_ gateway: Gateway) { self.gateway = gateway }

    func workerEnded() { gateway.workerEnded() }
}

/// What a worker's thread needs to make its worker; made on the control thread, used once on the worker's.
struct WorkerStart: @unchecked Sendable {
    // Exception: the listeners change hands here, before the thread begins to use them.
    let index: Int
    let snapshot: Snapshot
    let listeners: [Listener]
    let mailbox: Mailbox<WorkerMessage>
    let metrics: Metrics
    let revocations: Revocations
    let sessionDesk: SessionDesk?
    let log: AccessLog?
    let pulse: Pulse

    func make() throws(SystemError) -> Worker {
        try Worker(
            index: index,
            snapshot: snapshot,
            listeners: listeners,
            mailbox: mailbox,
            metrics: metrics,
            revocations: revocations,
            sessionDesk: sessionDesk,
            lane: log?.makeLane(metrics.worker(index)),
            pulse: pulse
        )
    }
}
