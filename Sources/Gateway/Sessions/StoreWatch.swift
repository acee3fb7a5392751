// COLD. How the store of sessions and the audit log are: looked at once a second, logged when it changes, and shown to
// whoever asks whether the gateway is ready.
import Bytes
import Portal
import Reactor
import Sessions
import Settings
import Telemetry

/// What is known of the store's health, beside when it was away.
struct StoreWatch {
    /// Since when it is away, as seen here; nil: it is not.
    var away: Int64?
    var isAwayLogged = false
    /// Why it does not take what is written; empty: it does.
    var refusal = ""
    /// What is wrong although it works.
    var hazard = ""
}

extension SessionDesk {
    /// Seconds for which the store must be away before it is said: a new connection takes a moment.
    private static let quiet: Int64 = 1
    /// A small value that is written to find out whether writes are taken.
    private static let trial = "trial"

    /// Says what has become of the store.
    func watchStore(_ now: Int64) {
        audit?.log.retry()
        let isAway = state.withLock { $0.awaySince != nil } || !store.isAvailable
        let hazard = store.hazard
        enum News {
            case away
            case back
        }
        let news = state.withLock { state -> (News?, hazard: Bool) in
            let isNew = state.watch.hazard != hazard
            state.watch.hazard = hazard
            guard isAway else {
                defer { (state.watch.away, state.watch.isAwayLogged) = (nil, false) }
                return (state.watch.isAwayLogged ? .back : nil, isNew)
            }
            let since = state.watch.away ?? now
            state.watch.away = since
            guard now >= since + Self.quiet, !state.watch.isAwayLogged else { return (nil, isNew) }
            state.watch.isAwayLogged = true
            return (.away, isNew)
        }
        switch news.0 {
        case .away: Log.warning("session store: away", ("store", store.name), ("reason", awayReason))
        case .back: Log.info("session store: back", ("store", store.name))
        case nil: break
        }
        if news.hazard, !hazard.isEmpty { Log.error("session store: in danger", ("reason", hazard)) }
    }

    private var awayReason: String {
        let reason = store.problem
        return reason.isEmpty ? "no answer in time" : reason
    }

    /// Finds out whether a shared store takes what is written: logins need that, requests do not.
    func tryWriting(_ now: Int64) async {
        guard store is RedisStore, store.isAvailable else { return }
        var refusal = ""
        do throws(StoreError) {
            try await store.put(Self.trial, [], until: now + 60)
        } catch {
            // What is away is another matter.
            guard store.isAvailable, error != .timedOut else { return }
            counts.storeFailed()
            refusal = store.problem.isEmpty ? error.code : store.problem
        }
        let reason = refusal
        let before = state.withLock { state in
            defer { state.watch.refusal = reason }
            return state.watch.refusal
        }
        if before.isEmpty, !refusal.isEmpty {
            Log.warning("session store: refuses writes", ("store", store.name), ("reason", refusal))
        } else if !before.isEmpty, refusal.isEmpty {
            Log.info("session store: takes writes again", ("store", store.name))
        }
    }

    /// Why the file of accounts could not be changed when a login needed it; empty: it could.
    var accountsFault: String { state.withLock { $0.users }?.fault ?? "" }

    /// The conditions of readiness.
    var conditions: [Condition] {
        let (since, watch, denies) = state.withLock { ($0.awaySince, $0.watch, $0.portal?.deniesUnaudited ?? false) }
        let problem: String
        if since != nil || !store.isAvailable {
            problem = "the store does not answer: \(awayReason)"
        } else if !watch.refusal.isEmpty {
            problem = "the store refuses writes: \(watch.refusal)"
        } else {
            problem = watch.hazard
        }
        let detail = problem.isEmpty ? "\(counts.liveCount) live" : problem
        var all = [Condition("sessions (\(store.name))", holds: problem.isEmpty, detail)]
        guard let log = audit?.log else { return all }
        let fault = log.fault
        if denies {
            all.append(Condition("audit log", holds: fault.isEmpty, fault.isEmpty ? "written" : fault))
        } else if !fault.isEmpty {
            all.append(Condition("audit log", .noted, "logins go on without it: \(fault)"))
        }
        return all
    }
}
