// COLD. What every store of sessions promises.
import Glibc

/// Why a store could not do what it was asked.
public enum StoreError: String, Error, Sendable, CaseIterable {
    /// The store cannot be reached or written.
    case unavailable
    /// No room for another session or value.
    case full
    /// The store took too long, or too much was waiting for it; whether a change took place is not known.
    case timedOut
    /// What the store holds cannot be read.
    case corrupt

    /// Stable name for logs and metrics.
    public var code: String {
        switch self {
        case .unavailable: "store_unavailable"
        case .full: "store_full"
        case .timedOut: "store_timed_out"
        case .corrupt: "store_corrupt"
        }
    }
}

/// Why a store could not be opened, for people.
public struct StoreOpening: Error, Equatable, CustomStringConvertible {
    /// A sentence that names the file or server.
    public let description: String

    /// A reason.
    public init(_ description: String) { self.description = description }
}

/// Which sessions; what is nil is not asked for, and all of the rest must hold.
public struct SessionFilter: Sendable, Equatable {
    /// Of this account.
    public var account: String?
    /// Of this client address.
    public var address: String?
    /// Of this login.
    public var family: String?
    /// Created before, Unix seconds.
    public var olderThan: Int64?

    /// A filter.
    public init(account: String? = nil, address: String? = nil, family: String? = nil, olderThan: Int64? = nil) {
        self.account = account
        self.address = address
        self.family = family
        self.olderThan = olderThan
    }

    /// Whether `record` is one of these.
    public func matches(_ record: SessionRecord) -> Bool {
        (account.map { $0 == record.account } ?? true) && (address.map { $0 == record.address } ?? true)
            && (family.map { $0 == record.family } ?? true) && (olderThan.map { record.created < $0 } ?? true)
    }
}

/// What happened in a store, whoever did it.
public enum StoreEvent: Sendable, Equatable {
    /// These sessions ended.
    case ended([SessionKey])
    /// The claims of these sessions changed.
    case refreshed([SessionKey])
    /// Something may have been missed: drop what is cached.
    case missed
    /// The store can be used again, or not any more.
    case available(Bool)
}

/// Where sessions are kept; nothing of it blocks the caller's thread.
///
/// A change is durable before its call returns. What is past its end is returned until it is swept: the caller judges.
public protocol SessionStore: AnyObject, Sendable {
    /// `memory`, `sqlite` or `redis`.
    var name: String { get }

    /// Adds a session, and ends the one it replaces in the same step.
    ///
    /// The replaced one ends with ``EndReason/replaced``; that there is none is no error.
    func create(_ record: SessionRecord, replacing: SessionKey?) async throws(StoreError)

    /// A session as stored, past its end too until it is swept.
    func find(_ key: SessionKey) async throws(StoreError) -> SessionRecord?

    /// Moves `lastSeen` of many sessions forward.
    ///
    /// Never back, never beyond the session's end (``SessionRecord/accepts(touch:)``), and what is gone stays gone.
    func touch(_ seen: [(SessionKey, Int64)]) async throws(StoreError)

    /// Gives a session new claims; false when it is gone.
    func refresh(_ key: SessionKey, claims: [UInt8], accountVersion: UInt64) async throws(StoreError) -> Bool

    /// Ends a session; nil when it was not there.
    func end(_ key: SessionKey, _ reason: EndReason) async throws(StoreError) -> SessionRecord?

    /// Ends all sessions of `filter` but one, and returns what they were.
    ///
    /// Very many are ended in several steps; sessions that begin meanwhile may stay.
    func end(
        where filter: SessionFilter,
        except: SessionKey?,
        _ reason: EndReason
    ) async throws(StoreError) -> [SessionRecord]

    /// At most `limit` (1…1000) sessions behind `after`: newest first where an account is given, else in any lasting
    /// order.
    ///
    /// `after` may have ended a moment ago; when the store does not know it any more, the list is empty.
    func list(_ filter: SessionFilter, after: SessionKey?, limit: Int) async throws(StoreError) -> [SessionRecord]

    /// Number of sessions, with those past their end that are not swept yet; cheap.
    func count() async throws(StoreError) -> Int

    /// Removes sessions whose ``SessionRecord/removal`` is past, at most `limit`, and small values past their end.
    func sweep(now: Int64, limit: Int) async throws(StoreError) -> [Ended]

    /// Keeps a small value (at most 4 KiB; name at most 256 bytes) until a Unix second.
    func put(_ name: String, _ value: [UInt8], until: Int64) async throws(StoreError)

    /// Takes a value away; of several takers one gets it. Nil: none, or past its end.
    func take(_ name: String) async throws(StoreError) -> [UInt8]?

    /// Whether the caller is the first to claim the name before its end; values and claims share their names.
    func claim(_ name: String, until: Int64) async throws(StoreError) -> Bool

    /// A secret that all processes on this store share; `make` is called when there is none.
    func secret(_ name: String, make: @Sendable () -> [UInt8]) async throws(StoreError) -> [UInt8]

    /// Tells `changed` what this and other processes did; one watcher, called on any thread, must not block.
    func watch(_ changed: @escaping @Sendable (StoreEvent) -> Void)

    /// Whether it could be used when it was last tried.
    var isAvailable: Bool { get }

    /// Why it could not be used the last time, for people, without secrets; empty when that is not known.
    var problem: String { get }

    /// What is wrong although it works, for people; empty: nothing.
    var hazard: String { get }

    /// Finishes what was accepted and lets go of files and connections.
    func close() async
}

extension SessionStore {
    /// Not known.
    public var problem: String { "" }
    /// Nothing.
    public var hazard: String { "" }
}

/// The clock that stores go by unless given another.
public enum UnixTime {
    /// Seconds since 1970.
    @Sendable public static func now() -> Int64 { Int64(time(nil)) }
}

/// Bounds of small values, the same in all stores.
public enum StoreLimits {
    /// Most bytes of a value.
    public static let value = 4096
    /// Most bytes of a name.
    public static let name = 256
    /// Most values that are kept.
    public static let values = 1_000_000
    /// Most sessions of one page of a list.
    public static let page = 1000

    /// Whether a value and its name are small enough; what is not gets ``StoreError/full``.
    public static func allow(_ name: String, _ bytes: [UInt8]) -> Bool {
        name.utf8.count <= Self.name && bytes.count <= value
    }
}
