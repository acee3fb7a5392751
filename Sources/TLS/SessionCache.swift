// COLD. Sessions with upstreams, so that the next connection needs no full handshake; one cache for each worker.
internal import COpenSSL

/// The newest session with each backend of a worker, at most `capacity` of them; owned by one thread.
public final class SessionCache {
    private struct Key: Hashable {
        /// A session made under one policy is never used under another: resuming verifies nothing.
        var client: UInt64
        var backend: Int
    }

    private struct Entry {
        var session: OpaquePointer
        var age: UInt64
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var clock: UInt64 = 0

    /// An empty cache.
    public init(capacity: Int = 256) { self.capacity = max(1, capacity) }

    deinit {
        for entry in entries.values { SSL_SESSION_free(entry.session) }
    }

    /// Number of sessions.
    public var count: Int { entries.count }

    /// The newest session, which stays the cache's.
    func find(_ client: ClientTLS, _ backend: Int) -> OpaquePointer? {
        guard let entry = entries[Key(client: client.id, backend: backend)] else { return nil }
        return SSL_SESSION_is_resumable(entry.session) == 1 ? entry.session : nil
    }

    /// Takes a session over.
    func insert(_ session: OpaquePointer, _ client: ClientTLS, _ backend: Int) {
        clock += 1
        let key = Key(client: client.id, backend: backend)
        if let old = entries.updateValue(Entry(session: session, age: clock), forKey: key) {
            SSL_SESSION_free(old.session)
        }
        guard entries.count > capacity, let oldest = entries.min(by: { $0.value.age < $1.value.age }) else { return }
        entries[oldest.key] = nil
        SSL_SESSION_free(oldest.value.session)
    }

    /// Forgets the session with a backend: after a handshake that used it failed.
    func remove(_ client: ClientTLS, _ backend: Int) {
        if let entry = entries.removeValue(forKey: Key(client: client.id, backend: backend)) {
            SSL_SESSION_free(entry.session)
        }
    }
}
