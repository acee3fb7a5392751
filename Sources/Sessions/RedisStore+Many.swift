// COLD. Many sessions of the Redis store: ended, listed, swept.
internal import Bytes
internal import Reactor

/// The sessions that ended pages, and where they stood in the list of their account; a bounded memory.
final class RedisPageEnds: Sendable {
    private static let capacity = 1024
    private let state = Locked<(places: [SessionKey: Int64], order: [SessionKey])>((places: [:], order: []))

    func insert(_ key: SessionKey, _ place: Int64) {
        state.withLock { state in
            guard state.places.updateValue(place, forKey: key) == nil else { return }
            state.order.append(key)
            if state.order.count > Self.capacity { state.places[state.order.removeFirst()] = nil }
        }
    }

    func place(_ key: SessionKey) -> Int64? { state.withLock { $0.places[key] } }
}

extension RedisStore {
    // MARK: Ending

    /// Ends sessions; returns the records of those that were there.
    ///
    /// Every gateway is told of all of them: what is not in the store any more can still be in a cache.
    func end(_ ending: [SessionKey]) async throws(StoreError) -> [SessionRecord] {
        guard !ending.isEmpty else { return [] }
        let uses = ending.map { key in
            RedisUse(
                keys: isCluster ? [keys.session(key)] : whole(key.text),
                arguments: [RedisArgument(key.text), Self.streamLength, RedisArgument(origin)]
            )
        }
        // Announced first: deleted without being announced, a session would go on in the other gateways' caches.
        if isCluster { try await announce(ending) }
        let replies = try await run(.end, uses)
        client.shared.tell(.ended(ending))
        if isCluster { try await dropEntries(ending) }
        let records = zip(ending, replies).compactMap { key, reply in
            reply.bytes.flatMap { RedisRecord.decode($0, key: key) }
        }
        await unlist(records)
        return records
    }

    /// Tells the other gateways of a cluster.
    private func announce(_ ended: [SessionKey]) async throws(StoreError) {
        let field = RedisArgument(RedisEventPlan.ended)
        _ = try await run(
            .announce,
            ended.map {
                RedisUse(keys: [keys.events], arguments: [Self.streamLength, field, RedisArgument(origin + $0.text)])
            }
        )
    }

    /// Takes entries out of the indexes of a cluster.
    ///
    /// Also of sessions that were not there: whoever ended them may not have come so far.
    private func dropEntries(_ ended: [SessionKey]) async throws(StoreError) {
        let members = ended.map { RedisArgument($0.text) }
        let drops = [keys.removal, keys.all].map {
            RedisCommand(key: $0, ["ZREM", RedisArgument($0)] + members)
        }
        for result in try await all(drops) { _ = try Self.reply(result) }
    }

    /// Takes sessions out of the lists of their accounts; a list that keeps one drops it when it is next read.
    func unlist(_ records: [SessionRecord]) async {
        _ = try? await all(
            records.map {
                let name = keys.account($0.account)
                return RedisCommand(key: name, ["ZREM", RedisArgument(name), RedisArgument($0.key.text)])
            }
        )
    }

    /// Ends all sessions of `filter` but one.
    public func end(
        where filter: SessionFilter,
        except: SessionKey?,
        _ reason: EndReason
    ) async throws(StoreError) -> [SessionRecord] {
        var ended: [SessionRecord] = []
        var after: SessionKey?
        while true {
            let page = try await list(filter, after: after, limit: Self.page)
            ended += try await end(page.map(\.key).filter { $0 != except })
            guard page.count == Self.page, let last = page.last else { return ended }
            after = last.key
        }
    }

    // MARK: Lists

    static let page = 256

    /// Sessions of an account, newest first; or of all, in the order of their keys.
    public func list(
        _ filter: SessionFilter,
        after: SessionKey?,
        limit: Int
    ) async throws(StoreError) -> [SessionRecord] {
        let limit = min(max(1, limit), StoreLimits.page)
        guard let account = filter.account else { return try await listAll(filter, after, limit) }
        let name = keys.account(account)
        var from: Int64?
        if let after {
            let score = RedisCommand(
                key: name,
                isRead: true,
                ["ZSCORE", RedisArgument(name), RedisArgument(after.text)]
            )
            from = try await one(score).text.flatMap { Double($0) }.map { Int64($0) } ?? pageEnds.place(after)
            if from == nil { return [] }
        }
        var found: [SessionRecord] = []
        var stale: [SessionKey] = []
        var last: (key: SessionKey, place: Int64)?
        while found.count < limit {
            let top = from.map { RedisArgument("(\($0)") } ?? "+inf"
            let words: [RedisArgument] = [RedisArgument(name), top, "-inf", "WITHSCORES", "LIMIT", "0", "\(Self.page)"]
            let reply = try await one(RedisCommand(key: name, isRead: true, ["ZREVRANGEBYSCORE"] + words))
            let entries = Self.scored(reply)
            for (entry, record) in zip(entries, try await records(entries.map(\.key))) where found.count < limit {
                from = entry.place
                guard let record else {
                    // In a cluster the entry of a new session is there before its record.
                    if entry.place / 1_000_000 < Self.now - 60 { stale.append(entry.key) }
                    continue
                }
                if filter.matches(record) {
                    found.append(record)
                    last = (record.key, entry.place)
                }
            }
            if entries.count < Self.page { break }
        }
        if let last { pageEnds.insert(last.key, last.place) }
        if !stale.isEmpty {
            let drop = ["ZREM", RedisArgument(name)] + stale.map { RedisArgument($0.text) }
            _ = try? await one(RedisCommand(key: name, drop))
        }
        return found
    }

    private func listAll(
        _ filter: SessionFilter,
        _ after: SessionKey?,
        _ limit: Int
    ) async throws(StoreError) -> [SessionRecord] {
        var found: [SessionRecord] = []
        var from = after.map { RedisArgument("(\($0.text)") } ?? "-"
        while found.count < limit {
            let words: [RedisArgument] = [RedisArgument(keys.all), from, "+", "LIMIT", "0", "\(Self.page)"]
            let reply = try await one(RedisCommand(key: keys.all, isRead: true, ["ZRANGEBYLEX"] + words))
            let part = (reply.array ?? []).compactMap { $0.text.flatMap { SessionKey(text: $0) } }
            for case .some(let record) in try await records(part) where filter.matches(record) && found.count < limit {
                found.append(record)
            }
            guard part.count == Self.page, let last = part.last else { break }
            from = RedisArgument("(\(last.text)")
        }
        return found
    }

    private func records(_ wanted: [SessionKey]) async throws(StoreError) -> [SessionRecord?] {
        let results = try await all(wanted.map { Self.get(keys.session($0)) })
        var records: [SessionRecord?] = []
        for (key, result) in zip(wanted, results) {
            guard let bytes = try Self.reply(result).bytes else {
                records.append(nil)
                continue
            }
            guard let record = RedisRecord.decode(bytes, key: key) else { throw .corrupt }
            records.append(record)
        }
        return records
    }

    private static func scored(_ reply: RedisReply) -> [(key: SessionKey, place: Int64)] {
        let words = reply.array ?? []
        return stride(from: 0, to: words.count - 1, by: 2).compactMap { index in
            guard let key = words[index].text.flatMap({ SessionKey(text: $0) }),
                let place = words[index + 1].text.flatMap({ Double($0) })
            else { return nil }
            return (key, Int64(place))
        }
    }

    // MARK: Sweep

    /// Removes sessions that are over; of several gateways one gets each.
    ///
    /// Small values end by themselves, at the server.
    public func sweep(now: Int64, limit: Int) async throws(StoreError) -> [Ended] {
        let name = keys.removal
        let words: [RedisArgument] = [RedisArgument(name), "-inf", RedisArgument(now), "LIMIT", "0"]
        let range = ["ZRANGEBYSCORE"] + words + [RedisArgument(Int64(max(0, limit)))]
        let reply = try await one(RedisCommand(key: name, isRead: true, range))
        let due = (reply.array ?? []).compactMap { $0.text.flatMap { SessionKey(text: $0) } }
        var ended: [Ended] = []
        for start in stride(from: 0, to: due.count, by: Self.batch) {
            ended += try await sweep(Array(due[start..<min(start + Self.batch, due.count)]), now)
        }
        return ended
    }

    private func sweep(_ due: [SessionKey], _ now: Int64) async throws(StoreError) -> [Ended] {
        let uses = due.map { key in
            RedisUse(
                keys: isCluster ? [keys.session(key)] : whole(key.text),
                arguments: [RedisArgument(key.text), Self.streamLength, RedisArgument(origin), RedisArgument(now)]
            )
        }
        let replies = Array(zip(due, try await run(.sweep, uses)))
        if isCluster {
            // Their entries were behind: a touch had moved the record first.
            let moves = replies.compactMap { key, reply -> RedisCommand? in
                guard case .integer(let removal) = reply else { return nil }
                let words = [RedisArgument(keys.removal), "XX", RedisArgument(removal), RedisArgument(key.text)]
                return RedisCommand(key: keys.removal, ["ZADD"] + words)
            }
            for result in try await all(moves) { _ = try Self.reply(result) }
            let gone = replies.filter { if case .integer = $0.1 { false } else { true } }.map(\.0)
            if !gone.isEmpty {
                try await announce(gone)
                try await dropEntries(gone)
            }
        }
        let ended = replies.compactMap { key, reply -> Ended? in
            guard let bytes = reply.bytes else { return nil }
            let record = RedisRecord.decode(bytes, key: key)
            let isAbsolute = record.map { $0.expires <= now } ?? false
            return Ended(key: key, record: record, reason: isAbsolute ? .expiredAbsolute : .expiredIdle)
        }
        if !ended.isEmpty { client.shared.tell(.ended(ended.map(\.key))) }
        await unlist(ended.compactMap(\.record))
        return ended
    }
}
