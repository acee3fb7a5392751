// COLD. The sessions that this process knows of: one object for each, whichever workers have it in their caches.
import Bytes
import Identity
import Reactor

/// Known sessions, with the claims that services are told.
///
/// Bounded by what the workers' caches hold: an entry that nobody else refers to goes with the next pruning.
final class SessionRegistry: Sendable {
    private struct Entry {
        var session: LiveSession
        var claims: [UInt8]
        /// When the store was asked last.
        var checked: Int64
    }

    private struct Table {
        var known: [SessionDigest: Entry] = [:]
        /// Sessions that ended a moment ago: a look-up that was under way does not bring them back.
        var ended: [SessionDigest: End] = [:]
        /// Since when ids that the store does not know may be such as a browser had until a moment ago.
        var doubted: [SessionDigest: Int64] = [:]
    }

    /// When a session ended, and how.
    private struct End {
        var at: Int64
        var way: EndWay
    }

    /// How a session ended, as far as its browser's cookie goes.
    enum EndWay {
        /// The browser was given another id.
        case replaced
        /// In any other way.
        case finally
        /// The store told of the end, and nobody of the reason yet.
        case untold
    }

    private let table = Locked(Table())
    /// Seconds for which an unused session is remembered.
    private static let remembrance: Int64 = 60
    /// Most ids that are doubted; beyond that nobody's cookie is cleared on a guess.
    private static let mostDoubted = 10_000
    /// Most ends that are remembered of sessions that were not known here: anybody can end ids that nobody has.
    private static let mostUnknown = 100_000

    /// The number of sessions in it.
    var count: Int { table.withLock { $0.known.count } }

    /// The process's object for a session that the store vouches for.
    func admit(_ made: LiveSession, claims: [UInt8], now: Int64) -> LiveSession {
        table.withLock { table in
            if table.ended[made.digest] != nil {
                made.end()
                return made
            }
            guard let known = table.known[made.digest]?.session else {
                table.known[made.digest] = Entry(session: made, claims: claims, checked: now)
                return made
            }
            known.learned(made.lastSeen)
            table.known[made.digest]?.claims = claims
            table.known[made.digest]?.checked = now
            return known
        }
    }

    /// What is known of a session without asking the store.
    func find(_ digest: SessionDigest) -> (session: LiveSession, claims: [UInt8])? {
        table.withLock { table in table.known[digest].map { ($0.session, $0.claims) } }
    }

    /// The store does not know a session: if it is known here, it is over.
    func forget(_ digest: SessionDigest, now: Int64) {
        table.withLock { table in
            guard let session = table.known.removeValue(forKey: digest)?.session else { return }
            if session.isLive(at: now), table.ended[digest] == nil { table.doubted[digest] = now }
            session.end()
        }
    }

    /// Ends sessions for all workers of the process.
    func end(_ digests: [SessionDigest], _ way: EndWay, now: Int64) {
        table.withLock { table in
            for digest in digests {
                let session = table.known.removeValue(forKey: digest)?.session
                session?.end()
                table.doubted[digest] = nil
                if session == nil, table.ended.count >= Self.mostUnknown { continue }
                let known = table.ended[digest]?.way
                table.ended[digest] = End(at: now, way: way == .untold ? known ?? way : way)
            }
        }
    }

    /// Whether the cookie of an id that counts for nothing may be taken back from its browser.
    ///
    /// Not for a minute after the id was replaced, or may have been: the browser has a new cookie of the same name by
    /// now, and the request was under way. What `isShared` stores do not know may have been replaced at another
    /// gateway, so it is seen here twice, a minute apart, before its cookie goes.
    func mayClear(_ digest: SessionDigest, isShared: Bool, now: Int64) -> Bool {
        table.withLock { table in
            if let end = table.ended[digest] { return end.way == .finally || end.at + Self.remembrance < now }
            if let since = table.doubted[digest] { return since + Self.remembrance < now }
            guard isShared else { return true }
            if table.doubted.count < Self.mostDoubted { table.doubted[digest] = now }
            return false
        }
    }

    /// All sessions in it.
    var all: [SessionDigest] { table.withLock { Array($0.known.keys) } }

    /// Uses that the store was not told of for `interval` seconds; 0: all of them.
    func takeUnwritten(now: Int64, interval: Int64, limit: Int = .max) -> [(SessionDigest, Int64)] {
        table.withLock { table in
            var due: [(SessionDigest, Int64)] = []
            for (digest, entry) in table.known {
                if due.count >= limit { break }
                if let seen = entry.session.takeUnwritten(at: now, interval: interval) { due.append((digest, seen)) }
            }
            return due
        }
    }

    /// Forgets what no worker has in its cache and the store knows all about.
    func prune(now: Int64) {
        table.withLock { table in
            table.ended = table.ended.filter { $0.value.at + Self.remembrance >= now }
            table.doubted = table.doubted.filter { $0.value + 10 * Self.remembrance >= now }
            for digest in Array(table.known.keys) {
                guard var entry = table.known.removeValue(forKey: digest) else { continue }
                let isOld = entry.checked + Self.remembrance < now && entry.session.isWritten
                if isOld, isKnownUniquelyReferenced(&entry.session) { continue }
                table.known[digest] = entry
            }
        }
    }
}
