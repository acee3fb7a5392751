// COLD. The members of a cluster and who owns which slot: asked for at the start, and again whenever it may have changed.
internal import Reactor
internal import Synchronization

extension RedisLoop {
    private static let refreshEvery: Int64 = 60_000
    private static let refreshWhileBroken: Int64 = 300
    private static let mostMembers = 1000

    /// The link to a member, new ones are opened.
    func member(_ endpoint: RedisEndpoint) -> RedisLink {
        if let link = members[endpoint] { return link }
        let link = makeLink(endpoint, .commands)
        members[endpoint] = link
        link.open()
        return link
    }

    func refreshSlotsIfDue() {
        if now >= slotsDueAt { refreshSlots() }
    }

    /// Asks a member for the slots; opens one when there is none.
    func refreshSlots() {
        slotsDueAt = now + (slots.isEmpty || !isWhole ? Self.refreshWhileBroken : Self.refreshEvery)
        let ready = members.values.filter { $0.isReady }
        // Not always the same one: it may be cut off from the rest.
        if let link = ready.randomElement() {
            link.ask(.slots, RedisCommand(key: nil, ["CLUSTER", "SLOTS"]), within: plan.timeout)
            return
        }
        let seed = plan.servers[serverIndex % plan.servers.count]
        serverIndex += 1
        let link = member(seed)
        if !link.isOpening, link.retryAt == nil { link.open() }
    }

    /// Takes the answer of `CLUSTER SLOTS` in.
    func learnSlots(_ reply: RedisReply, from link: RedisLink) {
        guard let ranges = reply.array else { return link.fail("it does not tell the slots of the cluster") }
        var table: [RedisEndpoint?] = .init(repeating: nil, count: RedisSlot.count)
        var masters: Set<RedisEndpoint> = []
        for range in ranges {
            guard let parts = range.array, parts.count >= 3, let first = parts[0].integer, let last = parts[1].integer,
                let node = parts[2].array, node.count >= 2, let port = node[1].integer.flatMap({ UInt16(exactly: $0) }),
                (0..<Int64(RedisSlot.count)).contains(first), (first..<Int64(RedisSlot.count)).contains(last), port > 0,
                masters.count < Self.mostMembers
            else { continue }
            let host = node[0].text ?? ""
            let endpoint = RedisEndpoint(host: host.isEmpty || host == "?" ? link.endpoint.host : host, port: port)
            masters.insert(endpoint)
            for slot in Int(first)...Int(last) { table[slot] = endpoint }
        }
        guard !masters.isEmpty else { return }
        slots = table
        for endpoint in masters { _ = member(endpoint) }
        for (endpoint, old) in members where !masters.contains(endpoint) && old !== link {
            members[endpoint] = nil
            drop(old)
        }
        checkCluster()
        reroute()
    }

    /// Whether every slot has an owner who can be reached.
    private var isWhole: Bool {
        guard !slots.isEmpty else { return false }
        var last: RedisEndpoint?
        for slot in slots {
            guard let slot else { return false }
            if slot == last { continue }
            guard members[slot]?.isReady ?? false else { return false }
            last = slot
        }
        return true
    }

    func checkCluster() {
        let isWhole = isWhole
        setAvailable(isWhole)
        guard !slots.isEmpty else { return }
        shared.isDown.store(false, ordering: .relaxed)
        guard let owner = slots[eventPlan.slot], members[owner]?.isReady ?? false else { return }
        openEvents(owner)
    }

    func memberLost(_ link: RedisLink) {
        link.retryAt = now + pause(after: link.failures)
        link.rearm()
        setAvailable(isWhole)
        slotsDueAt = min(slotsDueAt, now + Self.tickSoon)
        if !members.values.contains(where: { $0.isReady || $0.isOpening }) {
            searchFailures += 1
            if searchFailures >= plan.servers.count { lose() }
        }
    }

    private static let tickSoon: Int64 = 50
}
