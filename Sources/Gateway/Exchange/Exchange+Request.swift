// HOT. The request's way to the backend: head and body, with back-pressure towards the client.
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
        isKept = sendsRaw
        if let connection, connection.isStream, connection.holdsRequest() {
            isHeld = true
            phase = .waiting
        } else {
            lease(fresh: false)
        }
    }

    /// Everything that came with the request has been read, and it was not withdrawn.
    func forwardHeld() {
        guard isHeld, phase == .waiting else { return }
        isHeld = false
        phase = .deciding
        lease(fresh: false)
    }

    // MARK: Sending

    var hasUnsentRequest: Bool { (out?.count ?? 0) > sent }

    /// Sends what the backend takes of the bytes in `out`.
    @inline(__always)
    func flushRequest() {
        guard let connection = upstreamConnection, connection.isConnected, let out else { return }
        if connection.isStream { return flushStream(connection, out) }
        guard sent < out.count else { return }
        while sent < out.count, connection.canWrite {
            let n = connection.write(out.readable + sent, out.count &- sent)
            if n == IO.wouldBlock {
                connection.canWrite = false
                return
            }
            if n < 0 {
                connection.canWrite = false
                return writeFailed(connection)
            }
            sent &+= n
            hasSent = true
        }
        if sent == out.count, !isReplayable { allSent(out) }
    }

    /// Everything in `out` is on its way and not needed again.
    @inline(__always)
    func allSent(_ out: OutputBuffer) {
        out.removeAll()
        sent = 0
        if requestComplete, phase != .tunnelling {
            worker.small.give(out)
            self.out = nil
        } else if phase == .sending || phase == .answering || phase == .tunnelling && !clientEnded {
            // Room again: read on from the client in the next turn, unless this was called from there.
            if let client = self.connection, client.canRead || client.input != nil && !inputIsStuck {
                client.later()
            }
        } else if phase == .tunnelling, clientEnded, !clientEndPassed {
            // The end was waiting behind this.
            self.connection?.later()
        }
    }

    /// The backend takes nothing more.
    ///
    /// It may have answered before it closed: that answer counts.
    private func writeFailed(_ connection: UpstreamConnection) {
        if phase == .tunnelling {
            // Nobody hears it any more, nor what comes behind: the client's end must not wait for either.
            out?.removeAll()
            sent = 0
            connection.canWrite = true
        }
        connection.hangup = true
        connection.canRead = true
        pumpResponse()
    }

    // MARK: Body

    /// Moves what the client has sent of the body towards the backend.
    func pumpRequest() {
        guard let connection else { return }
        if connection.broken { return clientLost(connection) }
        guard !requestComplete,
            phase == .sending || phase == .answering || phase == .connecting || phase == .waiting
                || phase == .collecting
        else { return }
        var rounds = 0
        let taken = requestBytes
        while !requestComplete {
            // A page of ours takes all of it before anything goes on: its own limit ends it.
            guard let out = outBuffer(), phase == .collecting || out.count &- sent < lowWater else { break }
            if connection.input == nil || inputIsStuck {
                if rounds >= 16 {
                    connection.later()
                    break
                }
                rounds += 1
                if relayDirectly(connection, out) { continue }
                let count = connection.fill(atLeast: 4096)
                if count == IO.wouldBlock { break }
                if count == 0, connection.isStream {
                    if let held = heldTrailers.take() {
                        requestTrailersCame(held.readable, held.count)
                        return worker.small.give(held)
                    }
                    endContent(out)
                    break
                }
                if count <= 0 { return clientLost(connection) }
                inputIsStuck = false
            }
            guard let input = connection.input else { break }
            if let error = take(input, out) { return refuseBody(error) }
            if isTooLarge { return refuseTooLarge() }
            if input.isEmpty { connection.giveInput() }
            guard phase != .idle else { return }
        }
        if wait == .stream, requestBytes != taken { watch(.stream, bounds.streamIdle) }
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
            !connection.isStream, let backend = upstreamConnection, !backend.isStream, backend.isConnected,
            backend.canWrite, out.count == sent, !isReplayable
        else { return false }
        let wanted = Int(min(requestRemaining, UInt64(burst)))
        let count = connection.read(worker.scratch, wanted)
        guard count > 0 else { return false }
        requestRemaining &-= UInt64(count)
        requestBytes &+= UInt64(count)
        requestComplete = requestRemaining == 0
        hasSent = true
        let n = max(0, backend.write(worker.scratch, count))
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
            requestComplete = requestRemaining == 0 && !awaitsFrame
            connection?.took(count)
            return nil
        }
        if connection?.isStream == true { return takeStream(input, out) }
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
                appendPiece(input.readable + slice.start, slice.count, to: out)
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

    /// Whether a frame that the client has yet to send ends the request, whatever length it told: between backends of
    /// HTTP/2 and their clients trailers go on behind a told length as well.
    private var awaitsFrame: Bool {
        guard sendsRaw, phase != .collecting, let connection, connection.isStream else { return false }
        return !connection.sawEnd || heldTrailers != nil
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
            dropTrailers(fields, UnsafePointer(input.readable))
            endContent(out, fields, input.readable)
            offset = end
            return nil
        }
    }

    /// Marks the trailers whose names only the gateway may use: those of identity, and that of the request's id.
    private func dropTrailers(_ fields: FieldTable, _ bytes: UnsafePointer<UInt8>) {
        let snapshot = plan.snapshot
        snapshot.identity.injection.dropProtected(in: fields, bytes)
        if snapshot.fields.hasOwnIDName { snapshot.fields.ownIDName.dropProtected(in: fields, bytes) }
    }

    // MARK: The request's content in the backend's framing

    /// Takes what a stream has delivered of a body whose length nobody told.
    private func takeStream(_ input: OutputBuffer, _ out: OutputBuffer) -> ProtocolError? {
        let count = input.count
        requestBytes &+= UInt64(count)
        if requestBytes > bodyLimit {
            isTooLarge = true
            return nil
        }
        appendPiece(input.readable, count, to: out)
        input.consume(count)
        connection?.took(count)
        return nil
    }

    @inline(__always)
    private func appendPiece(_ bytes: UnsafePointer<UInt8>, _ count: Int, to out: OutputBuffer) {
        guard count > 0 else { return }
        if sendsRaw { return out.append(bytes, count) }
        out.append(hex: UInt64(count))
        out.append("\r\n")
        out.append(bytes, count)
        out.append("\r\n")
    }

    /// The body of a stream is over, without trailers.
    private func endContent(_ out: OutputBuffer) {
        requestComplete = true
        if !sendsRaw { out.append("0\r\n\r\n") }
    }

    /// The body is over, with these trailers.
    private func endContent(_ out: OutputBuffer, _ fields: FieldTable, _ bytes: UnsafePointer<UInt8>) {
        requestComplete = true
        if sendsRaw {
            let trailers = requestTrailers ?? worker.small.take()
            requestTrailers = trailers
            if keepsTrailers { fields.writeKept(from: bytes, to: trailers) }
        } else {
            out.append("0\r\n")
            if keepsTrailers { fields.writeKept(from: bytes, to: out) }
            out.append("\r\n")
        }
    }

    /// Trailers of a stream's request, as `name: value` lines and an empty line; the request is over with them.
    func requestTrailersCame(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
        guard let connection, !requestComplete else { return }
        // Nothing may be written before the head is: they are kept until its session is known.
        if phase == .looking {
            let held = worker.small.take()
            held.append(UnsafePointer(bytes), count)
            heldTrailers = held
            return
        }
        // In HTTP/1 a body of a told length has no place for them.
        guard requestFraming == .chunked || sendsRaw, let out = outBuffer() else { return }
        if let input = connection.input, let error = take(input, out) { return refuseBody(error) }
        if isTooLarge { return refuseTooLarge() }
        connection.giveInput()
        let fields = worker.trailers
        let span = Span(_unsafeElements: UnsafeBufferPointer(start: UnsafePointer(bytes), count: count))
        let (outcome, _) = TrailerParser.parse(span, from: 0, into: fields, limits: plan.headLimits)
        guard case .complete = outcome else {
            if case .refuse(let error) = outcome { return refuseBody(error) }
            return refuseBody(.fieldNameMalformed)
        }
        dropTrailers(fields, UnsafePointer(bytes))
        endContent(out, fields, bytes)
        requestEnded()
        flushRequest()
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
        if phase == .collecting { return askPortal() }
        if phase == .sending { watch(.firstByte, bounds.firstByteTimeout) }
    }
}
