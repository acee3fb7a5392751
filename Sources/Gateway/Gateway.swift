// COLD. The whole program: opens the sockets, starts the threads, reloads, drains, ends.
import Bytes
import CLinux
import Configuration
import Glibc
import HTTP
import Identity
import Reactor
import Settings
import Synchronization
import TLS
import Telemetry
import Upstreams

/// The gateway as a process.
public final class Gateway {
    /// The version that `portcullis version` prints.
    public static let version = "0.1.0"

    private let configurationPath: String
    private let control: Control
    private let offload: OffloadPool
    private let names: NameRefresh
    private(set) var snapshot: Snapshot
    let metrics: Metrics
    private(set) var log: AccessLog?
    private(set) var workers: [(mailbox: Mailbox<WorkerMessage>, pulse: Pulse, thread: Threads.Running)] = []
    private let running = Atomic<Int>(0)
    private(set) var health: HealthChecker?
    private var ops: OpsServer?
    private(set) var drainDeadline: Int64?
    private(set) var reloads = Reloads()
    private let continuity: Continuity
    private let revocations: Revocations
    let desk: RevocationDesk
    /// Sessions of people who log in; nil when there were no accounts at the start.
    let sessionDesk: SessionDesk?
    let sessionRecords: SessionRecords?
    private let startedAt = Clock.unixMilliseconds() / 1000

    private init(
        path: String,
        snapshot: Snapshot,
        continuity: Continuity,
        metrics: Metrics,
        revocations: Revocations,
        sessionDesk: SessionDesk?
    ) throws(SystemError) {
        self.revocations = revocations
        self.sessionDesk = sessionDesk
        configurationPath = path
        self.continuity = continuity
        watch = snapshot.watch
        self.snapshot = snapshot
        self.metrics = metrics
        control = try Control()
        let mailbox = control.mailbox
        sessionRecords = sessionDesk.map { SessionRecords($0, mailbox) }
        offload = try OffloadPool(threads: snapshot.settings.offloadThreads, limit: 1024)
        names = try NameRefresh(continuity.names, mailbox)
        desk = RevocationDesk(
            revocations,
            file: snapshot.settings.revocationFile,
            mailbox: control.mailbox,
            offload: offload
        )
    }

    // MARK: Run

    /// Runs the gateway with the file at `path` until it is told to stop; returns the exit status.
    public static func run(path: String) -> Int32 {
        Control.blockSignals()
        Processors.raiseDescriptorLimit()
        let reasons = Reason.allCases.map { "\($0.code)" }
        let protocolErrors = ProtocolError.allCases.map { "\($0.code)" }
        let continuity = Continuity()
        let loaded = SnapshotBuilder.load(path: path, generation: 1, continuity: continuity)
        guard let settings = loaded.settings, let build = loaded.build else {
            for line in loaded.messages { FileHandleOutput.error(line) }
            return 1
        }
        settings.log.configure()
        Log.start()
        defer { Log.stop() }
        for line in loaded.messages { Log.warning("configuration", ("problem", line)) }
        let count = settings.workerCount
        let metrics = Metrics(workers: count, reasons: reasons, protocolErrors: protocolErrors)
        let snapshot = build(metrics)
        guard let revocations = Revocations.restored(snapshot) else { return 1 }
        do {
            let opened = try SessionOpening.open(snapshot, revocations)
            let gateway = try Gateway(
                path: path,
                snapshot: snapshot,
                continuity: continuity,
                metrics: metrics,
                revocations: revocations,
                sessionDesk: opened
            )
            try gateway.start(workers: count)
            gateway.loop()
            return 0
        } catch {
            Log.error("cannot start", ("error", "\(error)"))
            return 1
        }
    }

    private func start(workers count: Int) throws(SystemError) {
        try control.watchSignals { [unowned self] in received(signal: $0) }
        let mailbox = control.mailbox
        control.watchLevel(mailbox.descriptor) { [unowned self] _ in
            for message in mailbox.drain() { received(message) }
        }
        log = try snapshot.makeAccessLog(metrics)
        var listeners: [[Listener]] = Array(repeating: [], count: count)
        for plan in snapshot.listeners {
            var address = plan.address
            var shared: Int32?
            let isTaken = isTaken(address)
            let load = plan.maximumConnections.map(ListenerLoad.init)
            for worker in 0..<count {
                if let descriptor = shared {
                    listeners[worker].append(
                        Listener(descriptor: descriptor, address: address, isShared: true, load: load)
                    )
                    continue
                }
                let (descriptor, bound) = try Listener.open(address, backlog: plan.backlog, mode: plan.mode)
                address = bound
                let isShared = bound.ip.isUnix && count > 1
                if isShared { shared = descriptor }
                listeners[worker].append(
                    Listener(descriptor: descriptor, address: bound, isShared: isShared, load: load)
                )
            }
            noteListening(plan.name, address, isShared: isTaken)
        }
        if let address = snapshot.opsAddress {
            let isTaken = isTaken(address)
            let (descriptor, bound) = try Listener.open(address, backlog: 128, mode: snapshot.settings.ops.mode)
            let endpoints = OpsEndpoints(gateway: self)
            ops = OpsServer(
                control: control,
                listener: Listener(descriptor: descriptor, address: bound, isShared: false)
            ) { endpoints.answer($0, $1) }
            noteListening("ops", bound, isShared: isTaken)
        }
        for index in 0..<count { try startWorker(index, listeners[index]) }
        apply(snapshot)
        metrics.reloaded(applied: true, unixSeconds: startedAt)
        Log.info("started", ("version", Self.version), ("workers", "\(count)"))
    }

    private func startWorker(_ index: Int, _ listeners: [Listener]) throws(SystemError) {
        let mailbox = try Mailbox<WorkerMessage>()
        let pulse = Pulse()
        let start = WorkerStart(
            index: index,
            snapshot: snapshot,
            listeners: listeners,
            mailbox: mailbox,
            metrics: metrics,
            revocations: revocations,
            sessionDesk: sessionDesk,
            log: log,
            pulse: pulse
        )
        sessionDesk?.add(mailbox)
        running.add(1, ordering: .relaxed)
        let control = control.mailbox
        let running = WeakCounter(self)
        let thread = try Threads.start("worker-\(index)") {
            Threads.askShortTurns(microseconds: 100)
            do {
                let worker = try start.make()
                worker.run()
            } catch {
                Log.error("worker cannot start", ("error", "\(error)"))
            }
            running.workerEnded()
            _ = control.post(.resolved(generation: 0, upstream: -1, []))
        }
        workers.append((mailbox, pulse, thread))
        desk.workers.append(mailbox)
    }

    func workerEnded() { running.subtract(1, ordering: .releasing) }

    private func loop() {
        var healthDue: Int64 = 0
        while running.load(ordering: .acquiring) > 0 {
            var until = control.now + 1000
            if healthDue <= control.now, let health { healthDue = health.turn(now: control.now) }
            if health != nil { until = min(until, healthDue) }
            control.turn(until: until)
            if health != nil, healthDue > control.now + 50 { healthDue = min(healthDue, control.now + 50) }
            ops?.turn(now: control.now)
            names.turn(snapshot, now: control.now)
            desk.turn(now: control.now)
            sessionDesk?.turn()
            continuity.rotate(now: control.now)
            watchFiles()
            watchLoops()
        }
        for worker in workers { worker.thread.join() }
        closeSessions()
        offload.stop()
        names.stop()
        log?.close(within: 5000)
        Log.info("stopped")
    }

    // MARK: Snapshots

    private func apply(_ next: Snapshot) {
        snapshot = next
        watch = next.watch
        next.settings.log.configure()
        adoptPortal(next)
        health?.stop()
        let isChecked = next.settings.upstreams.contains { $0.health != nil }
        health =
            isChecked
            ? HealthChecker(control: control, board: next.board, targets: next.healthTargets, now: control.now) : nil
        names.adopt(next, now: control.now)
    }

    private func reload(_ cause: Reloads.Cause) {
        guard reloads.begin(cause) else { return }
        let path = configurationPath
        let metrics = metrics
        let old = snapshot
        let mailbox = control.mailbox
        let continuity = continuity
        let accepted = offload.submit {
            let generation = old.generation + 1
            let loaded =
                switch cause {
                case .signal: SnapshotBuilder.load(path: path, generation: generation, continuity: continuity)
                case .files, .retry:
                    SnapshotBuilder.rebuild(old, path: path, generation: generation, continuity: continuity)
                }
            mailbox.post(.reloaded(loaded.build?(metrics), loaded.messages, isWhole: loaded.isWhole))
        }
        if !accepted {
            let advice = cause == .signal ? "send SIGHUP again" : "tried again later"
            ended(nil, ["too much work waits for the threads of offload_threads; \(advice)"], isWhole: false)
        }
    }

    private func received(_ message: ControlMessage) {
        switch message {
        case .reloaded(let next, let messages, let isWhole):
            ended(isWhole || !reloads.isFruitless(messages) ? next : nil, messages, isWhole: isWhole)
        case .looked(let looked, let changed):
            guard changed else { return }
            watch = looked
            Log.info("a file of certificates, keys or accounts has changed")
            reload(.files)
        case .obeyed(let ticket): desk.obeyed(ticket)
        case .saved(let failure): desk.saved(failure)
        case .sessions(let ticket, let answer): sessionRecords?.answered(ticket, answer)
        case .resolved(let generation, let upstream, let addresses):
            guard generation == snapshot.generation, upstream >= 0 else { return }
            let plan = snapshot.upstreams[upstream]
            names.answered(upstream, plan, addresses, now: control.now)
            guard addresses.contains(where: { !$0.isEmpty }) else { return }
            let targets = SnapshotBuilder.healthTargets(snapshot.settings.upstreams[upstream], plan, addresses)
            health?.retarget(plan.name, targets, now: control.now)
            for worker in workers {
                worker.mailbox.post(.resolved(generation: generation, upstream: upstream, addresses))
            }
        }
    }

    /// A reload is over: takes its snapshot over, or says why there is none, and begins the one that waits.
    ///
    /// Unless it `isWhole`, what could not be read of TLS stays as it was, and is tried again.
    private func ended(_ next: Snapshot?, _ messages: [String], isWhole: Bool) {
        let isNews = reloads.isNews(messages, isRefusal: next == nil || !isWhole)
        let isApplied = reloaded(next, messages, isNews: isNews) && isWhole
        if let waiting = reloads.end(isApplied, messages, now: control.now, interval: watch.interval) {
            reload(waiting)
        }
    }

    private func reloaded(_ next: Snapshot?, _ messages: [String], isNews: Bool) -> Bool {
        for line in messages where isNews {
            if next == nil {
                Log.error("configuration", ("problem", line))
            } else {
                Log.warning("configuration", ("problem", line))
            }
        }
        let seconds = Clock.unixMilliseconds() / 1000
        guard let next else {
            metrics.reloaded(applied: false, unixSeconds: seconds)
            guard isNews else { return false }
            Log.error("reload refused: the running configuration stays", ("generation", "\(snapshot.generation)"))
            return false
        }
        for difference in next.needsRestart(comparedWith: snapshot) {
            Log.warning("takes effect after a restart only", ("setting", difference))
        }
        if next.settings.accessLog != snapshot.settings.accessLog {
            do throws(SystemError) {
                try switchLog(to: next)
            } catch {
                metrics.reloaded(applied: false, unixSeconds: seconds)
                Log.error("reload refused: the access log cannot be opened", ("error", "\(error)"))
                return false
            }
        }
        next.carryHealth(from: health?.states ?? [])
        let revoked = next.identity.revocations(next.settings.revocations)
        revocations.change { set in
            set.limit = next.settings.limits.revocations
            set.configure(revoked)
        }
        for worker in workers { worker.mailbox.post(.adopt(next)) }
        if !revoked.isEmpty { desk.tell(revoked) {} }
        apply(next)
        metrics.reloaded(applied: true, unixSeconds: seconds)
        Log.info("configuration applied", ("generation", "\(next.generation)"))
        return true
    }

    /// Opens the access log that `next` asks for; the former one is closed when no worker writes to it any more.
    private func switchLog(to next: Snapshot) throws(SystemError) {
        let former = log
        let opened = try next.makeAccessLog(metrics)
        log = opened
        let left = Countdown(workers.count)
        let offload = offload
        for worker in workers {
            worker.mailbox.post(
                .log(opened) {
                    if left.step(), let former { _ = offload.submit { former.close() } }
                }
            )
        }
    }

    private var watch: FileWatch
    private var watchDue: Int64 = 0

    /// Looks at the files of certificates and keys, and reads them when one was replaced, or could not be read.
    private func watchFiles() {
        guard !reloads.isRunning else { return }
        if reloads.isDue(now: control.now) { return reload(.retry) }
        guard !watch.isEmpty, control.now >= watchDue else { return }
        watchDue = control.now + watch.interval
        let mailbox = control.mailbox
        let before = watch
        _ = offload.submit {
            var watch = before
            let changed = watch.hasChanged()
            mailbox.post(.looked(watch, changed: changed))
        }
    }

    // MARK: Signals

    private func received(signal: Int32) {
        switch signal {
        case SIGINT: drainDeadline == nil ? drain() : hurry()
        case SIGTERM: drain()
        case SIGHUP: reload(.signal)
        case SIGUSR1:
            log?.reopen()
            sessionDesk?.audit?.log.reopen()
        default: break
        }
    }

    private func drain() {
        if drainDeadline != nil { return }
        let deadline = Clock.milliseconds() + snapshot.drain
        drainDeadline = deadline
        Log.info("draining", ("seconds", "\(snapshot.drain / 1000)"))
        for worker in workers { worker.mailbox.post(.drain(until: deadline)) }
    }

    /// Whether another process listens at an address.
    private func isTaken(_ address: SocketAddress) -> Bool { address.ip.port != 0 && Listener.isTaken(address) }

    private func noteListening(_ name: String, _ address: SocketAddress, isShared: Bool) {
        Log.info("listening", ("listener", name), ("address", address.text))
        // One that takes over does so on purpose.
        guard isShared else { return }
        Log.warning(
            "another process listens here as well, and connections are shared with it",
            ("listener", name),
            ("address", address.text)
        )
    }

    /// Ctrl-C again: whoever sits there waits for nobody.
    ///
    /// Not at once, since some shells send it twice.
    private func hurry() {
        let now = Clock.milliseconds()
        guard let deadline = drainDeadline, now - (deadline - snapshot.drain) > 500, now < deadline else { return }
        drainDeadline = now
        Log.warning("not waiting any more")
        for worker in workers { worker.mailbox.post(.drain(until: now)) }
    }

    // MARK: Health of ourselves

    private var lastStall: Int64 = 0

    private func watchLoops() {
        guard control.now - lastStall > 10_000 else { return }
        for (index, worker) in workers.enumerated() {
            let last = worker.pulse.last
            if last > 0, control.now - last > 5000 {
                lastStall = control.now
                Log.error(
                    "a worker's loop has not turned",
                    ("worker", "\(index)"),
                    ("milliseconds", "\(control.now - last)")
                )
            }
        }
    }
}
