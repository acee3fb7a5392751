// COLD. The store's answers in the portal's words: whatever it cannot do is "not possible at the moment".
internal import Sessions

extension Portal {
    /// Runs something on the store.
    func stored<Value>(
        _ body: (any SessionStore) async throws(StoreError) -> Value
    ) async throws(PortalProblem) -> Value {
        do throws(StoreError) {
            return try await body(store)
        } catch {
            throw .unavailable
        }
    }

    func put(_ name: String, _ value: [UInt8], until: Int64) async throws(PortalProblem) {
        try await stored { store throws(StoreError) in try await store.put(name, value, until: until) }
    }
    func take(_ name: String) async throws(PortalProblem) -> [UInt8]? {
        try await stored { store throws(StoreError) in try await store.take(name) }
    }
    func claim(_ name: String, until: Int64) async throws(PortalProblem) -> Bool {
        try await stored { store throws(StoreError) in try await store.claim(name, until: until) }
    }
    func find(_ key: SessionKey, now: Int64) async throws(PortalProblem) -> SessionRecord? {
        let record = try await stored { store throws(StoreError) in try await store.find(key) }
        return record.flatMap { $0.isLive(at: now) ? $0 : nil }
    }
    func end(
        where filter: SessionFilter,
        except: SessionKey? = nil,
        _ reason: EndReason
    ) async throws(PortalProblem) -> [Ended] {
        let records = try await stored { store throws(StoreError) in
            try await store.end(where: filter, except: except, reason)
        }
        return records.map { Ended(key: $0.key, record: $0, reason: reason) }
    }
    /// Sessions of an account, newest first.
    func sessions(of account: String, limit: Int) async throws(PortalProblem) -> [SessionRecord] {
        try await stored { store throws(StoreError) in
            try await store.list(SessionFilter(account: account), after: nil, limit: limit)
        }
    }
}
