// COLD. Active health checks: one probe at a time per backend, for the whole process, on the control loop.
import Bytes
import HTTP
import Reactor
import Telemetry
import Upstreams

/// How the backends of an upstream are probed.
struct HealthPlan: Sendable {
    var path: String
    var host: String
    /// Milliseconds between the end of one probe and the next.
    var interval: Int64
    /// Milliseconds until a probe has failed.
    var timeout: Int64
    var healthy: Int
    var unhealthy: Int
    var statuses: [ClosedRange<Int>]
}

/// A backend to probe.
struct HealthTarget: Sendable {
    var upstream: String
    var address: SocketAddress
    var boardIndex: Int
    var plan: HealthPlan
}

/// A backend that is probed, as the checks have it.
struct BackendState: Sendable {
    var upstream: String
    var address: SocketAddress
    var isUp: Bool
}

/// Probes backends and writes the health board.
final class HealthChecker {
    private final class Probe {
        var target: HealthTarget
        var machine: HealthMachine
        var descriptor: Int32 = -1
        var due: Int64
        var deadline: Int64 = .max
        var isSent = false
        let input = OutputBuffer(capacity: 4096)

        init(_ target: HealthTarget, due: Int64, isUp: Bool) {
            self.target = target
            self.due = due
            machine = HealthMachine(healthy: target.plan.healthy, unhealthy: target.plan.unhealthy, isUp: isUp)
        }
    }

    private let control: Control
    private let board: HealthBoard
    private var probes: [Probe] = []
    private let head = ResponseHead()

    /// Probes `targets`, which are in or out as the board says.
    init(control: Control, board: HealthBoard, targets: [HealthTarget], now: Int64) {
        self.control = control
        self.board = board
        // Spread over the first interval, so that a restart does not hit all backends at once.
        probes = targets.enumerated().map { index, target in
            Probe(
                target,
                due: now + (target.plan.interval * Int64(index) / Int64(max(1, targets.count))) / 4,
                isUp: board.isUp(target.boardIndex)
            )
        }
    }

    /// What is probed, and whether it is in.
    var states: [BackendState] {
        probes.map { BackendState(upstream: $0.target.upstream, address: $0.target.address, isUp: $0.machine.isUp) }
    }

    /// Probes these targets of an upstream instead of its former ones; an address that stays keeps its state.
    func retarget(_ upstream: String, _ targets: [HealthTarget], now: Int64) {
        let former = probes.filter { $0.target.upstream == upstream }
        probes.removeAll { $0.target.upstream == upstream }
        for target in targets {
            let probe: Probe
            if let kept = former.first(where: { $0.target.address == target.address }) {
                kept.target = target
                probe = kept
            } else {
                probe = Probe(target, due: now, isUp: true)
            }
            board.set(target.boardIndex, up: probe.machine.isUp)
            probes.append(probe)
        }
        for probe in former where probe.descriptor >= 0 && !probes.contains(where: { $0 === probe }) {
            control.close(probe.descriptor)
        }
    }

    /// Begins due probes and ends late ones; returns when to come again (monotonic milliseconds).
    func turn(now: Int64) -> Int64 {
        var next = now + 1000
        for probe in probes {
            if probe.descriptor >= 0, now >= probe.deadline {
                finish(probe, success: false, now: now)
            } else if probe.descriptor < 0, now >= probe.due {
                begin(probe, now: now)
            }
            next = min(next, probe.descriptor >= 0 ? probe.deadline : probe.due)
        }
        return next
    }

    /// Drops all probes under way.
    func stop() {
        for probe in probes where probe.descriptor >= 0 { control.close(probe.descriptor) }
        probes = []
    }

    private func begin(_ probe: Probe, now: Int64) {
        let (descriptor, _) = Socket.connect(to: probe.target.address)
        guard descriptor >= 0 else { return finish(probe, success: false, now: now) }
        probe.descriptor = descriptor
        probe.deadline = now + probe.target.plan.timeout
        probe.isSent = false
        probe.input.removeAll()
        control.watch(descriptor) { [unowned self, unowned probe] readiness in ready(probe, readiness) }
    }

    private func ready(_ probe: Probe, _ readiness: Readiness) {
        let now = Clock.milliseconds()
        guard probe.descriptor >= 0 else { return }
        if !probe.isSent, !readiness.isDisjoint(with: .writable) {
            if Socket.error(of: probe.descriptor) != 0 { return finish(probe, success: false, now: now) }
            probe.isSent = true
            let request = OutputBuffer(capacity: 512)
            request.append("GET ")
            request.append(string: probe.target.plan.path)
            request.append(" HTTP/1.1\r\nHost: ")
            request.append(string: probe.target.plan.host)
            request.append("\r\nUser-Agent: portcullis-health\r\nAccept: */*\r\nConnection: close\r\n\r\n")
            if Socket.write(probe.descriptor, request.readable, request.count) != request.count {
                return finish(probe, success: false, now: now)
            }
        }
        guard probe.isSent, !readiness.isDisjoint(with: .readable) else { return }
        while true {
            let n = Socket.read(probe.descriptor, probe.input.reserve(4096), 4096)
            if n == IO.wouldBlock { return }
            if n <= 0 { return finish(probe, success: false, now: now) }
            probe.input.advance(n)
            let span = Span(_unsafeElements: probe.input.bytes)
            switch ResponseParser.parse(span, requestMethod: .get, into: head, limits: HeadLimits()) {
            case .complete:
                let matches = probe.target.plan.statuses.contains { $0.contains(head.status) }
                return finish(probe, success: matches, now: now)
            case .refuse: return finish(probe, success: false, now: now)
            case .needMore: continue
            }
        }
    }

    private func finish(_ probe: Probe, success: Bool, now: Int64) {
        if probe.descriptor >= 0 {
            control.close(probe.descriptor)
            probe.descriptor = -1
        }
        probe.deadline = .max
        probe.due = now + probe.target.plan.interval
        guard probe.machine.record(success: success) else { return }
        board.set(probe.target.boardIndex, up: probe.machine.isUp)
        Log.warning(
            probe.machine.isUp ? "backend is healthy again" : "backend is unhealthy",
            ("upstream", probe.target.upstream),
            ("backend", probe.target.address.text)
        )
    }
}
