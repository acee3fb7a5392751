// COLD. What the gateway knows of its own health.
import Reactor
import TLS
import Telemetry

/// One line of `/readyz?verbose`.
struct Condition {
    /// What a condition means for readiness.
    enum Standing: String {
        /// All is well.
        case holds = "+"
        /// Worth a look, but requests are served.
        case noted = "!"
        /// Requests should go elsewhere.
        case fails = "-"
    }

    var name: String
    var standing: Standing
    var detail: String

    init(_ name: String, _ standing: Standing, _ detail: String) {
        self.name = name
        self.standing = standing
        self.detail = detail
    }

    init(_ name: String, holds: Bool, _ detail: String) { self.init(name, holds ? .holds : .fails, detail) }
}

extension Gateway {
    /// The conditions of readiness.
    var conditions: [Condition] {
        let now = Clock.milliseconds()
        let turning = workers.allSatisfy { $0.pulse.last > 0 && now - $0.pulse.last < 5000 }
        let isDraining = drainDeadline != nil
        var all = [
            Condition("configuration", .holds, "generation \(snapshot.generation)"),
            Condition("workers", holds: turning, turning ? "\(workers.count) turning" : "a loop does not turn"),
            Condition("draining", holds: !isDraining, isDraining ? "the gateway is shutting down" : "no"),
        ]
        if let fault = log?.fault, !fault.isEmpty {
            all.append(Condition("access log", .noted, "lines cannot be written: \(fault)"))
        }
        if Log.lost > 0 {
            all.append(Condition("log", .noted, "\(Log.lost) lines of it were lost, because nobody took them"))
        }
        all += reloads.details.map { Condition("reload", .noted, $0) }
        let seconds = Clock.unixMilliseconds() / 1000
        for (listener, facts) in certificates {
            let days = facts.secondsLeft(at: seconds) / 86_400
            let name = "certificate \(listener) \(facts.names.first ?? facts.subject)"
            // Not a reason to take the whole gateway out: other certificates and listeners serve.
            all.append(
                facts.isExpired(at: seconds)
                    ? Condition(name, .noted, "expired") : Condition(name, .holds, "expires in \(days) days")
            )
        }
        for issuer in snapshot.identity.issuerStates {
            all.append(Condition("issuer " + issuer.name, holds: issuer.hasKeys, issuer.detail))
        }
        all += sessionDesk?.conditions ?? []
        if let fault = sessionDesk?.accountsFault, !fault.isEmpty {
            all.append(Condition("accounts", .noted, "recovery codes are not taken: \(fault)"))
        }
        return all
    }

    /// Upstreams and their backends as the health board has them.
    var backends: [(upstream: String, backend: String, isUp: Bool)] {
        (health?.states ?? []).map { ($0.upstream, $0.address.text, $0.isUp) }
    }

    /// The certificates of the TLS listeners.
    var certificates: [(listener: String, facts: CertificateFacts)] {
        snapshot.listeners.flatMap { listener in (listener.tls?.certificates ?? []).map { (listener.name, $0) } }
    }

    /// Whether every worker has begun to turn.
    var isStarted: Bool { workers.allSatisfy { $0.pulse.last > 0 } }
}
