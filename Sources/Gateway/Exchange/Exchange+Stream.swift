// HOT. An exchange whose backend is a stream: its request as frames, and its answer as they come.
import Bytes
import HTTP
import Reactor
import Telemetry
import Upstreams

extension Exchange {
    // MARK: Lease

    /// Puts the exchange on a multiplexed connection: one that has room, or a new one.
    func leaseStream(of upstream: Upstream) {
        var full: UInt64 = 0
        while true {
            switch upstream.lease(now: worker.now, tried: tried | full, fresh: true) {
            case .reuse, .saturated: return waitForLease(.upstreamConnections)
            case .unavailable where full != 0: return waitForLease(.upstreamConnections)
            case .unavailable: return findsNoBackend(upstream)
            case .connect(let backend):
                let hasRoom = backend.shared.count < upstream.maximumConnections
                // One that replaces a stale connection is not to be another that ended with it.
                if !(wasReplaced && hasRoom), let carrier = worker.carrier(of: backend) {
                    countUpstream(.reuse)
                    return attach(carrier.makeStream(upgrades: upgrade), reused: carrier.isOpen)
                }
                if hasRoom { return connectCarrier(backend, upstream) }
                // Its connections take fewer requests than we would send: another backend may have room.
                upstream.forget(backend)
                full |= upstream.bit(of: backend)
            }
        }
    }

    private func connectCarrier(_ backend: Backend, _ upstream: Upstream) {
        guard let (descriptor, done) = openSocket(backend, upstream) else { return }
        let carrier = HTTP2Backend(
            worker: worker,
            descriptor: descriptor,
            isConnected: done,
            backend: backend,
            upstream: upstream,
            security: plan.security(of: upstream),
            timeout: bounds.connectTimeout,
            ping: upstreamPlan.ping
        )
        guard worker.adopt(carrier) else {
            Socket.close(descriptor)
            upstream.forget(backend)
            return fail(.noBackend)
        }
        backend.remember(shared: carrier.key)
        attach(carrier.makeStream(upgrades: upgrade), reused: false)
    }

    /// The connection that was waited for takes no more: nothing was sent on it.
    func leaseElsewhere() {
        closeUpstream()
        sent = 0
        hasSent = false
        lease(fresh: false)
    }

    /// Whether the client takes no more for now.
    var isClientFull: Bool { (connection?.backlog ?? 0) >= highWater }

    // MARK: The request

    /// Hands what stands in `out` to the backend's stream: the head first, then content, then the end.
    func flushStream(_ stream: UpstreamConnection, _ out: OutputBuffer) {
        if !hasSent {
            let ends = requestComplete && out.count == headLength && requestTrailers == nil && phase != .tunnelling
            switch stream.sendHead(out.readable, headLength, ends: ends && !upgrade) {
            case .sent: break
            case .full: return leaseElsewhere()
            case .tunnelless: return fail(.upstreamTunnelless)
            case .impossible: return fail(.upstreamMalformed)
            }
            hasSent = true
            sent = headLength
            if ends, !upgrade { return streamSent(out) }
        }
        while sent < out.count {
            let count = stream.sendContent(out.readable + sent, out.count &- sent)
            if count == 0 { break }
            sent &+= count
        }
        guard sent == out.count else { return }
        if requestComplete, phase != .tunnelling, !upgrade {
            stream.sendEnd(trailers: requestTrailers?.bytes ?? UnsafeBufferPointer(start: nil, count: 0))
        }
        streamSent(out)
    }

    private func streamSent(_ out: OutputBuffer) {
        if isReplayable { return }
        guard isKept else { return allSent(out) }
        if out.count > Self.keptLimit {
            isKept = false
            return allSent(out)
        }
        if !requestComplete, phase == .sending, let client = connection,
            client.canRead || client.input != nil && !inputIsStuck
        {
            client.later()
        }
    }

    // MARK: The answer

    /// A head came, in HTTP/1 form; `ends` when nothing follows it.
    func streamAnswered(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, ends: Bool) {
        guard phase == .sending, connection != nil else { return }
        let compose = worker.compose
        compose.removeAll()
        let span = Span(_unsafeElements: UnsafeBufferPointer(start: UnsafePointer(bytes), count: count))
        switch ResponseParser.parse(
            span,
            requestMethod: method,
            into: worker.responseHead,
            limits: plan.responseLimits
        ) {
        case .needMore:
            note.reason = GatewayError.upstreamMalformed.code
            fail(.upstreamMalformed)
        case .refuse(let error):
            worker.refused(error)
            fail(.upstreamMalformed)
        case .complete:
            let head = worker.responseHead
            if head.status < 200 {
                if interim(head, bytes) { sendComposed() }
                return
            }
            if ends { head.endsWithHead(byFrame: connection?.isStream == true) }
            if ends, case .length(let length) = head.framing, length > 0 { return fail(.upstreamMalformed) }
            beginAnswer(head, bytes)
            guard phase == .answering else { return }
            if ends || responseFraming == .none {
                return finishAnswer(reusable: ends)
            }
            sendComposed()
            watch(.stream, bounds.streamIdle)
        }
    }

    /// Content of the answer came.
    func streamContent(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        guard count > 0 else { return }
        if phase == .tunnelling { return relayTunnel(bytes, count) }
        guard phase == .answering else { return }
        worker.compose.removeAll()
        if case .length = responseFraming {
            guard UInt64(count) <= responseRemaining else { return upstreamGone(cleanly: false) }
            // The end is the frame that says so, not the last byte.
            responseRemaining &-= UInt64(count)
        }
        sendPiece(bytes, count)
        sendComposed()
        watch(.stream, bounds.streamIdle)
    }

    /// Trailers came, as `name: value` lines and an empty line; the answer is over with them.
    func streamTrailers(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        guard phase == .answering, isLengthKept else { return streamEnded() }
        let fields = worker.trailers
        let span = Span(_unsafeElements: UnsafeBufferPointer(start: UnsafePointer(bytes), count: count))
        let (outcome, _) = TrailerParser.parse(span, from: 0, into: fields, limits: plan.responseLimits)
        guard case .complete = outcome else { return upstreamGone(cleanly: false) }
        worker.compose.removeAll()
        endAnswer(fields, UnsafePointer(bytes), reusable: true)
    }

    /// The backend ended its direction.
    func streamEnded() {
        switch phase {
        case .tunnelling:
            upstreamEnded = true
            endDirections()
        case .answering where isLengthKept:
            worker.compose.removeAll()
            if clientFraming == .chunked { worker.compose.append("0\r\n\r\n") }
            finishAnswer(reusable: true)
        default:
            upstreamGone(cleanly: false)
        }
    }

    private var isLengthKept: Bool {
        if case .length = responseFraming { return responseRemaining == 0 }
        return true
    }

    /// The stream has ended before its answer was whole.
    ///
    /// A request that the backend did nothing with is sent again, whatever it is, as long as it is still there.
    func streamLost(_ loss: HTTP2UpstreamStream.Loss) {
        guard phase == .sending || phase == .connecting, loss == .refused, out != nil, interims == 0,
            isReplayable || isKept || !hasSent
        else {
            // A backend that gives up one request may have acted upon it; only a lost connection can have been stale.
            if loss != .connectionLost { isReused = false }
            return phase == .tunnelling ? abort() : upstreamGone(cleanly: false)
        }
        countUpstream(.retry)
        closeUpstream()
        sent = 0
        hasSent = false
        attempts &+= 1
        guard attempts <= 2 else { return fail(.upstreamCut) }
        lease(fresh: false)
    }
}
