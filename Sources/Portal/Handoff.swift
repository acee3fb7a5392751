// COLD. One login for several domains: a code that is good once, for thirty seconds, for one host and one browser.
//
//     site    GET {prefix}/start    → 303 login host, with a state that its own cookie proves
//     login   GET {prefix}/login    → (login form) → 303 site, with the code
//     site    GET {prefix}/handoff  → 303 where it began, with a session of the same family
internal import FoundationEssentials
internal import Sessions

/// What a code stands for; the code itself is not in it.
private struct Handoff: Codable {
    /// The session at the login host.
    var parent: SessionKey
    /// The site it is for.
    var origin: String
    /// What the site bound to its browser.
    var state: String
    /// Where it leads there.
    var path: String

    static func name(_ code: String) -> String { "handoff:" + SessionKey(hashing: Array(code.utf8)).text }
}

extension Portal {
    /// `GET {prefix}/start` on a site: sends the browser to the login host.
    func startHandoff(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        let wish = LoginWish(visit, plan: plan)
        guard case .local(let path) = wish.target, let loginHost = plan.loginHost, plan.isSibling(visit.site) else {
            return redirect(to: wish.location("login", plan), note: "login_here")
        }
        let ring = try await keys()
        var flow = visit.flow(ring, plan) ?? .make(now: visit.now)
        // Who opens a page again and again without logging in goes in no circle.
        if visit.session != nil || visit.now - flow.success <= PortalLimits.loopWindow {
            guard flow.counts(redirectTo: path, now: visit.now) else { return refuse(.loop, visit) }
        }
        var answer: PortalAnswer
        if let session = visit.session, wish.stepUp == 0 || (wish.stepUp == 2 && session.strength >= 2) {
            answer = redirect(to: path, note: "logged_in_already")
        } else {
            let login = Origin.sibling(loginHost, of: visit.request.host, scheme: visit.request.scheme)
            var location = login + plan.path("login") + "?return_to=" + PercentCoding.encode(visit.origin + path)
            location += "&state=" + flow.state(ring, host: visit.site)
            if wish.stepUp > 0 { location += "&step_up=\(wish.stepUp)" }
            answer = redirect(to: location, note: "handoff_start")
        }
        answer.set(flow, ring, visit, plan)
        return answer
    }

    /// Where the login host sends a browser whose session is to be known at `origin`.
    func handoffLocation(
        _ origin: String,
        _ path: String,
        state: String?,
        _ session: SessionRecord,
        _ visit: Visit
    ) async throws(PortalProblem) -> String {
        // Nobody at that site asked for it yet: it begins there, so that it is bound to the browser.
        guard let state else { return origin + plan.path("start") + "?return_to=" + PercentCoding.encode(path) }
        let code = SecureRandom.text(32)
        let handoff = Handoff(parent: session.key, origin: origin, state: state, path: path)
        guard let bytes = try? JSONEncoder().encode(handoff) else { throw .unavailable }
        try await put(Handoff.name(code), Array(bytes), until: visit.now + PortalLimits.handoff)
        return "\(origin)\(plan.path("handoff"))?code=\(code)&state=\(state)"
    }

    /// `GET {prefix}/handoff` on a site: takes the code and begins a session.
    func takeHandoff(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        // Whoever only looks at a link must not use it up.
        guard visit.request.method == "GET" else { return wrongMethod("GET", visit) }
        let visit = try await resolved(visit)
        let ring = try await keys()
        guard var flow = visit.flow(ring, plan) else { return refuse(.cookiesRefused, visit, retry: plan.afterLogin) }
        guard plan.isSibling(visit.site), let code = visit.query["code"], SessionKey(text: code) != nil,
            let state = visit.query["state"], flow.accepts(state: state, ring, host: visit.site)
        else { return await refuseHandoff(.handoffRefused, visit) }
        guard let handoff = try await takeHandoff(code) else {
            // Loaded again after it went through.
            if visit.session != nil { return redirect(to: plan.afterLogin, note: "logged_in_already") }
            return await refuseHandoff(.handoffExpired, visit)
        }
        guard handoff.origin == visit.origin, Same.secrets(handoff.state, state),
            ReturnTarget.local(handoff.path, plan: plan) != nil
        else { return await refuseHandoff(.handoffRefused, visit) }
        // The new session begins now: what was revoked up to now must not live on in it.
        guard let parent = try await find(handoff.parent, now: visit.now), !isRevoked(parent) else {
            return await refuseHandoff(.handoffExpired, visit)
        }
        // One cookie for both, by a configuration that is newer than the link: it is the session already.
        if visit.session?.key == parent.key { return redirect(to: handoff.path, note: "logged_in_already") }
        let id = SessionID.make()
        let record = child(of: parent, id.key, visit)
        var event = AuditEvent(.handoff, visit)
        event.describe(record)
        try await mustAudit(event)
        try await create(record, replacing: visit.session?.key)
        // A logout between look-up and creation did not see the new session.
        guard try await find(parent.key, now: visit.now) != nil else {
            _ = try await end(where: SessionFilter(account: parent.account, family: parent.family), .logout)
            return await refuseHandoff(.handoffExpired, visit)
        }
        var answer = redirect(to: handoff.path, note: "handoff")
        answer.setSession(
            id.cookieValue,
            seconds: plan.isRemembered(parent) ? record.expires - visit.now : nil,
            visit,
            plan
        )
        flow.success = visit.now
        answer.set(flow, ring, visit, plan)
        answer.ended = visit.session.map { [Ended(key: $0.key, record: $0, reason: .replaced)] } ?? []
        answer.began = record.key
        return answer
    }

    private func takeHandoff(_ code: String) async throws(PortalProblem) -> Handoff? {
        let bytes = try await take(Handoff.name(code))
        return bytes.flatMap { try? JSONDecoder().decode(Handoff.self, from: Data($0)) }
    }

    /// A session of the same login at another site: never longer, never stronger than its parent.
    private func child(of parent: SessionRecord, _ key: SessionKey, _ visit: Visit) -> SessionRecord {
        var record = parent
        record.key = key
        if !parent.method.hasPrefix("handoff:") { record.method = "handoff:" + parent.method }
        record.created = visit.now
        record.lastSeen = visit.now
        record.address = visit.request.clientAddress
        record.device = DeviceName.make(userAgent: visit.request.single("user-agent") ?? "")
        record.site = visit.site
        record.csrf = SecureRandom.text(32)
        return record
    }

    private func refuseHandoff(_ problem: PortalProblem, _ visit: Visit) async -> PortalAnswer {
        await note(AuditEvent(.failure, visit, reason: problem.rawValue))
        return refuse(problem, visit, retry: plan.path("start"))
    }
}
