// COLD. What operators ask of the whole gateway: metrics and revocations.
import Bytes
import Telemetry
import TLS

extension Gateway {
    /// Answers `/revocations`.
    func answerRevocations(_ request: OpsRequest, _ reply: @escaping (OpsAnswer) -> Void) {
        desk.answer(request, snapshot.identity, reply)
    }

    /// Writes all metrics.
    func writeMetrics(to out: OutputBuffer) {
        // Two names of an upstream can have one address: a sample is written once.
        var seen: Set<[String]> = []
        let health = backends.filter { seen.insert([$0.upstream, $0.backend]).inserted }.map {
            ExtraMetric(
                "backend_up",
                "Whether active checks have the backend in.",
                kind: .gauge,
                labels: [("upstream", $0.upstream), ("backend", $0.backend)],
                value: $0.isUp ? 1 : 0
            )
        }
        let info = ExtraMetric(
            "build_info",
            "The running version.",
            kind: .gauge,
            labels: [("version", Self.version)],
            value: 1
        )
        let generation = ExtraMetric(
            "configuration_generation",
            "Generation of the configuration in force.",
            kind: .gauge,
            labels: [],
            value: Double(snapshot.generation)
        )
        let lost = ExtraMetric(
            "log_lost_lines_total",
            "Lines of the process log that nobody took in time.",
            kind: .counter,
            value: Double(Log.lost)
        )
        // Nor is that of a certificate that is listed twice.
        let known = certificates.filter { listener, facts in
            seen.insert([listener, facts.names.first ?? facts.subject, facts.keyType.text, facts.serial]).inserted
        }
        let expiry = known.map { listener, facts in
            ExtraMetric(
                "certificate_expiry_seconds",
                "When a certificate expires, in seconds since 1970.",
                kind: .gauge,
                labels: [
                    ("listener", listener), ("name", facts.names.first ?? facts.subject),
                    ("key", facts.keyType.text), ("serial", facts.serial),
                ],
                value: Double(facts.notAfter)
            )
        }
        PrometheusText.render(
            metrics,
            extra: expiry + health + [info, generation, lost] + desk.samples + (sessionDesk?.samples ?? []),
            into: out
        )
    }
}
