// HOT. After a 101: bytes pass both ways unread, each direction with its own end and its own back-pressure.
import Bytes
import HTTP
import Reactor
import Telemetry

extension Exchange {
    /// The backend agreed to switch protocols (RFC 9110 §7.8).
    func beginTunnel(_ head: ResponseHead, _ bytes: UnsafeMutablePointer<UInt8>) {
        phase = .tunnelling
        status = 101
        isReplayable = false
        if let out {
            out.removeAll()
            sent = 0
        }
        unlimitOverall()
        connection?.phase = .tunnelling
        worker.metrics.adjust(.tunnelsOpen, by: 1)
        isTunnel = true
        HeadWriter.writeSwitch(head, bytes, to: worker.compose, via: plan.snapshot.fields.via11)
        watch(.tunnel, plan.timeouts.streamIdle)
        if let connection { worker.later(connection.key) }
    }

    /// Bytes that came together with the 101.
    func tunnelFirst(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        if count > 0 {
            responseBytes &+= UInt64(count)
            connection?.send(bytes, count)
        }
        return count
    }

    func pumpTunnelFromUpstream() {
        guard let backend = upstreamConnection, let client = connection else { return }
        backend.giveInput()
        var rounds = 0
        while backend.canRead, client.backlog < highWater, !client.broken {
            rounds += 1
            if rounds > 16 {
                worker.laterUpstream(backend.key)
                break
            }
            let n = Socket.read(backend.descriptor, worker.scratch, Worker.scratchSize)
            if n > 0 {
                if n < Worker.scratchSize, !backend.hangup { backend.canRead = false }
                responseBytes &+= UInt64(n)
                watch(.tunnel, plan.timeouts.streamIdle)
                client.send(worker.scratch, n)
                continue
            }
            backend.canRead = false
            if n == IO.failed { return abort() }
            if n == 0 { upstreamEnded = true }
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
                    worker.later(client.key)
                    break
                }
                let n = client.fill(atLeast: 8192)
                if n == IO.wouldBlock { break }
                if n == IO.failed { return clientLostTunnel(client) }
                if n == 0 {
                    clientEnded = true
                    break
                }
            }
            guard let input = client.input else { break }
            if out == nil { out = worker.small.take() }
            requestBytes &+= UInt64(input.count)
            out?.append(input.readable, input.count)
            client.giveInput()
            watch(.tunnel, plan.timeouts.streamIdle)
        }
        flushRequest()
        _ = backend
        endDirections()
    }

    private func clientLostTunnel(_ client: DownstreamConnection) {
        clientGone()
        client.close()
    }

    private func endDirections() {
        guard phase == .tunnelling, let backend = upstreamConnection, let client = connection else { return }
        if clientEnded, !hasUnsentRequest, !clientEndPassed {
            clientEndPassed = true
            Socket.shutdownWrite(backend.descriptor)
        }
        if upstreamEnded, client.backlog == 0 {
            if clientEnded { return finish(keepAlive: false) }
            if !upstreamEndPassed {
                upstreamEndPassed = true
                Socket.shutdownWrite(client.descriptor)
            }
        }
    }
}
