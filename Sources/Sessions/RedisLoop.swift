// COLD. The thread that owns the connections to Redis: mail in, commands out, answers back, time.
// Which server a command goes to stands in RedisLoop+Routing.swift, invalidations in RedisLoop+Events.swift.
internal import Bytes
internal import Glibc
internal import Reactor
internal import Synchronization
internal import TLS

/// The loop; everything in it is used by its own thread only.
final class RedisLoop {
    static let bufferBytes = 64 * 1024
    static let mailGeneration = UInt32.max

    let plan: RedisPlan
    let eventPlan: RedisEventPlan
    let shared: RedisShared
    let wheel = TimerWheel(now: Clock.milliseconds())
    let sessions = SessionCache(capacity: 64)
    let buffer = OutputBuffer(capacity: RedisLoop.bufferBytes)
    private(set) var now = Clock.milliseconds()
    private let poller: Poller
    private let mailbox: Mailbox<RedisMessage>
    private let resolver: OffloadPool
    private var watched: [Int32: RedisLink] = [:]
    private var unflushed: [RedisLink] = []
    private var stopping: CheckedContinuation<Void, Never>??
    private var stopsAt: Int64 = 0

    // Routing.
    var links: [Int: RedisLink] = [:]
    private var nextNumber = 1
    /// Commands that wait for a server to be found; tried again on every change and every tick.
    var parked: [RedisCall] = []
    /// Where commands go outside of a cluster, and the index of the server that is tried next.
    var master: RedisLink?
    var serverIndex = 0
    var sentinel: RedisLink?
    var searchFailures = 0
    var confirmAt: Int64 = 0
    /// The members of a cluster that were named, and which of them has each slot.
    var members: [RedisEndpoint: RedisLink] = [:]
    var slots: [RedisEndpoint?] = []
    var slotsDueAt: Int64 = 0
    // Events.
    var events: RedisLink?
    var lastEvent = RedisEventID()
    var pageBegan = RedisEventID()
    var isFollowing: Bool {
        get { shared.isFollowing.load(ordering: .relaxed) }
        set { shared.isFollowing.store(newValue, ordering: .releasing) }
    }
    var toldMissedAt: Int64 = 0
    private let tick: TimerID

    private static let tickEvery: Int64 = 50

    init?(
        _ plan: RedisPlan,
        _ eventPlan: RedisEventPlan,
        _ shared: RedisShared,
        _ mailbox: Mailbox<RedisMessage>,
        _ resolver: OffloadPool
    ) {
        guard let poller = try? Poller(), poller.addLevel(mailbox.descriptor, generation: Self.mailGeneration) else {
            return nil
        }
        self.plan = plan
        self.eventPlan = eventPlan
        self.shared = shared
        self.poller = poller
        self.mailbox = mailbox
        self.resolver = resolver
        tick = wheel.make(owner: 0)
    }

    func run() {
        search()
        wheel.arm(tick, at: now + Self.tickEvery)
        while true {
            let count = poller.wait(milliseconds: wheel.timeout(now: now, limit: 1000))
            now = Clock.milliseconds()
            for index in 0..<count {
                let event = poller.event(index)
                if event.generation == Self.mailGeneration {
                    for message in mailbox.drain() { receive(message) }
                } else if let link = watched[event.descriptor], link.generation == event.generation {
                    link.ready(event.readiness)
                }
            }
            wheel.advance(to: now)
            while let timer = wheel.popExpired() {
                let owner = wheel.owner(of: timer)
                if owner == 0 { ticked() } else { links[Int(owner)]?.timerFired() }
            }
            while !unflushed.isEmpty {
                let all = unflushed
                unflushed = []
                for link in all { link.flush() }
            }
            if let stopping, isIdle || now >= stopsAt { return stop(stopping) }
        }
    }

    private func receive(_ message: RedisMessage) {
        switch message {
        case .calls(let calls): for call in calls { route(call) }
        case .resolved(let number, let generation, let addresses):
            links[number]?.resolved(addresses, generation: generation)
        case .stop(let continuation):
            stopping = .some(continuation)
            stopsAt = now + plan.timeout
        }
    }

    private var isIdle: Bool { parked.isEmpty && !links.values.contains { $0.role == .commands && $0.isBusy } }

    private func stop(_ continuation: CheckedContinuation<Void, Never>?) {
        for link in links.values {
            for call in link.discard() { finish(call, .failure(.unavailable)) }
        }
        for call in parked { finish(call, .failure(.unavailable)) }
        parked = []
        shared.isAvailable.store(false, ordering: .releasing)
        continuation?.resume()
    }

    /// Without resources for a loop every command fails, until the client is closed.
    static func refuseAll(_ mailbox: Mailbox<RedisMessage>, _ shared: RedisShared) {
        while true {
            var wanted = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&wanted, 1, -1)
            for message in mailbox.drain() {
                switch message {
                case .calls(let calls): for call in calls { call.gather.set(call.index, .failure(.unavailable)) }
                case .resolved: break
                case .stop(let continuation):
                    continuation?.resume()
                    return
                }
            }
        }
    }

    /// Twenty times a second: what waits too long, what can be tried again.
    private func ticked() {
        wheel.arm(tick, at: now + Self.tickEvery)
        reroute()
        if plan.mode == .cluster { refreshSlotsIfDue() }
        confirmMaster()
        tellMissedWhileDeaf()
    }

    // MARK: For links

    func makeLink(_ endpoint: RedisEndpoint, _ role: RedisRole) -> RedisLink {
        let link = RedisLink(endpoint, role, number: nextNumber, loop: self)
        links[nextNumber] = link
        nextNumber += 1
        return link
    }

    /// Closes a link for good; commands without answer are looked after.
    func drop(_ link: RedisLink) {
        links[link.number] = nil
        unflushed.removeAll { $0 === link }
        recover(link.discard())
    }

    func watch(_ descriptor: Int32, _ link: RedisLink) -> Bool {
        guard poller.add(descriptor, generation: link.generation) else { return false }
        watched[descriptor] = link
        return true
    }

    func unwatch(_ descriptor: Int32) {
        poller.remove(descriptor)
        watched[descriptor] = nil
    }

    func flushLater(_ link: RedisLink) {
        if unflushed.last !== link { unflushed.append(link) }
    }

    func resolve(_ endpoint: RedisEndpoint, _ number: Int, _ generation: UInt32) -> Bool {
        resolver.submit { [mailbox] in
            let addresses = RedisResolver.addresses(of: endpoint.host, port: endpoint.port)
            mailbox.post(.resolved(link: number, generation: generation, addresses))
        }
    }

    func finish(_ call: RedisCall, _ result: RedisResult) { call.gather.set(call.index, result) }

    /// Looks after commands whose connection was lost: reads go elsewhere, of the others nobody knows what became.
    func recover(_ calls: [RedisCall]) {
        for call in calls {
            if call.deadline <= now {
                finish(call, .failure(.timedOut))
            } else if call.command.isRead, call.hops < Self.mostHops {
                var again = call
                again.hops += 1
                again.asked = nil
                parked.append(again)
            } else {
                finish(call, .failure(.unavailable))
            }
        }
    }

    static let mostHops = 5

    /// Between two attempts: 50 ms, doubled up to 2 s, of which a random half is taken off.
    func pause(after failures: Int) -> Int64 {
        let most = min(2000, Int64(50) << Int64(min(max(failures - 1, 0), 6)))
        return most / 2 + Int64.random(in: 0...(most / 2))
    }
}
