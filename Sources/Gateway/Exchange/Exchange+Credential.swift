// HOT. The end of what has no end of its own, when the credential that allowed it is not good any more.
import Bytes
import HTTP
import Identity
import Reactor
import Telemetry

extension Exchange {
    static let webSocket = Array("websocket".utf8)
    /// Milliseconds for which a frame of the backend's may still be completed.
    static let framePatience: Int64 = 500

    /// Whether an answer is a stream of events.
    static func isEventStream(_ head: ResponseHead, _ bytes: UnsafePointer<UInt8>) -> Bool {
        let index = head.first(.contentType)
        guard index >= 0 else { return false }
        let value = head[index].value
        let type: StaticString = "text/event-stream"
        guard value.count >= type.utf8CodeUnitCount else { return false }
        return Scan.equalFolded(bytes + value.start, type.utf8CodeUnitCount, type)
    }

    /// Ends the exchange, as politely as its protocol knows.
    func credentialEnded(_ reason: Reason) {
        note.reason = reason.code
        worker.metrics.add(.streamsEndedWithCredential, 1)
        switch phase {
        case .tunnelling: endTunnel(.credential(reason))
        case .answering: endAnswer(.credential(reason))
        case .idle: break
        default:
            closeUpstream()
            var problem = Problem(reason, status: 401)
            problem.isChallenge = true
            problem.oauthError = reason.oauthError
            respond(problem)
        }
    }

    /// A tunnel, or an answer without a length, has lasted as long as it may.
    func grewOld() {
        worker.metrics.timedOut(.streamAge)
        note.reason = "stream_age"
        phase == .tunnelling ? endTunnel(.age) : endAnswer(.age)
    }

    /// Nothing came of either side for as long as that may be.
    func fellSilent() {
        if phase == .tunnelling, ending != .none {
            // The frame that was to be completed was not.
            closeBackend()
            return abort()
        }
        // A client that takes what is there, if slowly, is not silent; one that takes nothing has a deadline of its own.
        if wait == .stream, isClientFull { return watch(.stream, bounds.streamIdle) }
        let isStreams = wait == .tunnel || bounds.streamIdle == plan.timeouts.streamIdle
        worker.metrics.timedOut(isStreams ? .streamIdle : .upstreamIdle)
        switch phase {
        case .tunnelling, .answering:
            note.reason = isStreams ? "stream_idle" : "upstream_idle"
            phase == .tunnelling ? endTunnel(.idle) : endAnswer(.idle)
        default: fail(.upstreamTimeout)
        }
    }

    /// The worker ends soon: what would go on is told so, in time to come again elsewhere.
    func endWithWorker() {
        switch phase {
        case .tunnelling where isWebSocket && ending == .none:
            note.reason = "draining"
            endTunnel(.drain)
        case .answering where isEventStream || note.isGRPC:
            note.reason = "draining"
            endAnswer(.drain)
        case .idle, .tunnelling, .answering: return
        default:
            guard note.isGRPC else { return }
            note.reason = "draining"
            closeUpstream()
            respond(Problem(status: 503, code: "draining", detail: "The server is shutting down."))
        }
        worker.metrics.timedOut(.drain)
    }

    private func endAnswer(_ end: StreamEnd) {
        closeUpstream()
        if endCall(end.status, end.detail) { return }
        guard isEventStream else { return abort(atOnce: end.isAtOnce) }
        if isOwnStream {
            if case .credential(let reason) = end { sendEndEvent(reason) }
            return endEvents()
        }
        worker.compose.removeAll()
        if clientFraming == .chunked { worker.compose.append("0\r\n\r\n") }
        closesAfter = true
        finishAnswer(reusable: false)
    }

    // MARK: Tunnels

    private func endTunnel(_ end: StreamEnd) {
        guard ending == .none, isWebSocket else { return abort(atOnce: end.isAtOnce) }
        ending = end
        if frames.isBetweenFrames { return sendClose() }
        unlimitOverall()
        watch(.tunnel, Self.framePatience)
    }

    /// Relays what came of a tunnel from the backend; when it is ending, no further than to the end of the frame.
    func relayTunnel(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        var count = count
        if isWebSocket {
            if ending == .none {
                frames.advanceAll(bytes, count)
            } else {
                count = frames.advance(bytes, count)
            }
        }
        responseBytes &+= UInt64(count)
        connection?.send(bytes, count)
        if ending == .none {
            watch(.tunnel, plan.timeouts.streamIdle)
        } else if frames.isBetweenFrames {
            sendClose()
        }
    }
}
