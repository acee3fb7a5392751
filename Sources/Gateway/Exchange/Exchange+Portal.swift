// COLD. Requests for the gateway's own pages: read whole, answered off the loop, sent when the answer comes.
import Bytes
import HTTP
import Identity
import Portal
import Reactor
import Sessions
import Telemetry

extension Exchange {
    /// Most bytes of content that a page of ours takes.
    static let portalBodyLimit: UInt64 = 16 * 1024
    /// Milliseconds for which a page of ours may be in the making: password hashing waits in a queue.
    static let portalPatience: Int64 = 30_000

    /// Takes a request for a page of ours: its head now, its content as it comes.
    func beginPortal(
        _ sessions: SessionPlan,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        noteOrigin(sessions, head, input)
        guard worker.sessionDesk != nil, !connection.wantsTunnel else {
            return refuseAfterHead(Problem(GatewayError.noRoute), head, connection)
        }
        bodyLimit = Self.portalBodyLimit
        if case .length(let length) = requestFraming, length > bodyLimit {
            worker.metrics.hit(.body)
            return refuseAfterHead(Problem(GatewayError.bodyTooLarge), head, connection)
        }
        portal = portalRequest(sessions, head, input, connection)
        let expectsContinue = head.expectsContinue
        consumeHead(head, connection)
        out = out ?? worker.small.take()
        out?.removeAll()
        sent = 0
        sendsRaw = true
        phase = .collecting
        guard takeAhead(connection) else { return }
        if requestComplete { return askPortal() }
        if expectsContinue { sendContinue(connection) }
        watch(.clientBody, plan.timeouts.bodyProgress)
        connection.later()
    }

    private func sendContinue(_ connection: DownstreamConnection) {
        let interim: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
        if connection.isStream {
            connection.sendHead(interim.utf8Start, interim.utf8CodeUnitCount, ends: false)
        } else {
            connection.send(interim.utf8Start, interim.utf8CodeUnitCount)
        }
    }

    private func portalRequest(
        _ sessions: SessionPlan,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> PortalRequest {
        func text(_ slice: Slice) -> String {
            String(decoding: UnsafeBufferPointer(start: input + slice.start, count: slice.count), as: UTF8.self)
        }
        var fields: [(name: String, value: String)] = []
        for i in 0..<head.fieldCount { fields.append((text(head[i].name).lowercased(), text(head[i].value))) }
        let id = worker.bodyScratch
        id.removeAll()
        appendRequestID(to: id)
        let requestID = String(decoding: id.bytes, as: UTF8.self)
        id.removeAll()
        clientAddress.write(to: id)
        let address = clientAddress.isUnix ? "unix" : String(decoding: id.bytes, as: UTF8.self)
        return PortalRequest(
            method: text(head.methodName),
            path: String(decoding: worker.target.path, as: UTF8.self),
            query: worker.target.hasQuery ? text(worker.target.query) : "",
            host: text(head.authority),
            // Cookies that only go over TLS came that way, whoever ended it for us.
            scheme: sessions.isSecure || connection.isSecure || connection.isTrusted && isForwardedHTTPS(head, input)
                ? "https" : "http",
            fields: fields,
            body: [],
            clientAddress: address,
            isLoopback: connection.peer.isLoopback,
            requestID: requestID,
            now: worker.unixSeconds,
            session: nil,
            hadCookie: false
        )
    }

    private func isForwardedHTTPS(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        let index = head.first(.xForwardedProto)
        guard index >= 0 else { return false }
        let https: StaticString = "https"
        let value = head[index].value
        return Scan.equalFolded(input + value.start, value.count, https)
    }

    /// The content is whole: the page is made, off the loop.
    func askPortal() {
        guard var request = portal, let desk = worker.sessionDesk, let sessions = plan.snapshot.sessions else {
            return respond(Problem(Reason.sessionsUnavailable, status: 503))
        }
        portal = nil
        if let out {
            request.body = Array(out.bytes)
            worker.small.give(out)
            self.out = nil
        }
        sent = 0
        phase = .asking
        watch(.portal, Self.portalPatience)
        let ticket = ExchangeTicket(index: index, serial: serial)
        desk.answer(request, sessions, ticket, worker.mailbox)
    }

    /// The page is there; nil: it cannot be made without the store.
    ///
    /// With a live session it is the beginning of a stream of events about that.
    func portalAnswered(_ answer: PortalAnswer?, _ session: SessionOutcome?) {
        guard phase == .asking, connection != nil else { return }
        watch(.none, 0)
        guard let answer else {
            note.reason = Reason.sessionsUnavailable.code
            var problem = Problem(Reason.sessionsUnavailable, status: 503)
            problem.retryAfter = 5
            return respond(problem)
        }
        if answer.events, method != .head, case .live(let live, let claims) = session,
            let principal = plan.snapshot.sessions?.authenticator.principal(claims: claims, live)
        {
            return beginEvents(principal)
        }
        let out = worker.compose
        out.removeAll()
        status = answer.status
        HeadWriter.appendStatusLine(answer.status, to: out)
        for (name, value) in answer.fields {
            // Nothing that a flow puts together may end a line.
            guard !value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7f }) else { continue }
            out.append(string: name)
            out.append(": ")
            out.append(string: value)
            out.append("\r\n")
        }
        if answer.status == 401 {
            // RFC 9110 §15.5.2. No browser knows the scheme, so that none asks for a password in a window of its own.
            out.append("WWW-Authenticate: Cookie realm=\"")
            out.append(plan.snapshot.realm)
            out.append("\"\r\n")
        }
        appendSessionLines(to: out)
        let body = worker.bodyScratch
        body.removeAll()
        body.append(answer.body)
        finishOwnAnswer(body, out)
    }
}
