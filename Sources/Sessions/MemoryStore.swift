// COLD. Sessions in the process, for trying out: bounded, and gone when the process ends.
internal import Bytes
internal import Reactor

/// Sessions in memory.
public final class MemoryStore: SessionStore {
    /// Most sessions that it keeps, whatever is asked for.
    public static let mostSessions = 100_000
    private static let mostValues = 100_000
    private static let mostPlaces = 10_000

    private struct Entry {
        var record: SessionRecord
        /// Grows with each session: the order among those of the same second.
        let order: UInt64
    }

    private struct Place {
        let created: Int64
        let order: UInt64

        func isNewer(than other: Place) -> Bool { (created, order) > (other.created, other.order) }
    }

    private struct State {
        var sessions: [SessionKey: Entry] = [:]
        var accounts: [String: Set<SessionKey>] = [:]
        var values: [String: (bytes: [UInt8], until: Int64)] = [:]
        var secrets: [String: [UInt8]] = [:]
        /// Where sessions that ended stood in lists, so that a list can go on behind them.
        var places: [SessionKey: Place] = [:]
        var order: UInt64 = 0
        var watcher: (@Sendable (StoreEvent) -> Void)?
    }

    private let state = Locked(State())
    private let maximum: Int
    private let clock: @Sendable () -> Int64

    /// A store of at most `maximum` sessions (and never more than 100000).
    public init(maximum: Int, clock: @escaping @Sendable () -> Int64 = UnixTime.now) {
        self.maximum = min(maximum, Self.mostSessions)
        self.clock = clock
    }

    /// `memory`.
    public var name: String { "memory" }
    /// Always.
    public var isAvailable: Bool { true }

    /// Adds a session; ``StoreError/full`` when there is no room.
    public func create(_ record: SessionRecord, replacing: SessionKey?) async throws(StoreError) {
        let (isAdded, replaced) = state.withLock { state -> (Bool, Bool) in
            let replaced = replacing.map { state.sessions[$0] != nil } ?? false
            guard state.sessions[record.key] == nil, state.sessions.count - (replaced ? 1 : 0) < maximum else {
                return (false, false)
            }
            if let replacing { Self.remove(replacing, &state) }
            state.order += 1
            state.sessions[record.key] = Entry(record: record, order: state.order)
            state.accounts[record.account, default: []].insert(record.key)
            return (true, replaced)
        }
        guard isAdded else { throw .full }
        if replaced, let replacing { tell(.ended([replacing])) }
    }

    /// A session as stored.
    public func find(_ key: SessionKey) async throws(StoreError) -> SessionRecord? {
        state.withLock { $0.sessions[key]?.record }
    }

    /// Moves `lastSeen` forward.
    public func touch(_ seen: [(SessionKey, Int64)]) async throws(StoreError) {
        state.withLock { state in
            for (key, time) in seen where state.sessions[key]?.record.accepts(touch: time) ?? false {
                state.sessions[key]?.record.lastSeen = time
            }
        }
    }

    /// Gives a session new claims.
    public func refresh(_ key: SessionKey, claims: [UInt8], accountVersion: UInt64) async throws(StoreError) -> Bool {
        let isThere = state.withLock { state -> Bool in
            guard state.sessions[key] != nil else { return false }
            state.sessions[key]?.record.claims = claims
            state.sessions[key]?.record.accountVersion = accountVersion
            return true
        }
        if isThere { tell(.refreshed([key])) }
        return isThere
    }

    /// Ends a session.
    public func end(_ key: SessionKey, _: EndReason) async throws(StoreError) -> SessionRecord? {
        let record = state.withLock { Self.remove(key, &$0) }
        if record != nil { tell(.ended([key])) }
        return record
    }

    /// Ends the sessions of a filter.
    public func end(
        where filter: SessionFilter,
        except: SessionKey?,
        _: EndReason
    ) async throws(StoreError) -> [SessionRecord] {
        let records = state.withLock { state in
            Self.entries(filter, state).map(\.record.key).filter { $0 != except }
                .compactMap { Self.remove($0, &state) }
        }
        if !records.isEmpty { tell(.ended(records.map(\.key))) }
        return records
    }

    /// One page of sessions, newest first.
    public func list(
        _ filter: SessionFilter,
        after: SessionKey?,
        limit: Int
    ) async throws(StoreError) -> [SessionRecord] {
        state.withLock { state in
            var last: Place?
            if let after {
                guard let place = state.sessions[after].map(Self.place) ?? state.places[after] else { return [] }
                last = place
            }
            let behind = Self.entries(filter, state)
                .filter { entry in last.map { $0.isNewer(than: Self.place(entry)) } ?? true }
            return behind.sorted { Self.place($0).isNewer(than: Self.place($1)) }
                .prefix(min(max(limit, 1), StoreLimits.page)).map(\.record)
        }
    }

    /// Number of sessions.
    public func count() async throws(StoreError) -> Int { state.withLock { $0.sessions.count } }

    /// Removes what is past its end.
    public func sweep(now: Int64, limit: Int) async throws(StoreError) -> [Ended] {
        let ended = state.withLock { state -> [Ended] in
            for (name, value) in state.values where value.until <= now { state.values[name] = nil }
            let over = state.sessions.values.lazy.filter { $0.record.removal <= now }.prefix(max(limit, 0))
            return over.map(\.record).compactMap { record in
                Self.remove(record.key, &state)
                    .map { Ended(key: $0.key, record: $0, reason: $0.expiry(at: now)) }
            }
        }
        if !ended.isEmpty { tell(.ended(ended.map(\.key))) }
        return ended
    }

    /// Keeps a small value.
    public func put(_ name: String, _ value: [UInt8], until: Int64) async throws(StoreError) {
        let now = clock()
        let isKept = state.withLock { state -> Bool in
            guard StoreLimits.allow(name, value), state.values[name] != nil || Self.hasRoom(&state, now) else {
                return false
            }
            state.values[name] = (value, until)
            return true
        }
        guard isKept else { throw .full }
    }

    /// Takes a value away.
    public func take(_ name: String) async throws(StoreError) -> [UInt8]? {
        let now = clock()
        return state.withLock { state in
            guard let value = state.values.removeValue(forKey: name), value.until > now else { return nil }
            return value.bytes
        }
    }

    /// Claims a name.
    public func claim(_ name: String, until: Int64) async throws(StoreError) -> Bool {
        let now = clock()
        let outcome = state.withLock { state -> Bool? in
            if let value = state.values[name], value.until > now { return false }
            guard StoreLimits.allow(name, []), Self.hasRoom(&state, now) else { return nil }
            state.values[name] = ([], until)
            return true
        }
        guard let outcome else { throw .full }
        return outcome
    }

    /// The secret of a name.
    public func secret(_ name: String, make: @Sendable () -> [UInt8]) async throws(StoreError) -> [UInt8] {
        state.withLock { state in
            if let secret = state.secrets[name] { return secret }
            let secret = make()
            state.secrets[name] = secret
            return secret
        }
    }

    /// Sets the watcher.
    public func watch(_ changed: @escaping @Sendable (StoreEvent) -> Void) {
        state.withLock { $0.watcher = changed }
    }

    /// Forgets everything.
    public func close() async { state.withLock { $0 = State() } }

    private func tell(_ event: StoreEvent) { state.withLock { $0.watcher }?(event) }

    private static func place(_ entry: Entry) -> Place { Place(created: entry.record.created, order: entry.order) }

    private static func entries(_ filter: SessionFilter, _ state: State) -> [Entry] {
        guard let account = filter.account else { return state.sessions.values.filter { filter.matches($0.record) } }
        return (state.accounts[account] ?? []).compactMap { state.sessions[$0] }.filter { filter.matches($0.record) }
    }

    @discardableResult
    private static func remove(_ key: SessionKey, _ state: inout State) -> SessionRecord? {
        guard let entry = state.sessions.removeValue(forKey: key) else { return nil }
        state.accounts[entry.record.account]?.remove(key)
        if state.accounts[entry.record.account]?.isEmpty ?? false { state.accounts[entry.record.account] = nil }
        if state.places.count >= mostPlaces { state.places.removeAll() }
        state.places[key] = place(entry)
        return entry.record
    }

    private static func hasRoom(_ state: inout State, _ now: Int64) -> Bool {
        if state.values.count < mostValues { return true }
        for (name, value) in state.values where value.until <= now { state.values[name] = nil }
        return state.values.count < mostValues
    }
}
