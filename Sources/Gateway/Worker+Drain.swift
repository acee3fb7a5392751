// COLD. The end of a worker: no new clients, what runs is finished, and after the deadline what is left is cut.
import Glibc
import Reactor
import Telemetry

extension Worker {
    func drain(until deadline: Int64) {
        if let former = drainDeadline {
            // It may only become shorter.
            guard deadline < former else { return }
            drainDeadline = deadline
            farewellAt = min(farewellAt, deadline)
            listenersClose = min(listenersClose, deadline)
            return
        }
        drainDeadline = deadline
        farewellAt = deadline - min(Self.farewell, (deadline - now) / 4)
        // Nobody gets in between the last accept and the close, who would be reset.
        for listener in listeners { listener.refuseNewcomers() }
        listenersClose = now + Self.handshake
        for slot in slots {
            switch slot {
            case .http1(let connection): connection.drain()
            case .http2(let connection): connection.drain()
            default: break
            }
        }
        for exchange in exchanges { exchange.endEvents() }
    }

    private func closeListeners() {
        for listener in listeners {
            guard case .listener(_, let plan) = slots[Int(listener.descriptor)] else { continue }
            while accept(listener, plan) {}
            let place = Int(listener.descriptor)
            poller.remove(listener.descriptor)
            slots[place] = .free
            generations[place] &+= 1
            if !listener.isShared { Socket.close(listener.descriptor) }
        }
        listeners = []
    }

    /// Most milliseconds before the end at which WebSockets, event streams and calls are ended.
    private static let farewell: Int64 = 500

    func isDrained(_ deadline: Int64) -> Bool {
        if now >= farewellAt {
            farewellAt = .max
            for exchange in exchanges { exchange.endWithWorker() }
        }
        if !listeners.isEmpty {
            guard now >= listenersClose else { return false }
            closeListeners()
        }
        if connections == 0 { return true }
        guard now >= deadline else { return false }
        // What has begun since.
        for exchange in exchanges { exchange.endWithWorker() }
        for exchange in exchanges where exchange.connection?.isStream == true {
            metrics.timedOut(.drain)
            exchange.abort(atOnce: true)
        }
        for slot in slots {
            switch slot {
            case .http1(let connection) where connection.phase == .lingering: connection.close()
            case .http1(let connection):
                metrics.timedOut(.drain)
                connection.abort()
            case .http2(let connection): connection.sayGoodbye()
            case .handshake(let connection): connection.close()
            default: break
            }
        }
        return true
    }
}
