// COLD. Where one is logged in: the list, and ending what is on it.
internal import Sessions

extension Portal {
    /// `GET {prefix}/sessions`.
    func listSessions(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        guard let session = visit.session else { return loginFirst(visit) }
        var all = try await sessions(of: session.account, limit: PortalLimits.rows + 1)
        all.removeAll { !$0.isLive(at: visit.now) || $0.issuer != session.issuer }
        let isTruncated = all.count > PortalLimits.rows
        if isTruncated { all.removeLast(all.count - PortalLimits.rows) }
        if !all.contains(where: { $0.key == session.key }) { all.append(session) }
        all.sort { ($0.created, $0.key.text) > ($1.created, $1.key.text) }
        guard visit.wantsPage else {
            return json(
                [
                    ("sessions", .list(all.map { Portal.json($0, session) })), ("truncated", .flag(isTruncated)),
                    ("csrf_token", .text(session.csrf)),
                ],
                note: "sessions"
            )
        }
        var page = SessionsPage()
        page.action = plan.path("sessions")
        page.logoutAction = plan.path("logout")
        page.home = plan.afterLogin
        page.account = session.account
        page.rows = Portal.logins(all, session)
        page.isTruncated = isTruncated
        // One form ends one login; none when it had ended already.
        page.ended = visit.query["ended"].flatMap { Int($0) }.flatMap { (0...1).contains($0) ? $0 : nil }
        page.token = Self.pageToken(session, try await keys())
        page.now = visit.now
        return self.page(
            .sessions(page),
            status: 200,
            note: "sessions",
            visit,
            formOrigins: visit.logoutOrigins(plan)
        )
    }

    /// `POST {prefix}/sessions` with `handle`: what `DELETE` does, for forms.
    func revokeByForm(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let form = try Submission.read(visit.request, mayBeEmpty: true)
        return try await revoke(form[FormField.handle] ?? "", form, visit)
    }

    /// `DELETE {prefix}/sessions/{handle}`; `POST` too.
    func sessionItem(_ handle: String, _ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        if visit.request.method == "OPTIONS" { return preflight(["DELETE", "POST"], visit) }
        guard ["DELETE", "POST"].contains(visit.method) else { return wrongMethod("DELETE, POST", visit) }
        return try await revoke(handle, try Submission.read(visit.request, mayBeEmpty: true), visit)
    }

    /// Ends a session of the same account, with all that belong to the same login.
    private func revoke(
        _ handle: String,
        _ form: Submission,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        guard let session = visit.session else { return loginFirst(visit) }
        try await checkForgery([session], form, visit)
        // Of other people's sessions one does not learn that they are there.
        guard let key = SessionKey(text: handle), let found = try await find(key, now: visit.now),
            found.account == session.account, found.issuer == session.issuer
        else {
            // What the reader of a page wanted is so already; the list shows it.
            guard visit.wantsPage else { throw .noSuchSession }
            return redirect(to: plan.path("sessions") + "?ended=0", note: PortalProblem.noSuchSession.rawValue)
        }
        let isOwn = found.family == session.family
        let filter = SessionFilter(account: found.account, family: found.family)
        let ended = try await end(where: filter, isOwn ? .logout : .revoked)
        await note(ended, as: isOwn ? .logout : .revoke, visit)
        if isOwn { return finishLogout(ended, everywhere: false, form, visit) }
        var answer =
            visit.wantsPage
            ? redirect(to: plan.path("sessions") + "?ended=\(min(ended.count, 1))", note: "revoked")
            : json([("ended", .number(Int64(ended.count)))], note: "revoked")
        answer.ended = ended
        return answer
    }

    private func loginFirst(_ visit: Visit) -> PortalAnswer {
        guard visit.wantsPage, visit.method == "GET", !visit.isScript else { return refuse(.noSession, visit) }
        let location = plan.loginLocation(
            target: plan.path("sessions"),
            host: visit.request.host,
            scheme: visit.request.scheme
        )
        return redirect(to: location, note: "no_session")
    }

    /// One row for each login, with all of its sites: for people, several sites in one browser are one device.
    static func logins(_ sessions: [SessionRecord], _ own: SessionRecord) -> [SessionsPage.Row] {
        var order: [String] = []
        var families: [String: [SessionRecord]] = [:]
        for session in sessions {
            if families[session.family] == nil { order.append(session.family) }
            families[session.family, default: []].append(session)
        }
        return order.compactMap { row(families[$0] ?? [], own) }
    }

    /// The sessions of one login, newest first, as a row.
    private static func row(_ sessions: [SessionRecord], _ own: SessionRecord) -> SessionsPage.Row? {
        // Where somebody typed the password.
        guard let login = sessions.last(where: { !$0.method.hasPrefix("handoff:") }) ?? sessions.last else {
            return nil
        }
        let isCurrent = login.family == own.family
        var sites = [login.site]
        for session in sessions.reversed() where !sites.contains(session.site) { sites.append(session.site) }
        return SessionsPage.Row(
            handle: isCurrent ? own.key.text : login.key.text,
            device: login.device,
            address: login.address,
            site: sites.joined(separator: ", "),
            created: sessions.map(\.created).min() ?? login.created,
            lastSeen: sessions.map(\.lastSeen).max() ?? login.lastSeen,
            ends: sessions.map { min($0.idleDeadline, $0.expires) }.max() ?? login.expires,
            hasSecondFactor: login.strength >= 2,
            isCurrent: isCurrent
        )
    }

    private static func json(_ record: SessionRecord, _ own: SessionRecord) -> JSONField {
        .object([
            ("handle", .text(record.key.text)), ("device", .text(record.device)), ("address", .text(record.address)),
            ("site", .text(record.site)), ("created", .number(record.created)), ("last_seen", .number(record.lastSeen)),
            ("ends", .number(min(record.idleDeadline, record.expires))), ("second_factor", .flag(record.strength >= 2)),
            ("current", .flag(record.key == own.key)),
            // Sessions of one login on several sites have the same; it is of no other use.
            ("login", .text(String(SessionKey(hashing: Array(("login " + record.family).utf8)).text.prefix(16)))),
            ("current_login", .flag(record.family == own.family)),
        ])
    }
}
