// HOT. The request's way to the backend: lease, head, body, with back-pressure towards the client.
import Bytes
import Glibc
import HTTP
import Identity
import Policy
import Reactor
import Telemetry
import Upstreams

extension Exchange {
    /// Forwards the request that the permit allows.
    ///
    /// `out` holds the rewritten head already.
    func forward(_ upstream: Upstream) {
        self.upstream = upstream
        isReplayable = requestComplete && !upgrade && (method == .get || method == .head || method == .options)
        lease(fresh: false)
    }

    // MARK: Lease

    func lease(fresh: Bool) {
        guard let upstream else { return fail(.noBackend) }
        while true {
            switch upstream.lease(now: worker.now, tried: tried, fresh: fresh) {
            case .reuse(let key, let backend):
                guard let connection = worker.upstream(key), !connection.hangup else {
                    upstream.forget(backend)
                    if let stale = worker.upstream(key) { stale.closeIdle() }
                    continue
                }
                // What must not be sent twice is only sent where nothing says that the other side has gone.
                if !isReplayable, !Socket.isQuiet(connection.descriptor) {
                    connection.close()
                    continue
                }
                countUpstream(.reuse)
                return attach(connection, reused: true)
            case .connect(let backend):
                return connect(backend, upstream)
            case .saturated:
                if phase != .waiting {
                    phase = .waiting
                    worker.metrics.hit(.upstreamConnections)
                    waitUntil = worker.now + plan.routes[route].connectTimeout
                }
                if worker.now >= waitUntil { return fail(.upstreamBusy) }
                return watch(.lease, 20)
            case .unavailable:
                if tried == 0 { return fail(.noBackend) }
                return fail(lastFailure)
            }
        }
    }

    func retryLease() { lease(fresh: false) }

    private func connect(_ backend: Backend, _ upstream: Upstream) {
        countUpstream(.connect)
        let (descriptor, done) = Socket.connect(to: backend.address)
        guard descriptor >= 0 else {
            upstream.forget(backend)
            if descriptor == -EMFILE || descriptor == -ENFILE {
                worker.metrics.hit(.descriptors)
                return fail(.noBackend)
            }
            return refused(backend, upstream, code: -descriptor)
        }
        let connection = UpstreamConnection(
            worker: worker,
            descriptor: descriptor,
            isConnected: done,
            backend: backend,
            upstream: upstream
        )
        guard worker.adopt(connection) else {
            Socket.close(descriptor)
            upstream.forget(backend)
            return fail(.noBackend)
        }
        attach(connection, reused: false)
    }

    private func attach(_ connection: UpstreamConnection, reused: Bool) {
        upstreamConnection = connection
        connection.exchange = self
        connection.exchanges &+= 1
        isReused = reused
        note.backend = connection.backend
        if connection.isConnected {
            phase = .sending
            connected()
            flushRequest()
        } else {
            phase = .connecting
            watch(.connect, plan.routes[route].connectTimeout)
        }
    }

    /// The connection is there: from now on the answer is waited for.
    func connected() {
        phase = .sending
        sentMicros = Clock.microseconds()
        requestComplete ? watch(.firstByte, plan.routes[route].firstByteTimeout) : watchBody()
    }

    func connectFailed(_ connection: UpstreamConnection, code: Int32) {
        guard let upstream else { return }
        let backend = connection.backend
        upstreamConnection = nil
        connection.close()
        refused(backend, upstream, code: code)
    }

    func connectTimedOut() {
        guard let upstream, let connection = upstreamConnection else { return fail(.upstreamTimeout) }
        let backend = connection.backend
        upstreamConnection = nil
        connection.close()
        lastFailure = .upstreamTimeout
        avoid(backend, upstream)
    }

    private var upstreamPlan: UpstreamPlan {
        guard case .forward(let index) = plan.routes[route].action else { return .none }
        return plan.snapshot.upstreams[index]
    }

    private func refused(_ backend: Backend, _ upstream: Upstream, code: Int32) {
        lastFailure = .upstreamRefused
        countUpstream(.connectFailure)
        avoid(backend, upstream)
    }

    private func avoid(_ backend: Backend, _ upstream: Upstream) {
        upstream.avoid(backend, until: worker.now + upstreamPlan.refusedPause)
        let bit = upstream.bit(of: backend)
        tried |= bit
        if bit == 0 || tried.nonzeroBitCount > upstreamPlan.retries { return fail(lastFailure) }
        lease(fresh: false)
    }

    // MARK: Sending

    var hasUnsentRequest: Bool { (out?.count ?? 0) > sent }

    /// Sends what the backend takes of the bytes in `out`.
    @inline(__always)
    func flushRequest() {
        guard let connection = upstreamConnection, connection.isConnected, let out, sent < out.count else { return }
        while sent < out.count, connection.canWrite {
            let n = Socket.write(connection.descriptor, out.readable + sent, out.count &- sent)
            if n == IO.wouldBlock {
                connection.canWrite = false
                return
            }
            if n == IO.failed {
                connection.canWrite = false
                return writeFailed(connection)
            }
            sent &+= n
            hasSent = true
        }
        guard sent == out.count, !isReplayable else { return }
        out.removeAll()
        sent = 0
        if requestComplete {
            if phase != .tunnelling {
                worker.small.give(out)
                self.out = nil
            }
        } else if phase == .sending || phase == .answering {
            // Room again: read on from the client in the next turn, unless this was called from there.
            if let client = self.connection, client.canRead || client.input != nil && !inputIsStuck {
                worker.later(client.key)
            }
        }
    }

    /// The backend takes nothing more.
    ///
    /// It may have answered before it closed: that answer counts.
    private func writeFailed(_ connection: UpstreamConnection) {
        connection.hangup = true
        connection.canRead = true
        pumpResponse()
    }

    // MARK: Body

    /// Moves what the client has sent of the body towards the backend.
    func pumpRequest() {
        guard let connection else { return }
        if connection.broken { return clientLost(connection) }
        guard !requestComplete, phase == .sending || phase == .answering || phase == .connecting || phase == .waiting
        else { return }
        var rounds = 0
        while !requestComplete {
            guard let out = outBuffer(), out.count &- sent < lowWater else { break }
            if connection.input == nil || inputIsStuck {
                if rounds >= 16 {
                    worker.later(connection.key)
                    break
                }
                rounds += 1
                if relayDirectly(connection, out) { continue }
                let count = connection.fill(atLeast: 4096)
                if count == IO.wouldBlock { break }
                if count <= 0 { return clientLost(connection) }
                inputIsStuck = false
            }
            guard let input = connection.input else { break }
            if let error = take(input, out) { return refuseBody(error) }
            if isTooLarge { return refuseTooLarge() }
            if input.isEmpty { connection.giveInput() }
            guard phase != .idle else { return }
        }
        if requestComplete { requestEnded() }
        flushRequest()
    }

    /// Takes what has come of the body together with the head, before any backend hears of the request: what is
    /// malformed there reaches nobody, and what is not is sent together with the head.
    ///
    /// False when the request is over.
    func takeAhead(_ connection: DownstreamConnection) -> Bool {
        guard !requestComplete, let input = connection.input, let out else { return true }
        if let error = take(input, out) {
            refuseBody(error)
            return false
        }
        if isTooLarge {
            refuseTooLarge()
            return false
        }
        if input.isEmpty { connection.giveInput() }
        return true
    }

    private func outBuffer() -> OutputBuffer? {
        if out == nil { out = worker.small.take() }
        return out
    }

    private func clientLost(_ connection: DownstreamConnection) {
        clientGone()
        connection.close()
    }

    /// A long body with a length goes from socket to socket through the worker's scratch memory.
    private func relayDirectly(_ connection: DownstreamConnection, _ out: OutputBuffer) -> Bool {
        guard requestRemaining > 64 * 1024, case .length = requestFraming, connection.input == nil, connection.canRead,
            let backend = upstreamConnection, backend.isConnected, backend.canWrite, out.count == sent, !isReplayable
        else { return false }
        let wanted = Int(min(requestRemaining, UInt64(burst)))
        let count = Socket.read(connection.descriptor, worker.scratch, wanted)
        guard count > 0 else {
            if count == 0 || count == IO.failed { connection.sawEnd = true }
            connection.canRead = count != IO.wouldBlock
            return false
        }
        worker.metrics.add(.bytesIn, UInt64(count))
        if count < wanted, !connection.hangup { connection.canRead = false }
        requestRemaining &-= UInt64(count)
        requestBytes &+= UInt64(count)
        requestComplete = requestRemaining == 0
        hasSent = true
        let n = max(0, Socket.write(backend.descriptor, worker.scratch, count))
        if n < count {
            backend.canWrite = false
            out.removeAll()
            sent = 0
            out.append(worker.scratch + n, count - n)
            burst = Exchange.smallestBurst
        } else if count == burst {
            burst = min(burst << 1, Worker.scratchSize)
        }
        return true
    }

    /// Takes body bytes from `input`, re-framed into `out`; a refusal when they are malformed or too many.
    private func take(_ input: OutputBuffer, _ out: OutputBuffer) -> ProtocolError? {
        if case .length = requestFraming {
            let count = Int(min(UInt64(input.count), requestRemaining))
            out.append(input.readable, count)
            input.consume(count)
            requestRemaining &-= UInt64(count)
            requestBytes &+= UInt64(count)
            requestComplete = requestRemaining == 0
            return nil
        }
        let span = Span(_unsafeElements: input.bytes)
        var offset = 0
        defer { input.consume(offset) }
        while true {
            switch requestDecoder.next(span, at: &offset) {
            case .data(let slice):
                requestBytes &+= UInt64(slice.count)
                if requestBytes > bodyLimit {
                    isTooLarge = true
                    return nil
                }
                out.append(hex: UInt64(slice.count))
                out.append("\r\n")
                out.append(input.readable, slice)
                out.append("\r\n")
            case .needMore:
                inputIsStuck = offset < input.count
                return nil
            case .trailers:
                return takeTrailers(input, span, &offset, out)
            case .refuse(let error):
                return error
            }
        }
    }

    private func takeTrailers(
        _ input: OutputBuffer,
        _ span: Span<UInt8>,
        _ offset: inout Int,
        _ out: OutputBuffer
    ) -> ProtocolError? {
        let fields = worker.trailers
        let (outcome, end) = TrailerParser.parse(span, from: offset, into: fields, limits: plan.headLimits)
        switch outcome {
        case .needMore:
            inputIsStuck = true
            return nil
        case .refuse(let error):
            return error
        case .complete:
            plan.snapshot.identity.injection.dropProtected(inTrailers: fields, UnsafePointer(input.readable))
            out.append("0\r\n")
            if keepsTrailers { fields.writeKept(from: input.readable, to: out) }
            out.append("\r\n")
            offset = end
            requestComplete = true
            return nil
        }
    }

    private func refuseTooLarge() {
        worker.metrics.hit(.body)
        fail(.bodyTooLarge)
    }

    private func refuseBody(_ error: ProtocolError) {
        worker.refused(error)
        closeUpstream()
        note.reason = error.code
        phase == .answering ? abort() : respond(Problem(error))
    }

    private func requestEnded() {
        if phase == .sending { watch(.firstByte, plan.routes[route].firstByteTimeout) }
    }
}
