// HOT. The answer's way to the client: head, body, trailers, with back-pressure towards the backend.
import Bytes
import Glibc
import HTTP
import Identity
import Reactor
import Telemetry
import Upstreams

extension Exchange {
    /// Reads what the backend has sent and relays it.
    func pumpResponse() {
        guard let backend = upstreamConnection, let client = connection else { return }
        if phase == .tunnelling { return pumpTunnelFromUpstream() }
        if backend.isStream { return backend.clientHasRoom() }
        var rounds = 0
        while backend.canRead {
            // The client is slow: nothing more is read until it has taken what is queued.
            if client.backlog >= highWater { return watchAnswer() }
            if rounds >= 16 {
                worker.laterUpstream(backend.key)
                return
            }
            rounds += 1
            let bytes: UnsafeMutablePointer<UInt8>
            let count: Int
            if let partial = backend.input {
                let place = partial.reserve(16 * 1024)
                let n = backend.read(place, partial.room)
                guard n > 0 else { return readEnded(n) }
                partial.advance(n)
                bytes = partial.readable
                count = partial.count
            } else {
                let n = backend.read(worker.scratch, burst)
                guard n > 0 else { return readEnded(n) }
                bytes = worker.scratch
                count = n
            }
            let used = relay(bytes, count)
            guard upstreamConnection === backend else { return }
            if client.backlog > 0 {
                burst = Exchange.smallestBurst
            } else if count == burst {
                burst = min(burst << 1, Worker.scratchSize)
            }
            if let partial = backend.input {
                partial.consume(used)
                if partial.isEmpty { backend.giveInput() }
            } else if used < count {
                let partial = worker.small.take()
                partial.append(bytes + used, count - used)
                backend.input = partial
            }
            if client.broken { return }
            if phase == .tunnelling { return pumpTunnelFromUpstream() }
        }
        watchAnswer()
    }

    /// From its first byte on, an answer is watched for silences only.
    @inline(__always)
    private func watchAnswer() {
        if phase == .answering { watch(.stream, bounds.streamIdle) }
    }

    /// The client took what was queued.
    func clientHasRoom() {
        switch phase {
        case .answering, .sending:
            if let backend = upstreamConnection, backend.canRead || backend.isStream { pumpResponse() }
        case .tunnelling: pumpTunnelFromUpstream()
        default: break
        }
    }

    private func readEnded(_ n: Int) {
        if n == IO.wouldBlock {
            watchAnswer()
            return
        }
        upstreamGone(cleanly: n == 0)
    }

    /// The backend closed the connection.
    func upstreamGone(cleanly: Bool) {
        guard let backend = upstreamConnection else { return }
        switch phase {
        case .answering:
            if case .untilClose = responseFraming, cleanly {
                endBody()
                return finishAnswer(reusable: false)
            }
            countUpstream(.failure)
            note.reason = GatewayError.upstreamCut.code
            abort()
        case .sending where !isReused && backend.input == nil && interims == 0 && backend.reportsRejection():
            handshakeFailed(backend)
        case .sending
        where isReused && !wasReplaced && backend.input == nil && interims == 0 && (isReplayable || !hasSent):
            // A pooled connection that had ended already: nothing of the request can have been acted upon. Once: it may
            // be this very request that ends them, each one that others have opened.
            countUpstream(.retry)
            wasReplaced = true
            upstreamConnection = nil
            backend.close()
            sent = 0
            hasSent = false
            lease(fresh: true)
        default:
            countUpstream(.failure)
            fail(.upstreamCut)
        }
    }

    /// Relays bytes of the answer; returns how many were used.
    private func relay(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        let compose = worker.compose
        compose.removeAll()
        var used = 0
        while phase == .sending {
            let rest = Span(
                _unsafeElements: UnsafeBufferPointer(start: UnsafePointer(bytes + used), count: count - used)
            )
            switch ResponseParser.parse(
                rest,
                requestMethod: method,
                into: worker.responseHead,
                limits: plan.responseLimits
            ) {
            case .needMore:
                sendComposed()
                return used
            case .refuse(let error):
                worker.refused(error)
                note.reason = error.code
                fail(.upstreamMalformed)
                return count
            case .complete:
                let head = worker.responseHead
                let start = bytes + used
                used &+= head.length
                if head.status < 200 {
                    guard interim(head, start) else { return used }
                    if phase == .tunnelling {
                        sendComposed()
                        return used + tunnelFirst(bytes + used, count - used)
                    }
                    continue
                }
                beginAnswer(head, start)
            }
        }
        if phase == .answering { used = relayBody(bytes, used, count) }
        return used
    }

    // MARK: Head

    func beginAnswer(_ head: ResponseHead, _ bytes: UnsafeMutablePointer<UInt8>) {
        if let connection, connection.wantsTunnel, head.status < 300 { return fail(.upstreamMalformed) }
        phase = .answering
        let snapshot = plan.snapshot
        if let sessions = snapshot.sessions {
            sessions.foreign.dropForged(head.fields, UnsafePointer(bytes))
        }
        answeredMicros = Clock.microseconds()
        status = head.status
        responseFraming = head.framing
        upstreamKeepAlive = head.keepAlive
        keepsAnswerTrailers = !head.connectionNamesFields
        // The request's bytes are not needed for another attempt any more.
        if isReplayable || isKept {
            isReplayable = false
            isKept = false
            if sent == out?.count ?? -1, let out = out.take() {
                worker.small.give(out)
                sent = 0
            }
        }
        switch head.framing {
        case .none:
            clientFraming = .none
        case .length(let length):
            responseRemaining = length
            clientFraming = head.framing
            outlastCredential()
        case .chunked, .untilClose:
            // An answer without a length may be an endless stream: its silences are watched instead.
            unlimitOverall()
            if callDeadline < .max { limitOverall(until: callDeadline) }
            isEventStream = Self.isEventStream(head, bytes)
            limitToCredential()
            limitAge()
            responseDecoder = ChunkedDecoder()
            clientFraming = isHTTP10 || connection?.isStream == true ? .untilClose : .chunked
        }
        closesAfter = !keepAlive || isLast || !requestComplete || worker.isDraining || clientFraming == .untilClose
        HeadWriter.writeResponse(head, bytes, to: worker.compose, exchange: self, worker: worker, snapshot.fields)
        if connection?.isStream == true {
            // No frame follows an answer without content: gRPC takes its status from a head that is the end as well.
            sendComposedHead(ends: clientFraming == .none || clientFraming == .length(0))
        }
    }

    /// Sends the head in `worker.compose` to a client whose heads are frames of their own.
    func sendComposedHead(ends: Bool) {
        guard let connection, connection.isStream else { return }
        let compose = worker.compose
        connection.sendHead(compose.readable, compose.count, ends: ends)
        compose.removeAll()
    }

    /// An interim answer (RFC 9110 §15.2); false when the exchange is over.
    func interim(_ head: ResponseHead, _ bytes: UnsafeMutablePointer<UInt8>) -> Bool {
        interims += 1
        if head.status == 101 {
            guard upgrade, isUpgradeAgreed(head, bytes), isKeyAccepted(head, bytes) else {
                fail(.upstreamMalformed)
                return false
            }
            beginTunnel(head, bytes)
            return true
        }
        if interims > Exchange.maximumInterim {
            fail(.upstreamMalformed)
            return false
        }
        if !isHTTP10 {
            if plan.hasSessions, let sessions = plan.snapshot.sessions {
                sessions.foreign.dropForged(head.fields, UnsafePointer(bytes))
            }
            HeadWriter.writeInterim(head, bytes, to: worker.compose)
            sendComposedHead(ends: false)
        }
        return true
    }

    // MARK: Body

    func relayBody(_ bytes: UnsafeMutablePointer<UInt8>, _ start: Int, _ count: Int) -> Int {
        var used = start
        switch responseFraming {
        case .none:
            finishAnswer(reusable: used == count)
        case .length:
            let take = Int(min(UInt64(count - used), responseRemaining))
            send(bytes + used, take)
            used &+= take
            responseRemaining &-= UInt64(take)
            if responseRemaining == 0 {
                finishAnswer(reusable: used == count)
            } else {
                sendComposed()
            }
        case .untilClose:
            sendPiece(bytes + used, count - used)
            used = count
            sendComposed()
        case .chunked:
            used = relayChunks(bytes, used, count)
        }
        return used
    }

    private func relayChunks(_ bytes: UnsafeMutablePointer<UInt8>, _ start: Int, _ count: Int) -> Int {
        let span = Span(_unsafeElements: UnsafeBufferPointer(start: UnsafePointer(bytes), count: count))
        var offset = start
        while true {
            switch responseDecoder.next(span, at: &offset) {
            case .data(let slice):
                sendPiece(bytes + slice.start, slice.count)
            case .needMore:
                sendComposed()
                return offset
            case .trailers:
                let fields = worker.trailers
                let (outcome, end) = TrailerParser.parse(span, from: offset, into: fields, limits: plan.responseLimits)
                switch outcome {
                case .needMore:
                    sendComposed()
                    return offset
                case .refuse(let error):
                    sendComposed()
                    let error = error.fromUpstream
                    worker.refused(error)
                    note.reason = error.code
                    abort()
                    return count
                case .complete:
                    endAnswer(fields, bytes, reusable: end == count)
                    return end
                }
            case .refuse(let error):
                sendComposed()
                let error = error.fromUpstream
                worker.refused(error)
                note.reason = error.code
                abort()
                return count
            }
        }
    }

    /// A piece of the body in the client's framing.
    @inline(__always)
    func sendPiece(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        guard count > 0 else { return }
        if clientFraming == .chunked {
            worker.compose.append(hex: UInt64(count))
            worker.compose.append("\r\n")
            send(bytes, count)
            worker.compose.append("\r\n")
        } else {
            send(bytes, count)
        }
    }

    @inline(__always)
    private func send(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        responseBytes &+= UInt64(count)
        let compose = worker.compose
        if count <= 16 * 1024 {
            compose.append(bytes, count)
            return
        }
        sendComposed()
        connection?.send(bytes, count)
    }

    @inline(__always)
    func sendComposed() {
        let compose = worker.compose
        guard !compose.isEmpty else { return }
        connection?.send(compose.readable, compose.count)
        compose.removeAll()
    }

    /// The content is over, with these trailers.
    func endAnswer(_ trailers: FieldTable, _ bytes: UnsafePointer<UInt8>, reusable: Bool) {
        if let connection, connection.isStream {
            sendComposed()
            let text = worker.bodyScratch
            text.removeAll()
            if keepsAnswerTrailers { trailers.writeKept(from: bytes, to: text) }
            connection.sendEnd(trailers: text.bytes)
        } else if clientFraming == .chunked {
            worker.compose.append("0\r\n")
            if keepsAnswerTrailers { trailers.writeKept(from: bytes, to: worker.compose) }
            worker.compose.append("\r\n")
        }
        finishAnswer(reusable: reusable)
    }

    func endBody() {
        worker.compose.removeAll()
        if clientFraming == .chunked { worker.compose.append("0\r\n\r\n") }
    }

    /// The answer is whole.
    func finishAnswer(reusable: Bool) {
        sendComposed()
        if let connection, connection.isStream {
            connection.sendEnd(trailers: UnsafeBufferPointer(start: nil, count: 0))
        }
        if reusable, upstreamKeepAlive, requestComplete, !hasUnsentRequest, let backend = upstreamConnection.take() {
            backend.release()
        }
        finish(keepAlive: !closesAfter && requestComplete)
    }
}
