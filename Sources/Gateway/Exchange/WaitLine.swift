// HOT. Requests that wait for a connection of one upstream, because all are taken: first come, first served.
import Upstreams

/// The line of one upstream on one worker.
///
/// Bounded by the upstream's `pool.max_waiting`. Looked at once in each turn of the loop: whatever sets a connection
/// free happens in a turn.
final class WaitLine {
    let upstream: Upstream
    private(set) var first: Exchange?
    private unowned(unsafe) var last: Exchange?
    private(set) var count = 0

    init(_ upstream: Upstream) { self.upstream = upstream }

    /// At the end, or for one that has been at the front and got nothing, at the front again.
    func join(_ exchange: Exchange, atFront: Bool) {
        exchange.line = self
        if atFront {
            exchange.lineNext = first
            first?.linePrevious = exchange
            first = exchange
            if last == nil { last = exchange }
        } else {
            exchange.linePrevious = last
            if let last { last.lineNext = exchange } else { first = exchange }
            last = exchange
        }
        count += 1
        upstream.waiting = count
    }

    /// Takes one out who is in.
    func remove(_ exchange: Exchange) {
        let next = exchange.lineNext
        if let next { next.linePrevious = exchange.linePrevious } else { last = exchange.linePrevious }
        if let previous = exchange.linePrevious { previous.lineNext = next } else { first = next }
        exchange.line = nil
        exchange.lineNext = nil
        exchange.linePrevious = nil
        count -= 1
        upstream.waiting = count
    }

    /// Lets those in front try again, until one gets nothing.
    func serve() {
        var left = count
        while left > 0, let exchange = first {
            left -= 1
            remove(exchange)
            exchange.lease(fresh: false)
            if first === exchange { return }
        }
    }
}

extension Worker {
    /// The line of an upstream, which begins with its first request that has to wait.
    func line(of upstream: Upstream) -> WaitLine {
        if let line = lines.first(where: { $0.upstream === upstream }) { return line }
        let line = WaitLine(upstream)
        lines.append(line)
        return line
    }

    /// Gives what has become free to those who wait.
    func serveLines() {
        for line in lines { line.serve() }
        lines.removeAll { $0.count == 0 }
    }
}
