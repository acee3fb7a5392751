// COLD. The stream of events about one's own session: how long it lasts, that it ends soon, that it has ended.
import Bytes
import HTTP
import Identity
import Reactor
import Telemetry

extension Exchange {
    /// Milliseconds between two signs of life.
    static let eventInterval: Int64 = 15_000
    /// Seconds before the end at which it is told of.
    private static let warning: Int64 = 60

    /// Answers with a stream of events (`text/event-stream`) that ends with the session.
    func beginEvents(_ principal: Principal) {
        guard let connection, let session = principal.session else { return }
        phase = .answering
        status = 200
        note.principal = principal
        note.auth = .accepted
        isEventStream = true
        isOwnStream = true
        responseFraming = .untilClose
        clientFraming = isHTTP10 || connection.isStream ? .untilClose : .chunked
        closesAfter = !keepAlive || isLast || !requestComplete || worker.isDraining || clientFraming == .untilClose
        let out = worker.compose
        out.removeAll()
        HeadWriter.appendStatusLine(200, to: out)
        out.append("Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n")
        out.append("X-Content-Type-Options: nosniff\r\n")
        appendSessionLines(to: out)
        if !connection.listener.hstsLine.isEmpty { out.append(connection.listener.hstsLine) }
        out.append(plan.snapshot.fields.requestIDLine)
        appendRequestID(to: out)
        out.append("\r\nDate: ")
        worker.dates.append(to: out, unixSeconds: worker.unixSeconds)
        out.append("\r\n")
        if clientFraming == .chunked { out.append("Transfer-Encoding: chunked\r\n") }
        if closesAfter, !connection.isStream { out.append("Connection: close\r\n") }
        out.append("\r\n")
        if connection.isStream { sendComposedHead(ends: false) } else { sendComposed() }
        unlimitOverall()
        limitToCredential()
        sendEvent("session", session)
        if isNearEnd(session) { sendEvent("expiring", session) }
        if worker.isDraining { return endEvents() }
        watchEvents(session)
    }

    /// Ends the stream although the session goes on; browsers ask again by themselves.
    func endEvents() {
        guard isOwnStream, phase == .answering else { return }
        worker.compose.removeAll()
        if clientFraming == .chunked { worker.compose.append("0\r\n\r\n") }
        closesAfter = true
        finishAnswer(reusable: false)
    }

    /// A sign of life, and a warning when the end is near.
    func keepEventsAlive() {
        guard phase == .answering, let session = note.principal?.session else { return }
        if isClientFull { return abort() }
        sendEvent(isNearEnd(session) ? "expiring" : "session", session)
        watchEvents(session)
    }

    private func isNearEnd(_ session: LiveSession) -> Bool {
        session.deadline &- worker.unixSeconds <= Self.warning
    }

    private func watchEvents(_ session: LiveSession) {
        let untilWarning = (session.deadline &- Self.warning &- worker.unixSeconds) &* 1000
        watch(.events, untilWarning > 0 ? min(Self.eventInterval, untilWarning) : Self.eventInterval)
    }

    private func sendEvent(_ name: StaticString, _ session: LiveSession) {
        let text = worker.bodyScratch
        text.removeAll()
        text.append("event: ")
        text.append(name)
        text.append("\ndata: {\"idle_seconds_left\":")
        text.append(decimal: UInt64(max(0, session.lastSeen &+ session.idle &- worker.unixSeconds)))
        text.append(",\"absolute_seconds_left\":")
        text.append(decimal: UInt64(max(0, session.expires &- worker.unixSeconds)))
        text.append("}\n\n")
        send(event: text)
    }

    /// The last event: the session is over.
    func sendEndEvent(_ reason: Reason) {
        let text = worker.bodyScratch
        text.removeAll()
        text.append("event: ended\ndata: {\"reason\":\"")
        text.append(reason.code)
        text.append("\"}\n\n")
        send(event: text)
    }

    private func send(event text: OutputBuffer) {
        worker.compose.removeAll()
        sendPiece(text.readable, text.count)
        sendComposed()
        text.removeAll()
    }
}
