// COLD. The store that the settings ask for.
public import Settings

/// The store that the settings ask for.
///
/// - Throws: ``StoreOpening`` with a readable reason.
public func makeStore(_ settings: SessionSettings) throws(StoreOpening) -> any SessionStore {
    switch settings.store {
    case .memory: MemoryStore(maximum: settings.maximum)
    case .sqlite: try SQLiteStore(path: settings.file, maximum: settings.maximum)
    case .redis: try RedisStore(settings.redis ?? RedisSettings(), maximum: settings.maximum)
    }
}
