// HOT to read, COLD to make. A login session as the whole process shares it: deadlines, and when it was used last.
import Bytes
import Synchronization

/// What names a session without giving it away: the SHA-256 of its id.
public struct SessionDigest: Hashable, Sendable {
    /// The digest's 32 bytes, eight by eight, in the order of memory.
    public let words: (UInt64, UInt64, UInt64, UInt64)

    /// A digest of these words.
    public init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) { words = (a, b, c, d) }

    /// The same session.
    @inline(__always)
    public static func == (a: SessionDigest, b: SessionDigest) -> Bool { a.words == b.words }

    /// The digest is random already.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}

/// A session that a store has vouched for.
///
/// One object for all workers of the process, so that a session that is used on one of them does not look idle to
/// another, and one that is ended is ended for all of them at once. Times are Unix seconds.
public final class LiveSession: Sendable {
    /// Which session.
    public let digest: SessionDigest
    /// Seconds without a request after which it ends.
    public let idle: Int64
    /// The second from which it is over, whatever happens.
    public let expires: Int64
    /// When its owner was authenticated last.
    public let authenticated: Int64
    /// 1 for a password, 2 with a second factor.
    public let strength: Int
    /// The token that unsafe requests may prove their origin with.
    public let csrf: [UInt8]
    /// The host that its cookie belongs to: lower case, no port, no final dot.
    private let site: [UInt8]
    private let used: Atomic<Int64>
    private let stored: Atomic<Int64>
    private let gap = Atomic<Int64>(0)
    private let ended = Atomic<Bool>(false)

    /// A session as a store has it.
    public init(
        digest: SessionDigest,
        idle: Int64,
        expires: Int64,
        authenticated: Int64,
        strength: Int,
        csrf: [UInt8],
        site: [UInt8],
        lastSeen: Int64
    ) {
        self.digest = digest
        self.idle = idle
        self.expires = expires
        self.authenticated = authenticated
        self.strength = strength
        self.csrf = csrf
        self.site = site
        used = Atomic(lastSeen)
        stored = Atomic(lastSeen)
    }

    /// When it was used last, by any worker.
    @inline(__always) public var lastSeen: Int64 { used.load(ordering: .relaxed) }

    /// Whether somebody ended it.
    @inline(__always) public var isEnded: Bool { ended.load(ordering: .acquiring) }

    /// The second from which it is over unless it is used before.
    @inline(__always) public var deadline: Int64 { min(expires, lastSeen &+ idle) }

    /// Whether it counts at `now`.
    @inline(__always)
    public func isLive(at now: Int64) -> Bool { !isEnded && now < expires && now < lastSeen &+ idle }

    /// Whether it began at this host, given without port and final dot, in any case.
    @inline(__always)
    public func began(at host: UnsafeBufferPointer<UInt8>) -> Bool {
        unsafe site.withUnsafeBufferPointer { site in
            guard site.count == host.count else { return false }
            var index = 0
            while index < site.count {
                if unsafe Scan.lowercase(host[index]) != site[index] { return false }
                index &+= 1
            }
            return true
        }
    }

    /// Calls `body` with the host where it began.
    public func withSite<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        unsafe site.withUnsafeBufferPointer(body)
    }

    /// It is used now.
    @inline(__always)
    public func touch(_ now: Int64) {
        let before = used.load(ordering: .relaxed)
        guard now > before else { return }
        if now &- before > gap.load(ordering: .relaxed) { gap.store(now &- before, ordering: .relaxed) }
        used.store(now, ordering: .relaxed)
    }

    /// The longest time in seconds that it was not used, as far as this process knows; the one that ends at `now`
    /// counts.
    ///
    /// A request elsewhere does not make a session fresh again for a route that asks for shorter pauses.
    @inline(__always)
    public func longestGap(at now: Int64) -> Int64 { max(gap.load(ordering: .relaxed), now &- lastSeen) }

    /// The store says that it was used at `time`, perhaps over another gateway.
    public func learned(_ time: Int64) {
        // Another gateway saw requests in between: no gap is known.
        if time > used.load(ordering: .relaxed) { used.store(time, ordering: .relaxed) }
        if time > stored.load(ordering: .relaxed) { stored.store(time, ordering: .relaxed) }
    }

    /// When its last use has to be written: that use, if the store does not know of it and was not told for
    /// `interval` seconds.
    ///
    /// The caller writes it; it is not due again before the next use.
    public func takeUnwritten(at now: Int64, interval: Int64) -> Int64? {
        let seen = lastSeen
        let known = stored.load(ordering: .relaxed)
        guard seen > known, now &- known >= interval else { return nil }
        stored.store(seen, ordering: .relaxed)
        return seen
    }

    /// Whether the store knows of the last use.
    public var isWritten: Bool { lastSeen <= stored.load(ordering: .relaxed) }

    /// It is over, for all workers.
    public func end() { ended.store(true, ordering: .releasing) }
}
