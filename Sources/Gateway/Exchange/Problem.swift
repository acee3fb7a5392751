// HOT. Answers that the gateway makes itself: the only place that turns reasons into responses.
import Bytes
import HTTP
import Identity
import Reactor

/// An answer that says what is wrong: problem JSON (RFC 9457) for programs, a plain page for browsers.
struct Problem {
    var status: Int
    var code: StaticString
    var detail: StaticString
    /// The OAuth error of the challenge (RFC 6750 §3.1), empty for a challenge without one.
    var oauthError: StaticString = ""
    /// Whether a `WWW-Authenticate` field goes with it.
    var isChallenge = false
    /// The scopes that would have sufficed, space-separated.
    var scopes: [UInt8] = []
    /// Where a program is told to log in, empty for nowhere.
    var loginURL: [UInt8] = []
    /// A browser sent a form, which is lost.
    var isUnsaved = false
    /// Seconds for `Retry-After`, 0 for none.
    var retryAfter = 0

    init(status: Int, code: StaticString, detail: StaticString) {
        self.status = status
        self.code = code
        self.detail = detail
    }

    /// `Max-Forwards` that is no number.
    static let hops = Problem(
        status: 400,
        code: "max_forwards_malformed",
        detail: "Max-Forwards must be one decimal number."
    )

    /// A tunnel where there is none.
    static let tunnel = Problem(
        status: 501,
        code: "tunnel_refused",
        detail: "This protocol is not spoken here."
    )

    init(_ error: ProtocolError) {
        self.init(status: error.status, code: error.code, detail: error.detail)
    }

    init(_ reason: Reason, status: Int) {
        self.init(status: status, code: reason.publicCode, detail: reason.detail)
    }

    init(_ error: GatewayError) {
        self.init(status: error.status, code: error.code, detail: error.detail)
        if status == 503 { retryAfter = 1 }
    }
}

extension Exchange {
    /// Sends a problem and ends the exchange.
    func respond(_ problem: Problem) {
        guard connection != nil else { return }
        status = problem.status
        if note.isGRPC { return respondGRPC(problem) }
        let body = worker.bodyScratch
        body.removeAll()
        let out = worker.compose
        out.removeAll()
        HeadWriter.appendStatusLine(problem.status, to: out)
        if note.acceptsHTML {
            writePage(problem, fields: out, to: body)
        } else {
            out.append("Content-Type: application/problem+json\r\n")
            writeJSON(problem, to: body)
        }
        if problem.isChallenge { writeChallenge(problem, to: out) }
        if problem.retryAfter > 0 {
            out.append("Retry-After: ")
            out.append(decimal: UInt64(problem.retryAfter))
            out.append("\r\n")
        }
        if problem.status == 426 {
            out.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
        }
        if problem.status == 405 { out.append("Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n") }
        out.append("Cache-Control: no-store\r\n")
        appendSessionLines(to: out)
        finishOwnAnswer(body, out)
    }

    /// A refusal as gRPC tells it: a status in a head that is the whole answer (trailers-only).
    private func respondGRPC(_ problem: Problem) {
        guard let connection else { return }
        status = 200
        let out = worker.compose
        out.removeAll()
        HeadWriter.appendStatusLine(200, to: out)
        out.append("Content-Type: application/grpc\r\ngrpc-status: ")
        out.append(decimal: UInt64(GRPCStatus(http: problem.status).rawValue))
        out.append("\r\ngrpc-message: ")
        out.append(problem.detail)
        out.append("\r\n")
        if problem.isChallenge { writeChallenge(problem, to: out) }
        out.append(plan.snapshot.fields.requestIDLine)
        appendRequestID(to: out)
        out.append("\r\nDate: ")
        worker.dates.append(to: out, unixSeconds: worker.unixSeconds)
        out.append("\r\n\r\n")
        connection.sendHead(out.readable, out.count, ends: true)
        out.removeAll()
        finish(keepAlive: requestComplete)
    }

    /// Completes a head of our own in `out` (status line and specific fields are there), sends it with `body`, ends.
    func finishOwnAnswer(_ body: OutputBuffer, _ out: OutputBuffer) {
        guard let connection else { return }
        if !connection.listener.hstsLine.isEmpty { out.append(connection.listener.hstsLine) }
        out.append(plan.snapshot.fields.requestIDLine)
        appendRequestID(to: out)
        out.append("\r\nDate: ")
        worker.dates.append(to: out, unixSeconds: worker.unixSeconds)
        if status == 204 || status == 304 {
            out.append("\r\n")
        } else {
            out.append("\r\nContent-Length: ")
            out.append(decimal: UInt64(body.count))
            out.append("\r\n")
        }
        let stays = keepAlive && !isLast && requestComplete && !worker.isDraining
        if !stays {
            out.append("Connection: close\r\n")
        } else if isHTTP10 {
            out.append("Connection: keep-alive\r\n")
        }
        out.append("\r\n")
        let hasBody = method != .head && status != 204 && status != 304 && !body.isEmpty
        if hasBody { responseBytes = UInt64(body.count) }
        if connection.isStream {
            connection.sendHead(out.readable, out.count, ends: !hasBody)
            if hasBody {
                connection.send(body.readable, body.count)
                connection.sendEnd(trailers: UnsafeBufferPointer(start: nil, count: 0))
            }
        } else {
            if hasBody { out.append(body.readable, body.count) }
            connection.send(out.readable, out.count)
        }
        out.removeAll()
        finish(keepAlive: stays)
    }

    private func writeChallenge(_ problem: Problem, to out: OutputBuffer) {
        out.append("WWW-Authenticate: Bearer realm=\"")
        out.append(plan.snapshot.realm)
        out.append("\"")
        if problem.oauthError.utf8CodeUnitCount > 0 {
            out.append(", error=\"")
            out.append(problem.oauthError)
            out.append("\", error_description=\"")
            out.append(problem.detail)
            out.append("\"")
            if !problem.scopes.isEmpty {
                out.append(", scope=\"")
                out.append(problem.scopes)
                out.append("\"")
            }
        }
        out.append("\r\n")
    }

    private func writeJSON(_ problem: Problem, to out: OutputBuffer) {
        out.append("{\"type\":\"about:blank\",\"title\":\"")
        out.append(Status.reason(problem.status))
        out.append("\",\"status\":")
        out.append(decimal: UInt64(problem.status))
        out.append(",\"code\":\"")
        out.append(problem.code)
        out.append("\",\"detail\":\"")
        out.append(problem.detail)
        if !problem.scopes.isEmpty {
            out.append("\",\"scope\":\"")
            out.append(problem.scopes)
        }
        if !problem.loginURL.isEmpty {
            out.append("\",\"login_url\":\"")
            out.append(problem.loginURL)
        }
        out.append("\",\"request_id\":\"")
        appendRequestID(to: out)
        out.append("\"}\n")
    }
}
