// COLD. Sessions on Redis, which several gateways share: the promises of `SessionStore`, told in commands.
// Needs Redis 6.0 or Valkey; `maxmemory-policy noeviction`, or sessions may vanish.
internal import Bytes
internal import Reactor
internal import Synchronization
public import Settings

/// Sessions on a Redis server, a master watched by Sentinels, or a cluster.
///
/// An answer of a call means that the master acknowledged; how many replicas must have it before is the server's
/// `min-replicas-to-write`, how it survives a crash its `appendonly` and `appendfsync`.
public final class RedisStore: SessionStore {
    let client: RedisClient
    let keys: RedisKeys
    let origin = SecureRandom.text(16)
    let maximum: Int
    let isCluster: Bool
    /// Where the last sessions of pages stood, so that a list goes on when they have ended meanwhile.
    let pageEnds = RedisPageEnds()

    /// Most commands that one call has under way at a time.
    static let batch = 128

    /// A store on the servers of `settings`; it connects by itself, now and whenever a connection is lost.
    ///
    /// - Throws: ``StoreOpening`` when the settings cannot work; that no server answers is no reason.
    public convenience init(_ settings: RedisSettings, maximum: Int) throws(StoreOpening) {
        try self.init(try RedisPlan(settings, maximum: maximum))
    }

    init(_ plan: RedisPlan) throws(StoreOpening) {
        keys = RedisKeys(prefix: plan.prefix)
        maximum = plan.maximum
        isCluster = plan.mode == .cluster
        do {
            client = try RedisClient(plan, events: RedisEventPlan(key: keys.events, origin: origin))
        } catch {
            throw StoreOpening("redis: \(error.description)")
        }
    }

    /// `redis`.
    public var name: String { "redis" }

    /// Whether the servers could be used when they were last tried.
    public var isAvailable: Bool { client.shared.isAvailable.load(ordering: .acquiring) }

    /// Whether changes of other gateways arrive; while they do not, `missed` is told once a second.
    public var isFollowing: Bool { client.shared.isFollowing.load(ordering: .acquiring) }

    /// Why a connection failed last, for people: server and reason, no secrets; empty when none did.
    ///
    /// Of a server that answers: what it refused last.
    public var problem: String { (isAvailable ? client.shared.refusal : client.shared.problem).withLock { $0 } }

    /// Tells `changed` what others did, and the own changes of this store; on the store's thread, so be quick.
    public func watch(_ changed: @escaping @Sendable (StoreEvent) -> Void) {
        client.shared.watcher.withLock { $0 = changed }
    }

    /// Closes the connections when calls under way are answered, or their time is over.
    public func close() async { await client.close() }

    // MARK: One session

    /// Adds a session, and ends the one that it replaces.
    ///
    /// In a cluster these are two steps, the new one first: when the second fails so does the call, and the new session,
    /// whose id nobody was given, is taken back.
    public func create(_ record: SessionRecord, replacing: SessionKey?) async throws(StoreError) {
        guard let bytes = RedisRecord.encode(record) else { throw .full }
        let life = max(1, record.expires.addingSaturating(-Self.now)).addingSaturating(3600)
        let accountLife = RedisArgument(min(life, 9_000_000_000) * 1000)
        let words = [
            RedisArgument(record.key.text), Self.streamLength, RedisArgument(origin), RedisArgument(bytes),
            RedisArgument(min(max(0, record.created), 9_000_000_000)), accountLife, RedisArgument(Int64(maximum)),
            RedisArgument(replacing?.text ?? ""),
        ]
        if isCluster { return try await createInCluster(record, replacing, words) }
        let names =
            whole(record.key.text) + [keys.account(record.account)] + (replacing.map { [keys.session($0)] } ?? [])
        let old = try await run(.create, keys: names, words)
        guard let replacing, let bytes = old.bytes else { return }
        client.shared.tell(.ended([replacing]))
        if let old = RedisRecord.decode(bytes, key: replacing) { await unlist([old]) }
    }

    private func createInCluster(
        _ record: SessionRecord,
        _ replacing: SessionKey?,
        _ words: [RedisArgument]
    ) async throws(StoreError) {
        if replacing == nil, try await count() >= maximum { throw .full }
        let member = words[0]
        let account = keys.account(record.account)
        let entries = [
            RedisScript.enlist.command(keys: [account], [member, words[4], words[5]], whole: true),
            RedisCommand(
                key: keys.removal,
                ["ZADD", RedisArgument(keys.removal), RedisArgument(record.removal), member]
            ),
            RedisCommand(key: keys.all, ["ZADD", RedisArgument(keys.all), "0", member]),
        ]
        for result in try await client.send(entries) { _ = try Self.reply(result) }
        _ = try await run(.create, keys: [keys.session(record.key)], words)
        guard let replacing else { return }
        do {
            _ = try await end(replacing, .replaced)
        } catch {
            _ = try? await end(record.key, .replaced)
            throw error
        }
    }

    /// The session as stored.
    public func find(_ key: SessionKey) async throws(StoreError) -> SessionRecord? {
        let reply = try await one(Self.get(keys.session(key)))
        guard case .bytes(let bytes) = reply else { return nil }
        guard let record = RedisRecord.decode(bytes, key: key) else { throw .corrupt }
        return record
    }

    static func get(_ name: String) -> RedisCommand {
        RedisCommand(key: name, isRead: true, ["GET", RedisArgument(name)])
    }

    /// Moves the time of the last request of many sessions; 64 are one step outside of a cluster.
    public func touch(_ seen: [(SessionKey, Int64)]) async throws(StoreError) {
        let size = isCluster ? 1 : 64
        let uses = stride(from: 0, to: seen.count, by: size).map { start in
            let part = seen[start..<min(start + size, seen.count)]
            let names = part.map { keys.session($0.0) } + (isCluster ? [] : [keys.removal])
            let words = part.flatMap { [RedisArgument($0.0.text), RedisArgument(max(0, $0.1))] }
            return RedisUse(keys: names, arguments: [RedisArgument(Int64(part.count))] + words)
        }
        let replies = try await run(.touch, uses)
        let removals = replies.flatMap { $0.array ?? [] }
        // Lost at the server, by whatever means: nobody may go on using them out of a cache.
        let vanished = zip(seen, removals).filter { $0.1.integer == -2 }.map(\.0.0)
        if !vanished.isEmpty { _ = try await end(vanished) }
        guard isCluster else { return }
        let moves = zip(seen, replies).compactMap { seen, reply -> RedisCommand? in
            guard let removal = reply.array?.first?.integer, removal >= 0 else { return nil }
            let words = [RedisArgument(keys.removal), "XX", RedisArgument(removal), RedisArgument(seen.0.text)]
            return RedisCommand(key: keys.removal, ["ZADD"] + words)
        }
        for result in try await all(moves) { _ = try Self.reply(result) }
    }

    /// Gives a session new claims.
    public func refresh(
        _ key: SessionKey,
        claims: [UInt8],
        accountVersion: UInt64
    ) async throws(StoreError) -> Bool {
        let tail = RedisArgument(RedisRecord.tail(claims, accountVersion))
        let words = [RedisArgument(key.text), Self.streamLength, RedisArgument(origin), tail]
        let names = [keys.session(key)] + (isCluster ? [] : [keys.events])
        guard try await run(.refresh, keys: names, words).integer == 1 else { return false }
        if isCluster { _ = try await one(entry(RedisEventPlan.refreshed, key)) }
        client.shared.tell(.refreshed([key]))
        return true
    }

    /// Ends a session.
    public func end(_ key: SessionKey, _ reason: EndReason) async throws(StoreError) -> SessionRecord? {
        let records = try await end([key])
        return records.first
    }

    /// Number of entries of the index: those past their end that are not swept yet are counted, too.
    public func count() async throws(StoreError) -> Int {
        let name = keys.removal
        return Int(try await one(RedisCommand(key: name, isRead: true, ["ZCARD", RedisArgument(name)])).integer ?? 0)
    }
}
