// COLD. Active health checks: one probe at a time per backend, for the whole process, on the control loop.
import Bytes
import Glibc
import HTTP2
import Reactor
import TLS
import Telemetry
import Upstreams

/// How the backends of an upstream are probed.
struct HealthPlan: Sendable {
    var question: HealthQuestion
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
    /// The name that its certificate must be for; empty for that of the address.
    var hostName: String
    /// TLS towards it; nil for clear text.
    var tls: ClientTLS?
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
        enum Phase {
            case idle, connecting, handshaking, talking
        }

        var target: HealthTarget
        var machine: HealthMachine
        var phase = Phase.idle
        var transport = Transport(descriptor: -1, tls: nil)
        var dialogue: HealthDialogue?
        var due: Int64
        var deadline: Int64 = .max
        /// It is out because nobody listens there.
        var isRefusing = false

        init(_ target: HealthTarget, due: Int64, isUp: Bool) {
            self.target = target
            self.due = due
            machine = HealthMachine(healthy: target.plan.healthy, unhealthy: target.plan.unhealthy, isUp: isUp)
        }
    }

    /// Most milliseconds between two probes of a backend that is out because it refuses: it is asked for little, and
    /// when it is started again it is missed.
    private static let refusedInterval: Int64 = 250

    private let control: Control
    private let board: HealthBoard
    private var probes: [Probe] = []
    private let workspace = HTTP2Workspace(pool: BufferPool(size: 16 * 1024, kept: 8))
    private let scratch = OutputBuffer(capacity: 16 * 1024)

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
        for probe in former where !probes.contains(where: { $0 === probe }) { close(probe) }
    }

    /// Begins due probes and ends late ones; returns when to come again (monotonic milliseconds).
    func turn(now: Int64) -> Int64 {
        var next = now + 1000
        for probe in probes {
            if probe.phase != .idle, now >= probe.deadline {
                finish(probe, failure: "timeout", now: now)
            } else if probe.phase == .idle, now >= probe.due {
                begin(probe, now: now)
            }
            next = min(next, probe.phase != .idle ? probe.deadline : probe.due)
        }
        return next
    }

    /// Drops all probes under way.
    func stop() {
        for probe in probes { close(probe) }
        probes = []
    }

    private func close(_ probe: Probe) {
        guard probe.phase != .idle else { return }
        probe.phase = .idle
        let descriptor = probe.transport.descriptor
        // TLS goes before its socket.
        if probe.transport.tls?.isOpen == true { _ = probe.transport.tls?.shutdown() }
        probe.transport = Transport(descriptor: -1, tls: nil)
        probe.dialogue = nil
        control.close(descriptor)
    }

    // MARK: One probe

    private func begin(_ probe: Probe, now: Int64) {
        let (descriptor, _) = Socket.connect(to: probe.target.address)
        if descriptor == -EMFILE || descriptor == -ENFILE {
            // Our own lack says nothing about the backend.
            probe.due = now + probe.target.plan.interval
            return
        }
        guard descriptor >= 0 else { return refused(probe, code: -descriptor, now: now) }
        probe.transport = Transport(descriptor: descriptor, tls: nil)
        probe.phase = .connecting
        probe.deadline = now + probe.target.plan.timeout
        control.watch(descriptor) { [unowned self, unowned probe] readiness in ready(probe, readiness) }
    }

    private func ready(_ probe: Probe, _ readiness: Readiness) {
        let now = Clock.milliseconds()
        if probe.phase == .connecting {
            guard !readiness.isDisjoint(with: .writable) else { return }
            let code = Socket.error(of: probe.transport.descriptor)
            guard code == 0 else {
                return refused(probe, code: code, now: now)
            }
            connected(probe, now: now)
        }
        if probe.phase == .handshaking { shakeHands(probe, now: now) }
        if probe.phase == .talking { talk(probe, now: now) }
    }

    private func connected(_ probe: Probe, now: Int64) {
        guard let context = probe.target.tls else { return beginTalking(probe, now: now) }
        let tls = context.connect(
            probe.transport.descriptor,
            name: PeerName(probe.target.hostName.isEmpty ? probe.target.address.ip.text : probe.target.hostName),
            backend: probe.target.boardIndex,
            sessions: nil
        )
        guard let tls else { return finish(probe, failure: "TLS cannot begin", now: now) }
        probe.transport = Transport(descriptor: probe.transport.descriptor, tls: tls)
        probe.phase = .handshaking
    }

    private func shakeHands(_ probe: Probe, now: Int64) {
        guard let tls = probe.transport.tls else { return }
        switch tls.handshake() {
        case .wantRead, .wantWrite: return
        case .done: beginTalking(probe, now: now)
        case .failed(let failure): finish(probe, failure: "TLS: \(failure.reason)", now: now)
        }
    }

    private func beginTalking(_ probe: Probe, now: Int64) {
        probe.phase = .talking
        probe.dialogue = HealthDialogue(
            probe.target.plan,
            isTLS: probe.transport.tls != nil,
            workspace: workspace,
            now: now
        )
    }

    private func talk(_ probe: Probe, now: Int64) {
        guard let dialogue = probe.dialogue else { return }
        while true {
            while !dialogue.output.isEmpty {
                let n = probe.transport.write(dialogue.output.readable, dialogue.output.count)
                if n == IO.wouldBlock { break }
                guard n > 0 else { return finish(probe, failure: "connection lost", now: now) }
                dialogue.output.consume(n)
            }
            let n = probe.transport.read(scratch.reserve(16 * 1024), 16 * 1024)
            if n == IO.wouldBlock { return }
            if n > 0 {
                dialogue.received(scratch.reserve(16 * 1024), n, now: now)
            } else {
                dialogue.ended()
            }
            if let verdict = dialogue.verdict {
                return finish(probe, failure: verdict ? nil : n > 0 ? "bad answer" : "no answer", now: now)
            }
        }
    }

    private func refused(_ probe: Probe, code: Int32, now: Int64) {
        // A socket file that is not there is refusal as well.
        finish(probe, failure: "cannot connect", isRefused: code == ECONNREFUSED || code == ENOENT, now: now)
    }

    /// The probe is over, well without a failure.
    private func finish(_ probe: Probe, failure: String?, isRefused: Bool = false, now: Int64) {
        close(probe)
        probe.deadline = .max
        let interval = probe.target.plan.interval
        let changed = probe.machine.record(success: failure == nil)
        if failure != nil { probe.isRefusing = isRefused }
        probe.due = now + (probe.isRefusing && !probe.machine.isUp ? min(interval, Self.refusedInterval) : interval)
        guard changed else { return }
        board.set(probe.target.boardIndex, up: probe.machine.isUp)
        Log.warning(
            probe.machine.isUp ? "backend is healthy again" : "backend is unhealthy",
            ("upstream", probe.target.upstream),
            ("backend", probe.target.address.text),
            ("reason", failure ?? "good answers")
        )
    }
}
