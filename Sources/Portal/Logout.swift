// COLD. Logout: the store first, then the browser.
internal import Sessions

extension Portal {
    /// `GET`: asks; a link alone logs nobody out.
    func showLogout(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        guard let session = visit.session else {
            var answer = signedOut(everywhere: visit.query.isOn(FormField.everywhere), visit)
            if visit.request.hadCookie, !visit.request.keepsCookie { clearCookies(&answer, visit) }
            return answer
        }
        guard visit.wantsPage else {
            return json(
                [("user", .text(session.account)), ("csrf_token", .text(session.csrf))],
                note: "logout_form"
            )
        }
        var page = ConfirmPage()
        page.action = plan.path("logout")
        page.account = session.account
        page.token = Self.pageToken(session, try await keys())
        let target = visit.query[FormField.returnTo].flatMap { ReturnTarget.local($0, plan: plan) }
        page.returnTo = target ?? ""
        page.cancel = target ?? plan.afterLogin
        return self.page(
            .confirm(page),
            status: 200,
            note: "logout_form",
            visit,
            formOrigins: visit.logoutOrigins(plan, returnTo: target)
        )
    }

    /// `POST`: ends the login on all of its sites, or all logins of the account.
    func logout(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        let form = try Submission.read(visit.request, mayBeEmpty: true)
        guard let session = visit.session else {
            // Without a session only this site's own pages may clear its cookies.
            guard visit.source != .foreign else { throw .crossSite }
            return try await logout(try await doubted(visit), form, visit)
        }
        return try await logout([session], form, visit)
    }

    private func logout(
        _ sessions: [SessionRecord],
        _ form: Submission,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        try await checkForgery(sessions, form, visit)
        let isInForm = try form.flag(FormField.everywhere)
        let isInQuery = try visit.query.flag(FormField.everywhere)
        let everywhere = !sessions.isEmpty && (isInForm || isInQuery)
        if sessions.isEmpty { try await endUnknown(visit) }
        try await dropHalf(visit)
        var ended: [Ended] = []
        for session in sessions {
            let filter = SessionFilter(account: session.account, family: everywhere ? nil : session.family)
            ended += try await end(where: filter, everywhere ? .logoutEverywhere : .logout)
        }
        await note(ended, as: .logout, visit)
        return finishLogout(ended, everywhere: everywhere, form, visit)
    }

    /// Ends what the cookies name although the store does not know it: what it lost, or what another logout ended without
    /// being able to say so, may be in the caches of other gateways.
    private func endUnknown(_ visit: Visit) async throws(PortalProblem) {
        let keys = cookieKeys(visit)
        // Of several, all but one are made up, and each would cost all gateways something.
        guard visit.request.hadCookie, keys.count == 1, let key = keys.first else { return }
        try await stored { store throws(StoreError) in
            guard try await store.find(key) == nil else { return }
            _ = try await store.end(key, .logout)
        }
    }

    private func cookieKeys(_ visit: Visit) -> [SessionKey] {
        let name = plan.sessionCookie(at: visit.request.host, scheme: visit.request.scheme)
        var keys: [SessionKey] = []
        for value in visit.cookies.all(name) {
            guard let key = SessionID(cookieValue: value.utf8)?.key, !keys.contains(key) else { continue }
            keys.append(key)
        }
        return keys
    }

    /// The live sessions of cookies that are no login, because there are several of the name: one of them may be
    /// planted, but who logs out wants none of them to go on.
    private func doubted(_ visit: Visit) async throws(PortalProblem) -> [SessionRecord] {
        guard visit.request.hadCookie else { return [] }
        var found: [SessionRecord] = []
        for key in cookieKeys(visit).prefix(PortalLimits.doubtedCookies) {
            guard let record = try await find(key, now: visit.now), plan.shares(record.site, visit.site) else {
                continue
            }
            found.append(record)
        }
        return found
    }

    /// The answer when nobody is logged in here any more.
    func finishLogout(_ ended: [Ended], everywhere: Bool, _ form: Submission, _ visit: Visit) -> PortalAnswer {
        let target = form[FormField.returnTo].flatMap { ReturnTarget.local($0, plan: plan) }
        let location = target ?? plan.afterLogout ?? plan.path("logout") + (everywhere ? "?everywhere=true" : "")
        var answer: PortalAnswer
        if visit.wantsPage {
            answer = redirect(to: location, note: "logout")
        } else {
            answer = json(
                [
                    ("signed_out", .flag(true)), ("ended", .number(Int64(ended.count))), ("location", .text(location)),
                ],
                note: "logout"
            )
        }
        clearCookies(&answer, visit)
        // Only on secure origins do browsers heed it. Cookies are cleared one by one: the one that makes this device
        // a known one stays, or whoever guesses passwords could lock its owner out.
        if visit.request.scheme == "https" { answer.add("Clear-Site-Data", "\"cache\", \"storage\"") }
        answer.ended = ended
        return answer
    }

    /// Takes the browser's cookies back; devices stay known.
    func clearCookies(_ answer: inout PortalAnswer, _ visit: Visit) {
        answer.setSession("", visit, plan)
        answer.set(.code, "", visit, plan)
        answer.set(.flow, "", visit, plan)
    }

    private func signedOut(everywhere: Bool, _ visit: Visit) -> PortalAnswer {
        guard visit.wantsPage else {
            return json([("signed_out", .flag(true))], note: "signed_out")
        }
        var page = SignedOutPage()
        page.login = plan.path(plan.isSibling(visit.site) ? "start" : "login")
        page.home = plan.afterLogout ?? ""
        page.wasEverywhere = everywhere
        return self.page(.signedOut(page), status: 200, note: "signed_out", visit)
    }

    // MARK: Shared by all that changes something

    /// Refuses what another site's page may have sent: an own `Sec-Fetch-Site` or `Origin` is needed, or the session's
    /// token in `X-CSRF-Token` or the field `csrf`.
    ///
    /// A form's token that is another login's is refused in any case: the page was made before somebody else logged in
    /// with this browser, and what it says is not what would happen.
    func checkForgery(_ sessions: [SessionRecord], _ form: Submission, _ visit: Visit) async throws(PortalProblem) {
        guard !sessions.isEmpty else { return }
        let ring = try await keys()
        let sent = form[FormField.token] ?? ""
        if visit.source == .own {
            guard sent.isEmpty || sessions.contains(where: { Self.isToken(sent, of: $0, ring) }) else {
                throw .staleForm
            }
        } else {
            let token = visit.request.single("x-csrf-token") ?? sent
            guard sessions.allSatisfy({ Self.isToken(token, of: $0, ring) }) else { throw .crossSite }
        }
    }

    /// The token of forms about a login's sessions: pages from before a step-up go on working, logout first of all.
    static func pageToken(_ session: SessionRecord, _ ring: KeyRing) -> String { ring.sign(.page, [session.family]) }

    private static func isToken(_ token: String, of session: SessionRecord, _ ring: KeyRing) -> Bool {
        Same.secrets(token, session.csrf) || ring.verify(.page, [session.family], token)
    }

    /// The request with its session looked up once more, when a cookie came but the gateway found no session.
    ///
    /// What cannot be looked up is "not possible at the moment": a store that is away must never look like a logout.
    func resolved(_ visit: Visit) async throws(PortalProblem) -> Visit {
        guard visit.session == nil, visit.request.hadCookie else { return visit }
        let name = plan.sessionCookie(at: visit.request.host, scheme: visit.request.scheme)
        guard let value = visit.cookies[name], let id = SessionID(cookieValue: value.utf8) else { return visit }
        guard let record = try await find(id.key, now: visit.now), counts(record, at: visit.site),
            case .current = review(record)
        else { return visit }
        var request = visit.request
        request.session = record
        return Visit(request, plan: plan)
    }
}
