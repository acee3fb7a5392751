// COLD. What a worker does about sessions: asks for them, wakes who waits, and ends what ended sessions opened.
import Bytes
import Identity
import Sessions
import Telemetry

/// A session as a look-up found it.
enum SessionOutcome: Sendable {
    /// It counts; the JSON object is what is told of it.
    case live(LiveSession, claims: [UInt8])
    /// There is none; whether the browser's cookie may be cleared: not while it could be a newer one.
    case none(clears: Bool)
    /// It cannot be told.
    case unavailable
}

/// What happened to sessions.
enum SessionNews: Sendable {
    /// They are over: what they opened ends.
    case ended([SessionDigest])
    /// What is told of them has changed.
    case changed([SessionDigest])
    /// Anything may have happened: ask again.
    case unknown
}

/// Names an exchange and what it is used for right now.
struct ExchangeTicket: Sendable {
    let index: Int
    let serial: UInt32
}

/// Exchanges that wait for the same session.
struct SessionWait {
    var tickets: [ExchangeTicket]
    /// When the store was asked, in the loop's time.
    let asked: Int64
}

extension Worker {
    /// Most requests of one worker that wait for sessions at a time.
    private static let mostWaiting = 16_384

    /// What came of asking for a session.
    enum Asking {
        /// The answer comes as a message.
        case asked
        /// No session was ever called so.
        case nobody
        /// Too many are waiting, or there is nobody to ask.
        case refused
    }

    /// Looks a session up for an exchange.
    func lookUp(_ cookie: UnsafeBufferPointer<UInt8>, for exchange: Exchange) -> Asking {
        guard let sessionDesk else { return .refused }
        guard let id = SessionID(cookieValue: cookie) else { return .nobody }
        let ticket = ExchangeTicket(index: exchange.index, serial: exchange.serial)
        let key = id.key
        let digest = SessionDigest(key)
        // An answer that is overdue may have been lost: it is asked for again.
        if let wait = waiting[digest], now &- wait.asked < Exchange.lookupPatience {
            waiting[digest]?.tickets.append(ticket)
            return .asked
        }
        guard waiting.count < Self.mostWaiting else {
            metrics.hit(.sessionLookups)
            return .refused
        }
        waiting[digest] = SessionWait(tickets: (waiting[digest]?.tickets ?? []) + [ticket], asked: now)
        sessionDesk.lookUp(key, for: mailbox)
        return .asked
    }

    func found(_ digest: SessionDigest, _ outcome: SessionOutcome) {
        guard let tickets = waiting.removeValue(forKey: digest)?.tickets else { return }
        for ticket in tickets { exchange(of: ticket)?.sessionFound(outcome) }
    }

    /// The exchange that a ticket was made for, unless it is over.
    func exchange(of ticket: ExchangeTicket) -> Exchange? {
        guard ticket.index < exchanges.count, exchanges[ticket.index].serial == ticket.serial,
            exchanges[ticket.index].phase != .idle
        else { return nil }
        return exchanges[ticket.index]
    }

    func heard(_ news: SessionNews) {
        switch news {
        case .ended(let digests):
            // Cached ones say themselves that they are over; only what goes on without asking has to be told.
            let over = Set(digests)
            for exchange in exchanges where exchange.phase != .idle {
                guard let session = exchange.note.principal?.session, over.contains(session.digest) else { continue }
                exchange.credentialEnded(.sessionEnded)
            }
        case .changed(let digests):
            let changed = Set(digests)
            sessions.remove { $0.session.map { changed.contains($0.digest) } ?? false }
        case .unknown: sessions.removeAll()
        }
    }
}

extension Snapshot {
    /// Most sessions that a worker keeps in its cache, about.
    var cachedSessions: Int { sessions == nil ? 0 : identity.sessionEntries }

    /// An empty cache: many users come in turns, and each look-up costs a hundred cached requests.
    func makeSessionCache() -> VerifiedCache { VerifiedCache(entries: cachedSessions, spread: 4) }
}

extension SessionDigest {
    /// The digest that a store calls its key.
    init(_ key: SessionKey) { self.init(key.a, key.b, key.c, key.d) }

    var key: SessionKey { SessionKey(words.0, words.1, words.2, words.3) }
}
