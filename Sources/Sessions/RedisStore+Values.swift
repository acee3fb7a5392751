// COLD. Small values of the Redis store: kept, taken once, claimed once, shared.

extension RedisStore {
    /// Keeps a small value until its end.
    public func put(_ name: String, _ value: [UInt8], until: Int64) async throws(StoreError) {
        guard value.count <= StoreLimits.value, name.utf8.count <= StoreLimits.name else { throw .full }
        _ = try await run(.put, keys: [keys.value(name)], [RedisArgument(value), Self.milliseconds(until), "0"])
    }

    /// Takes a value away; one taker gets it.
    public func take(_ name: String) async throws(StoreError) -> [UInt8]? {
        try await run(.take, keys: [keys.value(name)], []).bytes
    }

    /// Whether the caller is the first to claim the name.
    public func claim(_ name: String, until: Int64) async throws(StoreError) -> Bool {
        guard name.utf8.count <= StoreLimits.name else { throw .full }
        return try await run(.put, keys: [keys.value(name)], ["", Self.milliseconds(until), "1"]).integer == 1
    }

    /// The secret of this name, made when there is none yet.
    public func secret(_ name: String, make: @Sendable () -> [UInt8]) async throws(StoreError) -> [UInt8] {
        let key = keys.secret(name)
        if case .bytes(let bytes) = try await one(Self.get(key)) { return bytes }
        _ = try await one(RedisCommand(key: key, ["SETNX", RedisArgument(key), RedisArgument(make())]))
        // Another gateway may have been quicker.
        guard case .bytes(let bytes) = try await one(Self.get(key)) else { throw .unavailable }
        return bytes
    }

    private static func milliseconds(_ seconds: Int64) -> RedisArgument {
        RedisArgument(min(max(seconds, 0), 9_000_000_000_000) * 1000)
    }
}
