// HOT. One thread's whole gateway: its loop, its connections, its buffers, its caches. Nothing here leaves the thread.
import Bytes
import CLinux
import Glibc
import HTTP
import HTTP2
import Identity
import Portal
import Reactor
import Telemetry
import Upstreams

/// What other threads tell a worker.
enum WorkerMessage: Sendable {
    /// Use this snapshot for every exchange that begins from now on.
    case adopt(Snapshot)
    /// Write the access log there from now on, and call back when the former one is not used any more.
    case log(AccessLog?, switched: @Sendable () -> Void)
    /// A server's name has new addresses.
    case resolved(generation: UInt64, upstream: Int, [[SocketAddress]])
    /// Forget and end what is revoked, and call back.
    case revoked([Revocation], obeyed: @Sendable () -> Void)
    /// A session was looked up for the exchanges that wait for it.
    case session(SessionDigest, SessionOutcome)
    /// A page of ours is ready.
    case portal(ExchangeTicket, PortalAnswer?, SessionOutcome?)
    /// Something happened to sessions.
    case sessions(SessionNews)
    /// Stop accepting, finish what runs, and end by the deadline (monotonic milliseconds).
    case drain(until: Int64)
}

/// Who owns a descriptor.
enum Slot {
    case free
    case listener(Listener, ListenerPlan)
    case handshake(ClientHandshake)
    case http1(HTTP1Connection)
    case http2(HTTP2Connection)
    case upstream(HTTP1Upstream)
    case backend(HTTP2Backend)
    case mailbox
}

/// One worker thread.
///
/// A turn: clock; events; timers; connections that still have work; access log; sleep.
final class Worker {
    let index: Int
    let poller: Poller
    let wheel: TimerWheel
    let mailbox: Mailbox<WorkerMessage>
    let metrics: WorkerMetrics
    /// Of all workers: limits of the process count all connections.
    let allMetrics: Metrics
    /// Client connections that leave enough descriptors for everything else.
    let descriptorLimit: Int
    var lane: AccessLane?
    let small = BufferPool(size: 16 * 1024, kept: 1024)
    let large = BufferPool(size: 256 * 1024, kept: 16)
    let scratch: UnsafeMutablePointer<UInt8>
    static let scratchSize = 256 * 1024
    /// What was read of a multiplexed connection, while its events are dealt with: clients' and backends'.
    let frames: UnsafeMutablePointer<UInt8>
    let backendFrames: UnsafeMutablePointer<UInt8>
    static let framesSize = 64 * 1024
    /// Memory that the codecs of HTTP/2 share.
    let workspace: HTTP2Workspace

    /// The head being parsed or written right now; valid until the next parse on this worker.
    var requestHead: RequestHead
    let responseHead = ResponseHead(maxFields: 256)
    let trailers = FieldTable(capacity: 128)
    var target: CanonicalTarget
    /// Where heads are put together before they are sent.
    let compose = OutputBuffer(capacity: 64 * 1024)
    /// Where bodies of our own are put together.
    let bodyScratch = OutputBuffer(capacity: 8 * 1024)
    let dates = DateCache()
    /// Tokens that were verified already; survives reloads, whose generation is part of its key.
    var cache: VerifiedCache
    /// Sessions that were looked up already, by their cookies.
    var sessions: VerifiedCache
    /// Exchanges that wait for a session.
    var waiting: [SessionDigest: SessionWait] = [:]
    let sessionDesk: SessionDesk?
    /// What is revoked, for the whole process.
    let revocations: Revocations
    var random: FastRandom

    /// Monotonic milliseconds of this turn.
    var now: Int64
    /// Unix seconds of this turn.
    var unixSeconds: Int64
    var plan: WorkerPlan

    var slots: [Slot] = []
    var generations: [UInt32] = []
    /// Which descriptors are connections to backends that no exchange uses.
    var pooled: [Bool] = []
    var listeners: [Listener] = []
    /// Whether no listener is watched for a moment, because there is no descriptor for a client.
    var isFull = false
    /// Connections that run again in the next turn, and multiplexed ones with frames to send in this one.
    var pending: [UInt64] = []
    var unflushed: [UInt64] = []
    /// Upstreams whose connections are all taken, and who waits for one.
    var lines: [WaitLine] = []
    private var exchangePool: [Exchange] = []
    private(set) var exchanges: [Exchange] = []
    var connections = 0
    private(set) var activeExchanges = 0
    var handshakes = HandshakeBudget()
    /// Handshakes that can go on.
    var greeted: [Greeting] = []
    /// Clients whose connections or handshakes failed lately, and connections whose end is put off for it.
    var offenders: Offenders
    var leavers: Offenders
    var penalties = 0
    /// Connections of each listener, over all workers.
    let loads: [ListenerLoad?]
    var drainDeadline: Int64?
    /// When what would not end by itself is told that the end is near.
    var farewellAt = Int64.max
    /// When a drain closes the listeners: milliseconds after its begin in which handshakes come to their end.
    var listenersClose: Int64 = 0
    static let handshake: Int64 = 100
    private var nextSweep: Int64 = 0
    /// Beats once per turn; the watchdog looks at it.
    let pulse: Pulse

    var isDraining: Bool { drainDeadline != nil }

    init(
        index: Int,
        snapshot: Snapshot,
        listeners: [Listener],
        mailbox: Mailbox<WorkerMessage>,
        metrics: Metrics,
        revocations: Revocations,
        sessionDesk: SessionDesk?,
        lane: AccessLane?,
        pulse: Pulse
    ) throws(SystemError) {
        self.index = index
        self.revocations = revocations
        self.sessionDesk = sessionDesk
        self.metrics = metrics.worker(index)
        allMetrics = metrics
        descriptorLimit = Processors.connectionLimit
        self.lane = lane
        self.mailbox = mailbox
        self.listeners = listeners
        loads = listeners.map(\.load)
        self.pulse = pulse
        poller = try Poller()
        now = Clock.milliseconds()
        unixSeconds = Clock.unixMilliseconds() / 1000
        wheel = TimerWheel(now: now)
        scratch = .allocate(capacity: Self.scratchSize)
        frames = .allocate(capacity: Self.framesSize)
        backendFrames = .allocate(capacity: Self.framesSize)
        workspace = HTTP2Workspace(pool: small)
        random = FastRandom()
        offenders = Offenders(seed: random.next())
        leavers = Offenders(seed: random.next())
        plan = WorkerPlan(snapshot, worker: index)
        cache = VerifiedCache(entries: snapshot.identity.cacheEntries)
        sessions = snapshot.makeSessionCache()
        requestHead = RequestHead(maxFields: snapshot.headLimits.fields)
        target = CanonicalTarget(capacity: 3 * snapshot.headLimits.requestLine)
        register(mailbox.descriptor, .mailbox)
        for (listener, plan) in zip(listeners, snapshot.listeners) {
            register(listener.descriptor, .listener(listener, plan), shared: listener.isShared)
        }
        keepAlive()
    }

    deinit {
        scratch.deallocate()
        frames.deallocate()
        backendFrames.deallocate()
    }

    /// Runs until drained.
    func run() {
        // Ready from now on, not from the first event on.
        tick()
        while true {
            let isBusy = !pending.isEmpty || !unflushed.isEmpty || !greeted.isEmpty
            let limit: Int64 = isDraining ? 20 : 500
            let count = poller.wait(milliseconds: isBusy ? 0 : wheel.timeout(now: now, limit: limit))
            tick()
            // What a pooled connection says comes first: a request of this very turn must not take it for its answer.
            for i in 0..<count {
                let event = poller.event(i)
                guard Int(event.descriptor) < pooled.count, pooled[Int(event.descriptor)] else { continue }
                dispatch(event.descriptor, event.generation, event.readiness)
            }
            for i in 0..<count {
                let event = poller.event(i)
                dispatch(event.descriptor, event.generation, event.readiness)
            }
            fireTimers()
            resumePending()
            if !greeted.isEmpty { shakeHands() }
            flushQueued()
            if !lines.isEmpty { serveLines() }
            lane?.tick(now: now)
            if Clock.milliseconds() - now > plan.timeouts.loopStall { metrics.add(.loopStalls, 1) }
            if let deadline = drainDeadline, isDrained(deadline) { break }
        }
        lane?.flush()
        // What a worker holds refers to it, for what is not counted costs more than what is: all is let go here.
        slots = []
        exchangePool = []
        exchanges = []
    }

    private func tick() {
        now = Clock.milliseconds()
        unixSeconds = Clock.unixMilliseconds() / 1000
        pulse.beat(now)
    }

    @inline(__always)
    private func dispatch(_ descriptor: Int32, _ generation: UInt32, _ readiness: Readiness) {
        let place = Int(descriptor)
        guard place < slots.count, generations[place] == generation else { return }
        switch slots[place] {
        case .http1(let connection): connection.ready(readiness)
        case .upstream(let connection): connection.ready(readiness)
        case .http2(let connection): connection.ready(readiness)
        case .backend(let connection): connection.ready(readiness)
        case .listener(let listener, let plan): accept(listener, plan)
        case .handshake: greeted.append(Greeting(key: UInt64(generation) << 32 | UInt64(place), readiness: readiness))
        case .mailbox: readMail()
        case .free: break
        }
    }

    private func fireTimers() {
        wheel.advance(to: now)
        while let timer = wheel.popExpired() {
            let owner = wheel.owner(of: timer)
            if owner & Self.exchangeTimer != 0 {
                exchanges[Int(owner & ~Self.exchangeTimer)].timerFired()
            } else {
                switch slot(owner) {
                case .http1(let connection): connection.timerFired()
                case .http2(let connection): connection.timerFired()
                case .handshake(let connection): connection.timerFired()
                case .backend(let connection): connection.timerFired()
                case .upstream, .listener, .mailbox, .free: break
                }
            }
        }
        if now >= nextSweep {
            nextSweep = now + 1000
            sweepIdleUpstreams()
            watchListeners()
        }
    }

    // MARK: Descriptors

    /// Takes a descriptor into the table and the poller; returns its key, or nil when the kernel refuses.
    @discardableResult
    func register(_ descriptor: Int32, _ slot: Slot, shared: Bool = false) -> UInt64? {
        let place = Int(descriptor)
        while slots.count <= place {
            slots.append(.free)
            generations.append(1)
            pooled.append(false)
        }
        slots[place] = slot
        let generation = generations[place]
        let added =
            switch slot {
            case .listener, .mailbox: poller.addLevel(descriptor, generation: generation, exclusive: shared)
            default: poller.add(descriptor, generation: generation)
            }
        guard added else {
            slots[place] = .free
            return nil
        }
        return UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
    }

    func nextGeneration(of descriptor: Int32) -> UInt32 {
        let place = Int(descriptor)
        return place < generations.count ? generations[place] : 1
    }

    func adopt(_ connection: HTTP1Upstream) -> Bool {
        register(connection.descriptor, .upstream(connection)) != nil
    }

    func adopt(_ connection: HTTP2Backend) -> Bool {
        register(connection.descriptor, .backend(connection)) != nil
    }

    /// Closes a descriptor and makes every event that is still under way for it stale.
    func retire(_ descriptor: Int32) {
        let place = Int(descriptor)
        slots[place] = .free
        pooled[place] = false
        generations[place] = (generations[place] &+ 1) & 0x7fff_ffff
        if generations[place] == 0 { generations[place] = 1 }
        Socket.close(descriptor)
    }

    /// Who has a registration, `.free` when that is over.
    @inline(__always)
    func slot(_ key: UInt64) -> Slot {
        let place = Int(truncatingIfNeeded: key & 0xffff_ffff)
        guard place < slots.count, UInt64(generations[place]) == key >> 32 else { return .free }
        return slots[place]
    }

    /// A backend's multiplexed connection.
    func backend(_ key: UInt64) -> HTTP2Backend? {
        if case .backend(let connection) = slot(key) { return connection }
        return nil
    }

    /// A multiplexed connection to a backend that takes another request.
    func carrier(of backend: Backend) -> HTTP2Backend? {
        for key in backend.shared {
            if let carrier = self.backend(key), carrier.takesRequests { return carrier }
        }
        return nil
    }

    @inline(__always)
    func upstream(_ key: UInt64) -> HTTP1Upstream? {
        let place = Int(truncatingIfNeeded: key & 0xffff_ffff)
        guard place < slots.count, UInt64(generations[place]) == key >> 32 else { return nil }
        if case .upstream(let connection) = slots[place] { return connection }
        return nil
    }

    // MARK: Exchanges

    static let exchangeTimer: UInt64 = 1 << 63

    func takeExchange() -> Exchange {
        activeExchanges += 1
        if let exchange = exchangePool.popLast() { return exchange }
        let timer = wheel.make(owner: Self.exchangeTimer | UInt64(exchanges.count))
        let exchange = Exchange(worker: self, timer: timer, index: exchanges.count)
        exchanges.append(exchange)
        return exchange
    }

    func give(_ exchange: Exchange) {
        activeExchanges -= 1
        exchangePool.append(exchange)
    }

    func closeIdle(of backend: Backend) {
        for key in backend.takeIdle() { upstream(key)?.closeIdle() }
        for key in backend.shared { self.backend(key)?.closeIfIdle() }
    }

    /// Counts what a client or a backend did wrong, and the limit that it passed.
    func refused(_ error: ProtocolError) {
        metrics.refused(protocolError: Int(error.rawValue))
        if let limit = error.limit { metrics.hit(limit) }
    }

    private func sweepIdleUpstreams() {
        var open = 0
        var idle = 0
        defer {
            metrics.set(.upstreamConnectionsOpen, to: open)
            metrics.set(.upstreamConnectionsIdle, to: idle)
        }
        for upstream in plan.upstreams {
            for backend in upstream.backends {
                open +=
                    (upstream.streamsPerConnection == 1 ? backend.active : backend.shared.count) + backend.idle.count
                for key in backend.shared {
                    guard let carrier = self.backend(key), carrier.isIdle(since: now - upstream.idleTimeout) else {
                        continue
                    }
                    carrier.closeIfIdle()
                }
                idle += backend.idle.count
                while let key = backend.oldestIdle, let connection = self.upstream(key),
                    connection.idleSince + upstream.idleTimeout <= now
                {
                    backend.dropOldestIdle()
                    connection.closeIdle()
                }
            }
        }
    }
}
