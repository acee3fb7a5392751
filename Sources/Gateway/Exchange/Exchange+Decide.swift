// HOT. From a parsed head to a verdict that is carried out: the request's way through the gate.
import Bytes
import CLinux
import Glibc
import HTTP
import Identity
import Policy
import Settings
import Reactor
import TLS
import Telemetry

extension Exchange {
    /// Decides about the head in `worker.requestHead` and does what the verdict says.
    ///
    /// `plan` goes along as a parameter, here and below, because a parameter is not retained at each use.
    func decide(
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection,
        _ plan: WorkerPlan
    ) {
        let bytes = UnsafePointer(input)
        connection.judgePeer(plan.snapshot)
        takeRequestID(head, bytes, plan.snapshot.fields, trusted: connection.isTrusted)
        note.acceptsHTML = AcceptedForm.prefersHTML(head, bytes)
        if note.acceptsHTML, let pages = plan.snapshot.errorPages {
            note.language = AcceptedLanguage.choose(among: pages, head, bytes)
        }
        note.isGRPC = connection.isStream && !connection.wantsTunnel && GRPC.isCall(head, bytes)
        clientAddress = connection.isTrusted ? forwardedClient(head, bytes, connection) : connection.peer
        // An absolute target without path and query means the same (RFC 9112 §3.2.4).
        if head.form == .asterisk || head.method == .options && head.pathAndQuery.isEmpty {
            return answerAsterisk(head, bytes, connection)
        }
        let span = Span(_unsafeElements: UnsafeBufferPointer(start: bytes, count: head.length))
        let error = worker.target.canonicalize(span, target: head.pathAndQuery, options: plan.pathOptions)
        guard error == nil else {
            noteRequest(head, bytes, path: UnsafeBufferPointer(start: nil, count: 0))
            isLast = true
            if let error {
                worker.refused(error)
                refuseAfterHead(Problem(error), head, connection)
            }
            return
        }
        noteRequest(head, bytes, path: worker.target.path)
        if connection.listener.redirectPort > 0, !connection.isSecure { return sendToHTTPS(head, input, connection) }
        if connection.hasServerName, let tls = connection.tls, !tls.covers(bytes + head.host.start, head.host.count) {
            return refuseAfterHead(Problem(GatewayError.misdirected), head, connection)
        }
        if let problem = refusalBeforeRouting(head, bytes) { return refuseAfterHead(problem, head, connection) }
        if plan.hasSessions, let sessions = plan.snapshot.sessions, sessions.isOwn(worker.target.path) {
            return beginPortal(sessions, head, input, connection)
        }
        if head.method == .get || head.method == .head, let endpoint = plan.snapshot.endpoint(worker.target.path) {
            if connection.wantsTunnel { return refuseAfterHead(.tunnel, head, connection) }
            consumeHead(head, connection)
            return answer(endpoint)
        }
        if head.method == .options, let problem = spendHop(head, bytes) {
            if problem.status != 200 { return refuseAfterHead(problem, head, connection) }
            return answerAsterisk(head, bytes, connection)
        }
        passGate(head, input, connection, plan)
    }

    /// `Max-Forwards` of OPTIONS (RFC 9110 §7.6.2): a problem with status 200 means that we are the last hop.
    private func spendHop(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Problem? {
        hopsLeft = -1
        let index = head.first(.maxForwards)
        guard index >= 0 else { return nil }
        var hops = 0
        let value = head[index].value
        guard head.count(.maxForwards) == 1, !value.isEmpty else { return Problem.hops }
        for i in value.start..<value.end {
            guard input[i] &- 0x30 < 10 else { return Problem.hops }
            // What is more becomes the most that is supported.
            hops = min(hops * 10 + Int(input[i] &- 0x30), 1_000_000_000)
        }
        if hops == 0 { return Problem(status: 200, code: "", detail: "") }
        head.fields.drop(index)
        hopsLeft = hops - 1
        return nil
    }

    /// Refuses a request whose head is still in the input.
    func refuseAfterHead(_ problem: Problem, _ head: RequestHead, _ connection: DownstreamConnection) {
        consumeHead(head, connection)
        if note.reason.utf8CodeUnitCount == 0 { note.reason = problem.code }
        respond(problem)
    }

    /// The same address over https, for a listener that serves nothing itself.
    private func sendToHTTPS(
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        if head.method == .trace { return refuseAfterHead(Problem(GatewayError.methodRefused), head, connection) }
        // A request of HTTP/1.0 may have no host, but then there is no address to send it to.
        guard !head.host.isEmpty else { return refuseAfterHead(Problem(ProtocolError.hostMissing), head, connection) }
        let out = worker.compose
        out.removeAll()
        status = 308
        HeadWriter.appendStatusLine(308, to: out)
        out.append("Location: https://")
        out.append(input, head.host)
        if connection.listener.redirectPort != 443 {
            out.append(byte: 0x3a)
            out.append(decimal: UInt64(connection.listener.redirectPort))
        }
        out.append(worker.target.path)
        if worker.target.hasQuery {
            out.append(byte: 0x3f)
            out.append(input, worker.target.query)
        }
        out.append("\r\n")
        consumeHead(head, connection)
        worker.bodyScratch.removeAll()
        finishOwnAnswer(worker.bodyScratch, out)
    }

    func consumeHead(_ head: RequestHead, _ connection: DownstreamConnection) {
        // Of a stream only content stands there.
        if connection.isStream { return }
        guard let input = connection.input else { return }
        input.consume(head.length)
        if input.isEmpty { connection.giveInput() }
    }

    // MARK: Before the gate

    private func takeRequestID(
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ fields: FieldPlan,
        trusted: Bool
    ) {
        let name = fields.requestIDName
        let index = !trusted ? -1 : name.isEmpty ? head.first(.xRequestID) : self.index(of: name, head, input)
        guard index >= 0 else { return makeRequestID(nil) }
        let value = head[index].value
        makeRequestID(UnsafeBufferPointer(start: input + value.start, count: value.count))
    }

    /// Index of the first field with a name that the parser does not know, or -1.
    private func index(of name: [UInt8], _ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Int {
        for i in 0..<head.fieldCount {
            let field = head[i].name
            if Self.equalIgnoringCase(UnsafeBufferPointer(start: input + field.start, count: field.count), name) {
                return i
            }
        }
        return -1
    }

    private func refusalBeforeRouting(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Problem? {
        // TRACE would show the client the identity that was injected (RFC 9110 §9.3.8).
        if head.method == .trace { return Problem(GatewayError.methodRefused) }
        // What is asked of https must have come over it (RFC 9110 §7.4); who ended it for us may say so.
        if head.isHTTPS, connection?.isSecure != true, connection?.isTrusted != true {
            return Problem(status: 421, code: "not_over_tls", detail: "An https address was asked for without TLS.")
        }
        if head.hasUnusualNames, plan.snapshot.fields.unusualNames == .reject {
            return Problem(
                status: 400,
                code: "unusual_field_name",
                detail: "A field name holds other characters than letters, digits and hyphens."
            )
        }
        return nil
    }

    /// `OPTIONS *` is about this server, not about a resource behind it.
    private func answerAsterisk(_ head: RequestHead, _ input: UnsafePointer<UInt8>, _ connection: DownstreamConnection)
    {
        let asterisk: StaticString = "*"
        noteRequest(head, input, path: UnsafeBufferPointer(start: asterisk.utf8Start, count: 1))
        consumeHead(head, connection)
        status = 204
        let out = worker.compose
        out.removeAll()
        HeadWriter.appendStatusLine(204, to: out)
        out.append("Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n")
        worker.bodyScratch.removeAll()
        finishOwnAnswer(worker.bodyScratch, out)
    }
}
