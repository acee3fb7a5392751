// COLD. What is counted about sessions, for the process and not per worker: it happens off the loops.
import Sessions
import Synchronization
import Telemetry

/// Counters of sessions and their store.
final class SessionCounts: Sendable {
    private let live = Atomic<Int>(0)
    private let created = Atomic<Int>(0)
    private let lookUps = Atomic<Int>(0)
    private let lookUpMicros = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)
    private let refusals = Atomic<Int>(0)
    private let reasons: [Atomics] = EndReason.allCases.map { _ in Atomics() }
    private let logins: [Atomics] = loginResults.map { _ in Atomics() }
    /// What a login can come to, as the portal notes it; anything else counts as `other`.
    private static let loginResults = [
        "login", "step_up", "second_factor_required", "wrong_credentials", "wrong_code", "throttled", "busy",
        "unavailable", "other",
    ]

    private final class Atomics: Sendable {
        let value = Atomic<Int>(0)
    }

    /// Sessions in the store when it was counted last.
    var liveCount: Int { live.load(ordering: .relaxed) }

    func live(_ count: Int) { live.store(count, ordering: .relaxed) }
    func sessionCreated() { created.add(1, ordering: .relaxed) }
    func turnedAway() { refusals.add(1, ordering: .relaxed) }
    func storeFailed() { failures.add(1, ordering: .relaxed) }

    func lookedUp(microseconds: Int64) {
        lookUps.add(1, ordering: .relaxed)
        lookUpMicros.add(Int(microseconds), ordering: .relaxed)
    }

    func ended(_ reason: EndReason) {
        guard let index = EndReason.allCases.firstIndex(of: reason) else { return }
        reasons[index].value.add(1, ordering: .relaxed)
    }

    /// A login was answered, with this note for the access log.
    func loginAnswered(_ note: String) {
        let index = Self.loginResults.firstIndex(of: note) ?? Self.loginResults.count - 1
        logins[index].value.add(1, ordering: .relaxed)
    }

    /// All of them for the exposition.
    var samples: [ExtraMetric] {
        func value(_ atomic: borrowing Atomic<Int>) -> Double { Double(atomic.load(ordering: .relaxed)) }
        let ends = zip(EndReason.allCases, reasons).map { reason, atomic in
            ExtraMetric(
                "sessions_ended_total",
                "Sessions that ended, by reason.",
                kind: .counter,
                labels: [("reason", reason.rawValue)],
                value: value(atomic.value)
            )
        }
        let answers = zip(Self.loginResults, logins).map { result, atomic in
            ExtraMetric(
                "logins_total",
                "Attempts to log in, by what came of them.",
                kind: .counter,
                labels: [("result", result)],
                value: value(atomic.value)
            )
        }
        return [
            ExtraMetric("sessions_live", "Sessions in the store.", value: value(live)),
            ExtraMetric("sessions_created_total", "Sessions that began.", kind: .counter, value: value(created)),
            ExtraMetric(
                "session_lookup_seconds_total",
                "Time spent looking sessions up in the store.",
                kind: .counter,
                value: value(lookUpMicros) / 1_000_000
            ),
            ExtraMetric(
                "session_lookups_total",
                "Sessions looked up in the store.",
                kind: .counter,
                value: value(lookUps)
            ),
            ExtraMetric(
                "portal_requests_turned_away_total",
                "Requests for pages of the gateway's own that were refused because too many were in the making.",
                kind: .counter,
                value: value(refusals)
            ),
            ExtraMetric(
                "session_store_failures_total",
                "Times that the store could not do what it was asked.",
                kind: .counter,
                value: value(failures)
            ),
        ] + ends + answers
    }
}
