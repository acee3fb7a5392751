// HOT. Cookie sessions in the gate: out of the worker's cache, or looked up while the exchange waits; and whether a
// request that changes something may use one.
import Bytes
import HTTP
import Identity
import Policy
import Reactor
import Telemetry

/// How far the look-up of a request's session is.
enum SessionLookup {
    case notAsked
    case answered(SessionOutcome)
}

extension Exchange {
    /// Milliseconds for which a request waits for its session.
    static let lookupPatience: Int64 = 5_000

    /// Judges a request that has no token, where there are sessions.
    ///
    /// False when it has no session cookie either.
    @inline(__always)
    func judgeCookie(
        _ sessions: SessionPlan,
        _ rule: Rule,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> Bool {
        guard head.first(.cookie) >= 0 else { return false }
        let host = UnsafeBufferPointer(start: UnsafePointer(input) + head.authority.start, count: head.authority.count)
        switch sessions.cookies(of: host).findSession(in: head, input) {
        case .none: return false
        case .unusable:
            judgeDeadCookie(rule, head, input, connection)
        case .one(let slice):
            let cookie = UnsafeBufferPointer(start: UnsafePointer(input) + slice.start, count: slice.count)
            if let principal = findSession(cookie), let session = principal.session {
                guard isHere(session, sessions, head, input) else {
                    worker.metrics.add(.sessionCacheHits, 1)
                    judgeDeadCookie(rule, head, input, connection)
                    return true
                }
                // It may have been used over another gateway: the store is asked before a pause counts.
                guard worker.unixSeconds &- session.lastSeen < sessions.shortestPause else {
                    lookUp(cookie, sessions, rule, head, input, connection)
                    return true
                }
                worker.metrics.add(.sessionCacheHits, 1)
                admit(principal, session, sessions, rule, head, input, connection)
            } else {
                lookUp(cookie, sessions, rule, head, input, connection)
            }
        }
        return true
    }

    @inline(__always)
    private func findSession(_ cookie: UnsafeBufferPointer<UInt8>) -> Principal? {
        let generation = UInt32(truncatingIfNeeded: plan.snapshot.generation)
        guard let principal = worker.sessions.find(cookie, generation: generation, now: worker.unixSeconds),
            principal.session?.isLive(at: worker.unixSeconds) == true
        else { return nil }
        return principal
    }

    /// Whether the request's host is the session's: the id of one site opens nothing at another.
    @inline(__always)
    private func isHere(
        _ session: LiveSession,
        _ sessions: SessionPlan,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        sessions.holds(
            session,
            at: UnsafeBufferPointer(start: UnsafePointer(input) + head.host.start, count: head.host.count)
        )
    }

    /// The rule decides about a live session: its age and strength, then everything else.
    @inline(__always)
    private func admit(
        _ principal: Principal,
        _ session: LiveSession,
        _ sessions: SessionPlan,
        _ rule: Rule,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        let isChange = method.isUnsafe || connection.wantsTunnel || Self.asksForTunnel(head, UnsafePointer(input))
        if isChange, !isOriginProven(session, sessions, head, UnsafePointer(input), connection) {
            note.principal = principal
            return deny(.originUnproven, rule, head, connection)
        }
        let reason = rule.refusal(of: session, at: worker.unixSeconds)
        guard reason == .none else {
            note.principal = principal
            return challenge(reason, head, input, connection)
        }
        session.touch(worker.unixSeconds)
        switch rule.evaluate(principal) {
        case .admit(let permit): apply(.admit(permit), rule, head, input, connection)
        case .challenge(let reason):
            // Another login would be no other issuer's, and for no other audience: to lead there would be a circle.
            note.principal = principal
            deny(reason, rule, head, connection)
        case .deny(let reason): deny(reason, rule, head, connection)
        }
    }

    /// The cookie counts for nothing: an answer of ours removes it if it `clears`, and the request is judged as if it
    /// had none.
    private func judgeDeadCookie(
        clears: Bool = true,
        _ rule: Rule,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        hasDeadCookie = clears
        cookieHost = String(
            decoding: UnsafeBufferPointer(start: input + head.authority.start, count: head.authority.count),
            as: UTF8.self
        )
        guard let certificate = connection.certificate else {
            return apply(rule.evaluateNobody(.sessionUnknown), rule, head, input, connection)
        }
        judge(certificate, rule, head, input, connection)
    }

    // MARK: Look-up

    private func lookUp(
        _ cookie: UnsafeBufferPointer<UInt8>,
        _ sessions: SessionPlan,
        _ rule: Rule,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        guard case .answered(let outcome) = lookup else {
            worker.metrics.add(.sessionCacheMisses, 1)
            switch worker.lookUp(cookie, for: self) {
            case .asked: wait(head, input, connection)
            case .refused: unavailable(.sessionsUnavailable, head, connection)
            case .nobody: judgeDeadCookie(rule, head, input, connection)
            }
            return
        }
        lookup = .notAsked
        switch outcome {
        case .unavailable: unavailable(.sessionsUnavailable, head, connection)
        case .none(let clears): judgeDeadCookie(clears: clears, rule, head, input, connection)
        case .live(let session, let claims):
            if session.isEnded {
                let clears = worker.sessionDesk?.mayClear(session.digest) ?? true
                return judgeDeadCookie(clears: clears, rule, head, input, connection)
            }
            guard session.isLive(at: worker.unixSeconds), isHere(session, sessions, head, input),
                let principal = sessions.authenticator.principal(claims: claims, session)
            else { return judgeDeadCookie(rule, head, input, connection) }
            if worker.revocations.contains(principal, now: worker.unixSeconds) {
                return challenge(.revoked, head, input, connection)
            }
            worker.sessions.insert(
                cookie,
                principal,
                generation: UInt32(truncatingIfNeeded: plan.snapshot.generation),
                until: min(session.expires, worker.unixSeconds &+ sessions.cacheSeconds)
            )
            admit(principal, session, sessions, rule, head, input, connection)
        }
    }

    /// Waits: the head stays where it is, or is kept if it lies in memory that others use as well.
    private func wait(
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        phase = .looking
        if connection.isStream {
            let kept = worker.small.take()
            kept.append(UnsafePointer(input), head.length)
            keptHead = kept
        }
        watch(.lookup, Self.lookupPatience)
    }

    /// The look-up came to this: the request goes through the gate again.
    func sessionFound(_ outcome: SessionOutcome) {
        guard phase == .looking, let connection else { return }
        watch(.none, 0)
        phase = .deciding
        lookup = .answered(outcome)
        let kept = keptHead
        keptHead = nil
        defer { if let kept { worker.small.give(kept) } }
        guard let bytes = kept ?? connection.input else { return abort() }
        let head = worker.requestHead
        switch RequestParser.parse(Span(_unsafeElements: bytes.bytes), into: head, limits: worker.plan.headLimits) {
        case .complete:
            decide(head, bytes.readable, connection, plan)
            // What came in the meantime made no further event.
            if self.connection === connection { connection.later() }
        case .needMore, .refuse:
            // Limits have become narrower since it was parsed.
            isLast = true
            respond(Problem(ProtocolError.requestLineMalformed))
        }
    }

    // MARK: Origin

    /// Whether a request that changes something, or begins a tunnel, was made by a page that may use the session: by
    /// what the browser says of its origin (Fetch Metadata, RFC 6454), or by the session's token.
    private func isOriginProven(
        _ session: LiveSession,
        _ sessions: SessionPlan,
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> Bool {
        if let token = field(named: Self.csrfName, head, input), isToken(input, token, of: session) { return true }
        return isOriginOurs(sessions, head, input, connection)
    }

    private static let csrfName = Array("x-csrf-token".utf8)

    /// The value of the only field of this name, which the parser does not know.
    func field(named name: [UInt8], _ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Slice? {
        let found = fields(named: name, head, input)
        return found.count == 1 ? found.first : nil
    }

    /// The first field of this name, and how many there are.
    func fields(
        named name: [UInt8],
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>
    ) -> (first: Slice?, count: Int) {
        var found: (first: Slice?, count: Int) = (nil, 0)
        for i in 0..<head.fieldCount where head[i].id == .other && head[i].name.count == name.count {
            let field = head[i].name
            guard Self.equalIgnoringCase(UnsafeBufferPointer(start: input + field.start, count: field.count), name)
            else { continue }
            if found.count == 0 { found.first = head[i].value }
            found.count &+= 1
        }
        return found
    }

    private func isToken(_ input: UnsafePointer<UInt8>, _ slice: Slice, of session: LiveSession) -> Bool {
        session.csrf.withUnsafeBufferPointer {
            Scan.constantTimeEqual(UnsafeBufferPointer(start: input + slice.start, count: slice.count), $0)
        }
    }
}
