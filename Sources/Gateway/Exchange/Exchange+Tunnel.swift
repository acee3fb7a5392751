// HOT. After a 101: bytes pass both ways unread, each direction with its own end and its own back-pressure.
import Bytes
import HTTP
import Identity
import Reactor
import TLS
import Telemetry

extension Exchange {
    /// The backend agreed to switch protocols (RFC 9110 §7.8).
    func beginTunnel(_ head: ResponseHead, _ bytes: UnsafeMutablePointer<UInt8>) {
        phase = .tunnelling
        status = 101
        isReplayable = false
        isKept = false
        if let out {
            out.removeAll()
            sent = 0
        }
        unlimitOverall()
        isWebSocket = upgradeName.withUnsafeBufferPointer { Self.equalIgnoringCase($0, Self.webSocket) }
        frames = WebSocketFrames()
        clientFrames = WebSocketFrames()
        limitToCredential()
        limitAge()
        worker.metrics.adjust(.tunnelsOpen, by: 1)
        isTunnel = true
        let fields = plan.snapshot.fields
        if let sessions = plan.snapshot.sessions { sessions.foreign.dropForged(head.fields, UnsafePointer(bytes)) }
        HeadWriter.writeSwitch(head, bytes, to: worker.compose, via: sendsRaw ? fields.via20 : fields.via11)
        connection?.beginTunnelling()
        sendComposedHead(ends: false)
        watch(.tunnel, plan.timeouts.streamIdle)
        connection?.later()
    }

    /// Bytes that came together with the 101.
    func tunnelFirst(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        if count > 0 { relayTunnel(bytes, count) }
        return count
    }

    func pumpTunnelFromUpstream() {
        guard let backend = upstreamConnection, let client = connection else { return }
        backend.giveInput()
        if backend.isStream {
            backend.clientHasRoom()
            return endDirections()
        }
        var rounds = 0
        while backend.canRead, client.backlog < highWater, !client.broken {
            rounds += 1
            if rounds > 16 {
                worker.laterUpstream(backend.key)
                break
            }
            let n = backend.read(worker.scratch, Worker.scratchSize)
            if n > 0 {
                relayTunnel(worker.scratch, n)
                if phase != .tunnelling { return }
                continue
            }
            if n == IO.wouldBlock { continue }
            // A WebSocket says itself when it is over; of anything else an end under TLS without a word may be a cut.
            guard n == 0 || n == IO.truncated && isWebSocket else { return abort() }
            upstreamEnded = true
        }
        endDirections()
    }

    func pumpTunnelFromClient() {
        guard let backend = upstreamConnection, let client = connection else { return }
        if client.broken { return clientLostTunnel(client) }
        var rounds = 0
        while !clientEnded {
            flushRequest()
            if let out, out.count - sent >= lowWater { break }
            if client.input == nil {
                rounds += 1
                if rounds > 16 {
                    client.later()
                    break
                }
                let n = client.fill(atLeast: 8192)
                if n == IO.wouldBlock { break }
                if n < 0 { return clientLostTunnel(client) }
                if n == 0 {
                    clientEnded = true
                    break
                }
            }
            guard let input = client.input else { break }
            if out == nil { out = worker.small.take() }
            let count = input.count
            requestBytes &+= UInt64(count)
            // What the user does in a tunnel is use of the session.
            note.principal?.session?.touch(worker.unixSeconds)
            if isWebSocket { clientFrames.advanceAll(input.readable, count) }
            out?.append(input.readable, count)
            client.giveInput()
            client.took(count)
            if ending == .none { watch(.tunnel, plan.timeouts.streamIdle) }
        }
        flushRequest()
        _ = backend
        endDirections()
    }

    private func clientLostTunnel(_ client: DownstreamConnection) {
        clientGone()
        client.close()
    }

    func endDirections() {
        guard phase == .tunnelling, let backend = upstreamConnection, let client = connection else { return }
        if clientEnded, !hasUnsentRequest, !clientEndPassed {
            clientEndPassed = true
            backend.endWriting()
        }
        if upstreamEnded, client.backlog == 0 {
            if clientEnded {
                guard clientEndPassed else { return }
                upstreamConnection.take()?.closeEnded()
                return finish(keepAlive: false)
            }
            if !upstreamEndPassed {
                upstreamEndPassed = true
                client.endWriting()
            }
        }
    }
}
