// COLD. The paths of the ops listener.
import Bytes
import HTTP
import Telemetry

/// Answers `/livez`, `/readyz`, `/startupz`, `/metrics`, `/revocations`, `/sessions` and `/throttle`.
struct OpsEndpoints {
    unowned let gateway: Gateway

    private static let paths = "/livez /readyz /startupz /metrics /revocations /sessions /throttle\n"

    func answer(_ request: OpsRequest, _ reply: @escaping (OpsAnswer) -> Void) {
        if holdsData(request.path), let refusal = request.refusal { return reply(.problem(403, refusal)) }
        if request.path == "/revocations" { return gateway.answerRevocations(request, reply) }
        if request.path == "/sessions" || request.path.hasPrefix("/sessions/") {
            guard let records = gateway.sessionRecords else { return reply(.problem(404, "there are no accounts")) }
            return records.answer(request, reply)
        }
        if request.path == "/throttle" {
            guard let records = gateway.sessionRecords else { return reply(.problem(404, "there are no accounts")) }
            return reply(records.throttle(request))
        }
        guard request.method == .get || request.method == .head else {
            return reply(.methodRefused("GET, HEAD"))
        }
        reply(answer(request.path, request.query))
    }

    /// Whether a path tells or changes what is not for web pages; probes and metrics are for whoever gets here.
    private func holdsData(_ path: String) -> Bool {
        path == "/revocations" || path == "/sessions" || path.hasPrefix("/sessions/") || path == "/throttle"
    }

    private func answer(_ path: String, _ query: String) -> OpsAnswer {
        switch path {
        case "/livez": OpsAnswer(200, "text/plain; charset=utf-8", "ok\n")
        case "/startupz":
            gateway.isStarted
                ? OpsAnswer(200, "text/plain; charset=utf-8", "ok\n")
                : OpsAnswer(503, "text/plain; charset=utf-8", "starting\n")
        case "/readyz":
            ready(verbose: query.split(separator: "&").contains { $0 == "verbose" || $0.hasPrefix("verbose=") })
        case "/metrics": metrics()
        default: OpsAnswer(404, "text/plain; charset=utf-8", Self.paths)
        }
    }

    private func ready(verbose: Bool) -> OpsAnswer {
        let conditions = gateway.conditions
        let holds = conditions.allSatisfy { $0.standing != .fails }
        guard verbose || !holds else { return OpsAnswer(200, "text/plain; charset=utf-8", "ok\n") }
        var text = ""
        for condition in conditions {
            text += "[\(condition.standing.rawValue)] \(condition.name): \(condition.detail)\n"
        }
        for backend in gateway.backends {
            text +=
                "[\(backend.isUp ? "+" : "!")] backend \(backend.upstream) \(backend.backend): \(backend.isUp ? "in" : "out")\n"
        }
        text += holds ? "ready\n" : "not ready\n"
        return OpsAnswer(holds ? 200 : 503, "text/plain; charset=utf-8", text)
    }

    private func metrics() -> OpsAnswer {
        var answer = OpsAnswer(200, "text/plain; version=0.0.4; charset=utf-8")
        answer.body = OutputBuffer(capacity: 64 * 1024)
        gateway.writeMetrics(to: answer.body)
        return answer
    }
}
