// HOT. Tokens that were verified already, with the principals they proved. Per worker, bounded, no locks.
import Bytes
import Glibc

/// A bounded cache from whole tokens to principals.
///
/// An entry is found by a keyed hash of the token, and counts only when every byte, the configuration's generation and
/// the deadline agree: two tokens are never taken for one another. What is authorized is never kept here.
///
/// Sets of eight entries; in a full set the entry that was not used for the longest time goes. Tokens and principals
/// together take 4 KiB of memory for each entry at most: when few of them are very large, fewer are kept.
@safe
public final class VerifiedCache {
    @safe
    private struct Entry {
        var hash: UInt64 = 0
        var deadline: Int64 = 0
        var generation: UInt32 = 0
        /// When it was used last, on the cache's own clock.
        var used: UInt32 = 0
        var count = 0
        var token: UnsafeMutablePointer<UInt8>?
        var principal: Unmanaged<Principal>?
    }

    private static let ways = 8
    private static let averageMemory = 4096

    private let table: UnsafeMutablePointer<Entry>
    private let entries: Int
    private let mask: Int
    private let mostMemory: Int
    private let hash = KeyedHash()
    private var clock: UInt32 = 0
    /// Number of tokens in it.
    public private(set) var count = 0
    /// Bytes of these tokens.
    public private(set) var bytes = 0
    /// Bytes of memory that tokens and principals take, about.
    public private(set) var memory = 0
    /// Where the search for something to drop goes on.
    private var hand = 0
    /// Entries that left to make room.
    public private(set) var evictions: UInt64 = 0

    /// A cache for at least `entries` tokens (rounded up to a power of two); with 0 it keeps none.
    ///
    /// With a `spread` of 4 there are four times as many places, and no more memory for tokens: as many tokens as
    /// `entries` says then find a place, where about one in eight would not, and would push out another each time.
    public init(entries: Int, spread: Int = 1) {
        var size = entries > 0 ? Self.ways : 0
        while size < min(entries, 1 << 20) { size <<= 1 }
        mostMemory = size &* Self.averageMemory
        size = min(size &* spread, 1 << 20)
        self.entries = size
        mask = max(0, size / Self.ways - 1)
        unsafe table = .allocate(capacity: max(1, size))
        unsafe table.initialize(repeating: Entry(), count: max(1, size))
    }

    deinit {
        removeAll()
        unsafe table.deallocate()
    }

    @inline(__always)
    private func set(of hash: UInt64) -> UnsafeMutablePointer<Entry> {
        unsafe table + (Int(truncatingIfNeeded: hash >> 20) & mask) &* Self.ways
    }

    /// The principal that `token` proved in this generation of the configuration, unless its time is over.
    ///
    /// Cost: about 100 ns for 900 bytes, no allocation.
    public func find(_ token: UnsafeBufferPointer<UInt8>, generation: UInt32, now: Int64) -> Principal? {
        guard entries > 0, let start = token.baseAddress else { return nil }
        let key = unsafe hash.hash(start, token.count)
        let set = unsafe set(of: key)
        for way in 0..<Self.ways {
            let entry = unsafe set + way
            guard unsafe entry.pointee.hash == key, unsafe entry.pointee.count == token.count,
                let kept = unsafe entry.pointee.token, unsafe memcmp(kept, start, token.count) == 0
            else { continue }
            guard unsafe entry.pointee.generation == generation, unsafe entry.pointee.deadline > now else {
                unsafe remove(entry)
                return nil
            }
            clock &+= 1
            unsafe entry.pointee.used = clock
            return unsafe entry.pointee.principal?.takeUnretainedValue()
        }
        return nil
    }

    /// Keeps what `token` proved until `deadline` (Unix seconds), at most.
    ///
    /// One that would take a quarter of the cache's memory is not kept.
    public func insert(
        _ token: UnsafeBufferPointer<UInt8>,
        _ principal: Principal,
        generation: UInt32,
        until deadline: Int64
    ) {
        guard entries > 0, let start = token.baseAddress, token.count > 0 else { return }
        let added = token.count &+ principal.memory
        guard added <= mostMemory / 4 else { return }
        let key = unsafe hash.hash(start, token.count)
        let set = unsafe set(of: key)
        let place = unsafe place(in: set, for: key)
        if unsafe place.pointee.token != nil {
            // The same token again (two requests at once, or a longer deadline) is no eviction.
            if unsafe place.pointee.hash != key { evictions &+= 1 }
            unsafe remove(place)
        }
        makeRoom(for: added)
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: token.count)
        unsafe memcpy(copy, start, token.count)
        clock &+= 1
        unsafe place.pointee = Entry(
            hash: key,
            deadline: deadline,
            generation: generation,
            used: clock,
            count: token.count,
            token: copy,
            principal: Unmanaged.passRetained(principal)
        )
        count &+= 1
        bytes &+= token.count
        memory &+= added
    }

    /// Drops entries, one place of the table after the other, until so many bytes can be added.
    private func makeRoom(for added: Int) {
        while memory &+ added > mostMemory, count > 0 {
            hand = (hand &+ 1) & (entries &- 1)
            guard unsafe table[hand].token != nil else { continue }
            evictions &+= 1
            unsafe remove(table + hand)
        }
    }

    /// Where an entry with this hash goes: its own place, else a free one, else that of the one unused for longest.
    private func place(in set: UnsafeMutablePointer<Entry>, for key: UInt64) -> UnsafeMutablePointer<Entry> {
        var place = unsafe set
        var age: UInt32 = 0
        var isFree = false
        for way in 0..<Self.ways {
            let entry = unsafe set + way
            if unsafe entry.pointee.token == nil {
                if !isFree { unsafe place = entry }
                isFree = true
                continue
            }
            if unsafe entry.pointee.hash == key { return unsafe entry }
            let idle = unsafe clock &- entry.pointee.used
            if !isFree, idle >= age {
                age = idle
                unsafe place = entry
            }
        }
        return unsafe place
    }

    /// Forgets the tokens of principals that satisfy `condition`; returns how many.
    ///
    /// O(entries).
    @discardableResult
    public func remove(where condition: (Principal) -> Bool) -> Int {
        let before = count
        for index in 0..<entries {
            guard let principal = unsafe table[index].principal?.takeUnretainedValue(), condition(principal) else {
                continue
            }
            unsafe remove(table + index)
        }
        return before &- count
    }

    /// Forgets everything.
    public func removeAll() {
        for index in 0..<entries { unsafe remove(table + index) }
    }

    private func remove(_ entry: UnsafeMutablePointer<Entry>) {
        guard let token = unsafe entry.pointee.token else { return }
        count &-= 1
        unsafe bytes &-= entry.pointee.count
        let kept = unsafe entry.pointee.principal?.takeUnretainedValue().memory ?? 0
        unsafe memory &-= entry.pointee.count &+ kept
        unsafe token.deallocate()
        unsafe entry.pointee.principal?.release()
        unsafe entry.pointee = Entry()
    }
}
