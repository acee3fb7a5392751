// COLD. What other threads tell a worker, taken in between two events.
import Reactor
import Telemetry
import Upstreams

extension Worker {
    /// What other threads have said since the last turn.
    func readMail() {
        for message in mailbox.drain() {
            switch message {
            case .adopt(let snapshot): adopt(snapshot)
            case .log(let log, let switched):
                lane?.flush()
                lane = log?.makeLane(metrics)
                switched()
            case .resolved(let generation, let upstream, let addresses):
                if plan.snapshot.generation == generation {
                    for backend in plan.resolved(upstream: upstream, addresses) { closeIdle(of: backend) }
                }
            case .revoked(let list, let obeyed):
                revoke(list)
                obeyed()
            case .session(let digest, let outcome): found(digest, outcome)
            case .portal(let ticket, let answer, let session): exchange(of: ticket)?.portalAnswered(answer, session)
            case .sessions(let news): heard(news)
            case .drain(let deadline): drain(until: deadline)
            }
        }
    }
}
