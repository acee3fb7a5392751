// COLD. Carries requests for the gateway's own pages to the portal, and its answers back to the worker that waits.
import Bytes
import Identity
import Portal
import Reactor
import Sessions
import Synchronization

extension SessionDesk {
    /// Most requests for pages that are in the making at a time.
    private static let mostVisits = 512

    /// Answers a request for a page; the worker gets the answer by mail.
    ///
    /// Sessions that end with it are over for every worker before the answer is on its way.
    func answer(
        _ request: PortalRequest,
        _ sessions: SessionPlan,
        _ ticket: ExchangeTicket,
        _ worker: Mailbox<WorkerMessage>
    ) {
        guard let portal = state.withLock({ $0.portal }) else {
            worker.post(.portal(ticket, nil, nil))
            return
        }
        // Clients that ask and leave must not make a queue that nobody waits for any more.
        guard visits.add(1, ordering: .relaxed).newValue <= Self.mostVisits else {
            visits.subtract(1, ordering: .relaxed)
            counts.turnedAway()
            worker.post(.portal(ticket, nil, nil))
            return
        }
        Task {
            defer { visits.subtract(1, ordering: .relaxed) }
            var request = request
            var live: (LiveSession, [UInt8])?
            switch await session(of: request, portal) {
            case .absent: break
            case .dead(let clears):
                request.hadCookie = true
                request.keepsCookie = !clears
            case .unavailable:
                worker.post(.portal(ticket, portal.unavailable(request), nil))
                return
            case .live(let record, let session, let claims):
                request.hadCookie = true
                request.session = record
                live = (session, claims)
            }
            let answer = await portal.answer(request)
            // Asking how long it lasts does not make it last longer, nor does what another site's page asks for.
            if !sessions.isWatching(request.path), !answer.isCrossSite { live?.0.touch(Self.now) }
            end(answer.ended)
            for ended in answer.ended { counts.ended(ended.reason) }
            if answer.began != nil { counts.sessionCreated() }
            if request.method == "POST", request.path.hasPrefix(sessions.portal.path("login")) {
                counts.loginAnswered(answer.note)
            }
            worker.post(.portal(ticket, answer, answer.events ? live.map { .live($0.0, claims: $0.1) } : nil))
        }
    }

    private enum Visitor {
        case absent
        case dead(clears: Bool)
        case unavailable
        case live(SessionRecord, LiveSession, [UInt8])
    }

    /// The session of a request's cookie.
    private func session(of request: PortalRequest, _ portal: Portal) async -> Visitor {
        let name = portal.sessionCookie(at: request.host, scheme: request.scheme)
        let cookies = CookiePairs(request.fields)
        let values = cookies.values(of: name)
        guard !values.isEmpty else { return .absent }
        guard values.count == 1, !cookies.isExcessive, let id = SessionID(cookieValue: values[0].utf8) else {
            return .dead(clears: true)
        }
        let (outcome, record) = await found(id.key)
        switch outcome {
        case .none(let clears): return .dead(clears: clears)
        case .unavailable: return .unavailable
        case .live(let session, let claims):
            // Known only from the cache while the store is away: the pages need the record.
            guard let record else { return .unavailable }
            guard portal.counts(record, at: request.host) else { return .dead(clears: true) }
            return .live(record, session, claims)
        }
    }
}
