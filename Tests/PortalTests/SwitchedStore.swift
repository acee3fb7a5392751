// COLD. A store in memory that can be away.
import Bytes
import Sessions

/// Passes everything on, or throws.
final class SwitchedStore: SessionStore {
    let inner: MemoryStore
    private let away = Locked(false)

    init(_ clock: TestClock, maximum: Int = 1000) {
        inner = MemoryStore(maximum: maximum, clock: { clock.now })
    }

    func setAway(_ isAway: Bool) { away.withLock { $0 = isAway } }
    private func check() throws(StoreError) { if away.withLock({ $0 }) { throw .unavailable } }

    var name: String { "switched" }
    var isAvailable: Bool { away.withLock { !$0 } }
    func create(_ record: SessionRecord, replacing: SessionKey?) async throws(StoreError) {
        try check()
        try await inner.create(record, replacing: replacing)
    }
    func find(_ key: SessionKey) async throws(StoreError) -> SessionRecord? {
        try check()
        return try await inner.find(key)
    }
    func touch(_ seen: [(SessionKey, Int64)]) async throws(StoreError) {
        try check()
        try await inner.touch(seen)
    }
    func refresh(_ key: SessionKey, claims: [UInt8], accountVersion: UInt64) async throws(StoreError) -> Bool {
        try check()
        return try await inner.refresh(key, claims: claims, accountVersion: accountVersion)
    }
    func end(_ key: SessionKey, _ reason: EndReason) async throws(StoreError) -> SessionRecord? {
        try check()
        return try await inner.end(key, reason)
    }
    func end(
        where filter: SessionFilter,
        except: SessionKey?,
        _ reason: EndReason
    ) async throws(StoreError) -> [SessionRecord] {
        try check()
        return try await inner.end(where: filter, except: except, reason)
    }
    func list(_ filter: SessionFilter, after: SessionKey?, limit: Int) async throws(StoreError) -> [SessionRecord] {
        try check()
        return try await inner.list(filter, after: after, limit: limit)
    }
    func count() async throws(StoreError) -> Int { try await inner.count() }
    func sweep(now: Int64, limit: Int) async throws(StoreError) -> [Ended] {
        try await inner.sweep(now: now, limit: limit)
    }
    func put(_ name: String, _ value: [UInt8], until: Int64) async throws(StoreError) {
        try check()
        try await inner.put(name, value, until: until)
    }
    func take(_ name: String) async throws(StoreError) -> [UInt8]? {
        try check()
        return try await inner.take(name)
    }
    func claim(_ name: String, until: Int64) async throws(StoreError) -> Bool {
        try check()
        return try await inner.claim(name, until: until)
    }
    func secret(_ name: String, make: @Sendable () -> [UInt8]) async throws(StoreError) -> [UInt8] {
        try check()
        return try await inner.secret(name, make: make)
    }
    func watch(_ changed: @escaping @Sendable (StoreEvent) -> Void) { inner.watch(changed) }
    func close() async { await inner.close() }
}
