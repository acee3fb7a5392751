// HOT. How clients come in: accepting, handshakes, and who takes a connection over.
import Bytes
import CLinux
import Glibc
import Reactor
import TLS
import Telemetry

/// What the poller said of a connection whose handshake is under way.
struct Greeting {
    let key: UInt64
    let readiness: Readiness
}

extension Worker {
    /// Takes waiting clients, at most 64; whether there may be more.
    @discardableResult
    func accept(_ listener: Listener, _ plan: ListenerPlan) -> Bool {
        for _ in 0..<64 {
            switch listener.accept() {
            case .connection(let descriptor, let peer):
                metrics.add(.connectionsAccepted, 1)
                if allMetrics.total(.connectionsOpen) >= min(self.plan.maximumConnections, descriptorLimit)
                    || listener.load?.enter() == false
                {
                    metrics.add(.connectionsShed, 1)
                    metrics.hit(.connections)
                    Socket.close(descriptor)
                    continue
                }
                open(descriptor, peer, plan)
            case .shed:
                metrics.add(.connectionsShed, 1)
                metrics.hit(.descriptors)
            case .exhausted:
                metrics.hit(.descriptors)
                isFull = true
                for listener in listeners { poller.remove(listener.descriptor) }
                return false
            case .none:
                return false
            }
        }
        return true
    }

    /// Watches the listeners again after all descriptors were taken.
    func watchListeners() {
        guard isFull, !isDraining else { return }
        isFull = false
        for listener in listeners {
            let generation = generations[Int(listener.descriptor)]
            _ = poller.addLevel(listener.descriptor, generation: generation, exclusive: listener.isShared)
        }
    }

    private func open(_ descriptor: Int32, _ peer: IPAddress, _ listener: ListenerPlan) {
        let listener = listener.current(in: plan.snapshot)
        let key = UInt64(nextGeneration(of: descriptor)) << 32 | UInt64(UInt32(bitPattern: descriptor))
        if listener.needsHandshake(with: peer) {
            let handshake = ClientHandshake(
                worker: self,
                descriptor: descriptor,
                key: key,
                peer: peer,
                listener: listener
            )
            guard enter(descriptor, .handshake(handshake), listener) else { return handshake.dropped() }
            return greeted.append(Greeting(key: key, readiness: []))
        }
        let transport = Transport(descriptor: descriptor, tls: nil)
        guard listener.http1 else {
            let connection = HTTP2Connection(
                worker: self,
                transport: transport,
                key: key,
                peer: peer,
                listener: listener
            )
            if enter(descriptor, .http2(connection), listener) { connection.opened() }
            return
        }
        let connection = HTTP1Connection(worker: self, transport: transport, key: key, peer: peer, listener: listener)
        if enter(descriptor, .http1(connection), listener) { connection.opened() }
    }

    /// Takes a client's connection into the table; false when the kernel refuses.
    private func enter(_ descriptor: Int32, _ slot: Slot, _ listener: ListenerPlan) -> Bool {
        guard register(descriptor, slot) != nil else {
            loads[listener.index]?.leave()
            Socket.close(descriptor)
            return false
        }
        connections += 1
        metrics.adjust(.connectionsOpen, by: 1)
        return true
    }

    /// A handshake is done: what carries requests takes the descriptor over, registered as it is.
    func replace(
        _ handshake: ClientHandshake,
        _ transport: Transport,
        _ peer: IPAddress,
        _ listener: ListenerPlan,
        isHTTP2: Bool
    ) {
        let place = Int(transport.descriptor)
        if isHTTP2 {
            let connection = HTTP2Connection(
                worker: self,
                transport: transport,
                key: handshake.key,
                peer: peer,
                listener: listener
            )
            slots[place] = .http2(connection)
            connection.hangup = handshake.hangup
            connection.opened()
        } else {
            let connection = HTTP1Connection(
                worker: self,
                transport: transport,
                key: handshake.key,
                peer: peer,
                listener: listener
            )
            slots[place] = .http1(connection)
            connection.hangup = handshake.hangup
            connection.opened()
        }
    }

    /// An HTTP/1 connection began with the preface of HTTP/2 (RFC 9113 §3.3).
    func replace(_ former: HTTP1Connection, startingWith bytes: UnsafeBufferPointer<UInt8>) {
        let connection = HTTP2Connection(
            worker: self,
            transport: former.transport,
            key: former.key,
            peer: former.peer,
            listener: former.listener
        )
        slots[Int(former.descriptor)] = .http2(connection)
        connection.hangup = former.hangup
        connection.opened(bytes)
    }

    /// Microseconds of a turn for handshakes: each costs as much as many requests, which come first.
    private static let shareOfHandshakes: Int64 = 500

    /// Goes on with handshakes, in the order in which their bytes came.
    func shakeHands() {
        let started = Clock.microseconds()
        var count = 0
        while count < greeted.count {
            if count > 0, Clock.microseconds() &- started > Self.shareOfHandshakes { break }
            let greeting = greeted[count]
            count += 1
            switch slot(greeting.key) {
            case .handshake(let connection): connection.ready(greeting.readiness)
            // An earlier event of this turn ended the handshake: whoever took over has to hear of this one.
            case .http1(let connection): connection.ready(greeting.readiness)
            case .http2(let connection): connection.ready(greeting.readiness)
            case .free, .listener, .mailbox, .upstream, .backend: break
            }
        }
        greeted.removeFirst(count)
    }

    /// A client's TLS handshake failed, or it left without a request: what that cost was for nothing.
    func cameToNothing(_ peer: IPAddress) {
        guard plan.snapshot.handshakeDelay > 0, !isDraining, !peer.isUnix, !plan.snapshot.isTrusted(peer) else {
            return
        }
        _ = leavers.count(peer, weight: 1, now: now, most: plan.snapshot.handshakeDelay)
    }

    /// Milliseconds that a client's handshake waits, because so many of them came to nothing.
    func handshakeDelay(_ peer: IPAddress) -> Int64 {
        let most = plan.snapshot.handshakeDelay
        return most > 0 && !peer.isUnix ? leavers.delay(of: peer, now: now, most: most) : 0
    }

    /// Whether another TLS handshake may begin now: each listener has so many per second.
    func mayShakeHands(_ listener: ListenerPlan) -> Bool {
        guard listener.handshakesPerSecond > 0 else { return true }
        return handshakes.take(listener.index, perSecond: listener.handshakesPerSecond, now: now)
    }

    /// A client's connection is over.
    func closed(_ descriptor: Int32, _ listener: ListenerPlan) {
        connections -= 1
        metrics.adjust(.connectionsOpen, by: -1)
        loads[listener.index]?.leave()
        retire(descriptor)
        watchListeners()
    }
}
