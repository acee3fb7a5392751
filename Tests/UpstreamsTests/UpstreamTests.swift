import Bytes
import Glibc
import Reactor
import Testing

@testable import Upstreams

@Suite("Upstreams")
struct UpstreamTests {
    private func make(_ weights: [Int], _ balancer: Balancer, limit: Int = 1000) -> (Upstream, HealthBoard) {
        let board = HealthBoard(count: weights.count)
        let backends = weights.enumerated().map { index, weight in
            Backend(
                address: SocketAddress(path: "/b\(index)"),
                weight: weight,
                healthIndex: index,
                maximumIdle: 8
            )
        }
        return (
            Upstream(
                name: "u",
                backends: backends,
                balancer: balancer,
                board: board,
                maximumConnections: limit,
                maximumIdle: 2
            ), board
        )
    }

    private func path(_ lease: Lease) -> String? {
        switch lease {
        case .connect(let backend), .reuse(_, let backend): backend.address.path
        default: nil
        }
    }

    @Test("round robin follows the weights")
    func weights() {
        let (upstream, _) = make([3, 1], .roundRobin)
        var counts: [String: Int] = [:]
        for _ in 0..<400 { counts[path(upstream.lease(now: 0)) ?? "-", default: 0] += 1 }
        #expect(counts == ["/b0": 300, "/b1": 100])
    }

    @Test("least connections prefers the idle one")
    func leastConnections() {
        let (upstream, _) = make([1, 1, 1], .leastConnections)
        for _ in 0..<9 { _ = upstream.lease(now: 0) }
        let active = upstream.backends.map { $0.active }
        #expect(active == [3, 3, 3])
        upstream.forget(upstream.backends[1])
        #expect(path(upstream.lease(now: 0)) == "/b1")
    }

    @Test("an unhealthy, refusing or tried backend is passed over")
    func filters() {
        let (upstream, board) = make([1, 1, 1], .roundRobin)
        board.set(0, up: false)
        upstream.avoid(upstream.backends[1], until: 100)
        for _ in 0..<5 { #expect(path(upstream.lease(now: 50)) == "/b2") }
        guard case .unavailable = upstream.lease(now: 50, tried: 4) else {
            Issue.record("expected unavailable")
            return
        }
        #expect(!upstream.isAvailable(now: 50) == false)
        board.set(0, up: true)
        #expect(path(upstream.lease(now: 50, tried: 4)) == "/b0")
    }

    @Test("the connection limit saturates, idle connections are reused newest first, and surplus is refused")
    func pool() {
        let (upstream, _) = make([1], .roundRobin, limit: 3)
        for _ in 0..<3 { _ = upstream.lease(now: 0) }
        guard case .saturated = upstream.lease(now: 0) else {
            Issue.record("expected saturated")
            return
        }
        let backend = upstream.backends[0]
        #expect(upstream.release(1, of: backend))
        #expect(upstream.release(2, of: backend))
        #expect(!upstream.release(3, of: backend))
        guard case .reuse(2, _) = upstream.lease(now: 0) else {
            Issue.record("expected the newest")
            return
        }
    }

    @Test("replacing servers keeps those that stay")
    func replace() {
        let (upstream, _) = make([1, 1], .roundRobin)
        let kept = upstream.backends[1]
        let gone = upstream.replace(with: [
            Backend(address: kept.address, weight: 1, healthIndex: 0, maximumIdle: 1),
            Backend(address: SocketAddress(path: "/new"), weight: 1, healthIndex: 1, maximumIdle: 1),
        ])
        #expect(upstream.backends[0] === kept)
        #expect(kept.healthIndex == 0)
        let paths = gone.map { $0.address.path }
        #expect(paths == ["/b0"])
        #expect(gone[0].isRetired)
    }

    @Test("what runs goes on with an upstream that is retired, and nothing is kept")
    func retire() {
        let (upstream, _) = make([1], .roundRobin, limit: 1)
        let backend = upstream.backends[0]
        #expect(path(upstream.lease(now: 0)) == "/b0")
        #expect(upstream.release(7, of: backend))
        let idle = upstream.retire()
        #expect(idle == [7])
        guard case .connect(let again) = upstream.lease(now: 0) else {
            Issue.record("no lease")
            return
        }
        #expect(again === backend)
        guard case .saturated = upstream.lease(now: 0) else {
            Issue.record("the limit is not kept")
            return
        }
        let isKept = upstream.release(8, of: backend)
        #expect(!isKept)
        #expect(path(upstream.lease(now: 0)) == "/b0")
    }

    @Test("thresholds take a backend out and back in")
    func health() {
        var machine = HealthMachine(healthy: 2, unhealthy: 3)
        for result in [false, false, true, false, false] {
            let changed = machine.record(success: result)
            #expect(!changed)
        }
        var changed = machine.record(success: false)
        #expect(changed)
        #expect(!machine.isUp)
        changed = machine.record(success: true)
        #expect(!changed)
        changed = machine.record(success: true)
        #expect(changed)
        #expect(machine.isUp)
    }

    @Test("a backend that was out needs good results to come back in")
    func healthBegunDown() {
        var machine = HealthMachine(healthy: 2, unhealthy: 3, isUp: false)
        var changed = machine.record(success: true)
        #expect(!changed)
        changed = machine.record(success: true)
        #expect(changed)
        #expect(machine.isUp)
    }

    @Test("a name that is not known for a while keeps its addresses")
    func names() {
        let answers = Locked<[[SocketAddress]]>([[SocketAddress(path: "/a")], [], [SocketAddress(path: "/b")], []])
        let book = NameBook { name, _ in name == "n" ? answers.withLock { $0.removeFirst() } : [] }
        #expect(book.addresses(of: "other", port: 1) == [])
        for path in ["/a", "/a", "/b", "/b"] {
            #expect(book.addresses(of: "n", port: 1) == [SocketAddress(path: path)])
        }
    }

    @Test("a name service that does not answer is not waited for, and only new names are asked for")
    func learning() {
        let asked = Locked<[String]>([])
        let isOver = Locked(false)
        defer { isOver.withLock { $0 = true } }
        let book = NameBook { name, _ in
            asked.withLock { $0.append(name) }
            for _ in 0..<8000 where name.hasPrefix("hangs") && !isOver.withLock({ $0 }) { usleep(5000) }
            return [SocketAddress(path: "/" + name)]
        }
        let start = Clock.milliseconds()
        book.learn([("a", 1), ("hangs", 1), ("A", 1), ("b", 1)], within: 300)
        book.learn([("a", 1), ("b", 1)], within: 300)
        #expect((250...20_000).contains(Clock.milliseconds() - start))
        #expect(book.known("a", port: 1) == [SocketAddress(path: "/a")])
        #expect(book.known("b", port: 1) == [SocketAddress(path: "/b")])
        #expect(book.known("hangs", port: 1) == [])
        #expect(asked.withLock { $0.sorted() } == ["a", "b", "hangs"])
        book.learn((0..<20).map { ("hangs\($0)", 1) }, within: 300)
        #expect(Clock.milliseconds() - start < 30_000)
    }

    @Test(
        "server locations",
        arguments: [
            ("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:80", "[::1]:80"), ("unix:/x", "unix:/x"), ("host:80", "name"),
            ("nothing", "nil"), (":80", "nil"), ("a:99999", "nil"), ("unix:", "nil"),
        ]
    )
    func locations(text: String, expected: String) {
        switch ServerLocation(text) {
        case .fixed(let address): #expect(address.text == expected)
        case .name: #expect(expected == "name")
        case nil: #expect(expected == "nil")
        }
    }
}
