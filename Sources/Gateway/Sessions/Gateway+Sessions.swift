// COLD. Sessions in the life of the process: the portal of each generation, readiness, the end.
import Bytes
import Accounts
import Dispatch
import Portal
import Reactor
import Sessions
import Settings
import Telemetry

extension Gateway {
    /// Takes the accounts and pages of a generation into use; sessions of accounts that are gone or changed end.
    func adoptPortal(_ next: Snapshot) {
        sessionDesk?.adopt(next.portal, next.settings.sessions)
    }

    /// Waits until what is not written yet is, for a moment at most.
    func closeSessions() {
        guard let sessionDesk else { return }
        let done = DispatchSemaphore(value: 0)
        Task {
            await sessionDesk.close()
            done.signal()
        }
        if done.wait(timeout: .now() + .seconds(5)) == .timedOut {
            Log.warning("the session store did not close in time")
        }
    }
}

extension SessionDesk {
    /// Metrics of sessions, logins and the audit log.
    var samples: [ExtraMetric] {
        counts.samples + (audit?.samples ?? []) + [
            ExtraMetric("hashing_queue", "Passwords that wait to be hashed.", value: Double(hashing.depth)),
            ExtraMetric(
                "sessions_known",
                "Sessions that this process knows without asking.",
                value: Double(registry.count)
            ),
        ]
    }
}
