// COLD. Which server a command goes to: one server, the master that Sentinels know, or the owner of a slot.
internal import Bytes
internal import Reactor
internal import Synchronization

extension RedisLoop {
    /// Sends a command to its server, lets it wait for one, or fails it.
    func route(_ call: RedisCall) {
        guard call.deadline > now else { return finish(call, .failure(.timedOut)) }
        guard plan.mode == .cluster else {
            if let master, master.isReady { return master.send(call) }
            return isHopeless ? finish(call, .failure(.unavailable)) : parked.append(call)
        }
        guard let link = link(for: call) else {
            return isHopeless ? finish(call, .failure(.unavailable)) : parked.append(call)
        }
        if link.isReady {
            link.send(call)
        } else if link.failures > 0 {
            finish(call, .failure(.unavailable))
        } else {
            parked.append(call)
        }
    }

    private func link(for call: RedisCall) -> RedisLink? {
        if let asked = call.asked { return member(asked) }
        guard !slots.isEmpty else { return nil }
        if call.command.slot < 0 { return members.values.first { $0.isReady } }
        return slots[call.command.slot].map { member($0) }
    }

    private var isHopeless: Bool { shared.isDown.load(ordering: .relaxed) }

    /// Tries what waits again.
    func reroute() {
        guard !parked.isEmpty else { return }
        let all = parked
        parked = []
        for call in all { route(call) }
    }

    // MARK: Finding the server

    /// Begins to look for a server.
    func search() {
        switch plan.mode {
        case .single: openMaster(plan.servers[serverIndex % plan.servers.count])
        case .sentinel:
            guard sentinel == nil else { return }
            let link = makeLink(plan.servers[serverIndex % plan.servers.count], .sentinel)
            sentinel = link
            link.open()
        case .cluster: refreshSlots()
        }
    }

    private func openMaster(_ endpoint: RedisEndpoint) {
        if let master, master.endpoint != endpoint {
            drop(master)
            self.master = nil
        }
        let link = master ?? makeLink(endpoint, .commands)
        master = link
        link.open()
    }

    /// A link can be used.
    func linkReady(_ link: RedisLink) {
        switch link.role {
        case .sentinel:
            guard case .sentinel(let name) = plan.mode else { return }
            let question: [RedisArgument] = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", RedisArgument(name)]
            link.ask(.masterAddress, RedisCommand(key: nil, question), within: plan.timeout)
        case .events: beginFollowing(link)
        case .commands:
            searchFailures = 0
            if plan.mode == .cluster {
                if slots.isEmpty { refreshSlots() }
                checkCluster()
            } else {
                setAvailable(true)
                openEvents(link.endpoint)
            }
            reroute()
        }
    }

    /// A link was closed by a failure.
    func linkLost(_ link: RedisLink, wasReady: Bool, unanswered: [RedisCall]) {
        shared.problem.withLock { $0 = link.problem }
        switch link.role {
        case .events: eventsLost(link)
        case .sentinel:
            sentinel = nil
            drop(link)
            serverIndex += 1
            searchFailed()
        case .commands:
            recover(unanswered)
            if plan.mode == .cluster { return memberLost(link) }
            setAvailable(false)
            if let events { drop(events) }
            events = nil
            isFollowing = false
            if wasReady {
                // The server may be back at once, or another one has taken over: what may wait does so until it is known.
                search()
            } else {
                serverIndex += 1
                searchFailed()
            }
        }
    }

    /// Asks a Sentinel again while all seems well: an old master that was cut off from the others does not know that it
    /// is none any more.
    func confirmMaster() {
        guard case .sentinel = plan.mode, now >= confirmAt, master?.isReady ?? false else { return }
        confirmAt = now + Self.confirmEvery
        search()
    }

    private static let confirmEvery: Int64 = 5000

    /// No server was found this time.
    private func searchFailed() {
        // It was only asked whether the master is still the same.
        if let master, master.isReady { return }
        searchFailures += 1
        // Several candidates are tried before everybody is told that there is none.
        if searchFailures >= plan.servers.count { lose() }
        // A closed link keeps the time of the next attempt, wherever that one goes to.
        let link = master ?? makeLink(plan.servers[serverIndex % plan.servers.count], .commands)
        master = link
        link.retryAt = now + pause(after: searchFailures / max(1, plan.servers.count))
        link.rearm()
    }

    func lose() {
        shared.isDown.store(true, ordering: .relaxed)
        for call in parked { finish(call, .failure(.unavailable)) }
        parked = []
    }

    /// The time to try again has come.
    func retry(_ link: RedisLink) {
        link.retryAt = nil
        if link.role == .events || plan.mode == .cluster { link.open() } else { search() }
    }

    func setAvailable(_ isAvailable: Bool) {
        if isAvailable { shared.isDown.store(false, ordering: .relaxed) }
        guard shared.isAvailable.exchange(isAvailable, ordering: .acquiringAndReleasing) != isAvailable else { return }
        shared.tell(.available(isAvailable))
    }

    // MARK: Answers

    /// An answer to somebody's command.
    func answered(_ call: RedisCall, _ reply: RedisReply, _ link: RedisLink) {
        guard case .error(let text) = reply, call.hops < Self.mostHops else { return finish(call, .success(reply)) }
        var again = call
        again.hops += 1
        again.asked = nil
        let words = text.split(separator: " ", maxSplits: 3)
        switch words.first {
        case "MOVED" where words.count >= 3:
            guard let slot = Int(words[1]), slots.indices.contains(slot),
                let endpoint = RedisEndpoint(cluster: words[2], seenFrom: link.endpoint)
            else {
                shared.problem.withLock { $0 = "\(link.endpoint.text): it belongs to a cluster, set cluster: true" }
                return finish(call, .failure(.unavailable))
            }
            slots[slot] = endpoint
            slotsDueAt = min(slotsDueAt, now)
            route(again)
        case "ASK" where words.count >= 3:
            again.asked = RedisEndpoint(cluster: words[2], seenFrom: link.endpoint)
            route(again)
        case "TRYAGAIN": parked.append(again)
        case "CLUSTERDOWN":
            slotsDueAt = min(slotsDueAt, now)
            finish(call, .failure(.unavailable))
        default:
            // It was not carried out: the server is no master any more, or not one yet.
            let isNoMaster =
                text.hasPrefix("READONLY") || text.hasPrefix("MASTERDOWN") || text.hasPrefix("LOADING")
                || text.contains("-READONLY")
            guard isNoMaster else { return finish(call, .success(reply)) }
            parked.append(again)
            link.fail("it does not take writes (\(text.prefix { $0 != " " }))")
        }
    }

    /// An answer to a question of the loop.
    func answered(_ question: RedisQuestion, _ reply: RedisReply, _ link: RedisLink) {
        switch question {
        case .masterAddress:
            sentinel = nil
            let words = reply.array?.compactMap(\.text) ?? []
            drop(link)
            guard words.count == 2, let port = UInt16(words[1]), port > 0 else {
                shared.problem.withLock { $0 = "\(link.endpoint.text): the Sentinel knows no such master" }
                serverIndex += 1
                return searchFailed()
            }
            openMaster(RedisEndpoint(host: words[0], port: port))
        case .slots: learnSlots(reply, from: link)
        case .lastEvent, .events, .firstEvent: followed(question, reply, link)
        case .ping, .authenticate, .select, .role, .asking: break
        }
    }
}
