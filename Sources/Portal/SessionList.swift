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
        let rows = all.sorted { ($0.created, $0.key.text) > ($1.created, $1.key.text) }.map { row($0, session) }
        guard visit.wantsPage else {
            return json(
                [
                    ("sessions", .list(rows.map(Portal.json))), ("truncated", .flag(isTruncated)),
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
        page.rows = rows
        page.isTruncated = isTruncated
        page.ended = visit.query["ended"].flatMap { Int($0) }.map { min(max($0, 0), StoreLimits.page) }
        page.token = session.csrf
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
        try checkForgery(session, form, visit)
        // Of other people's sessions one does not learn that they are there.
        guard let key = SessionKey(text: handle), let found = try await find(key, now: visit.now),
            found.account == session.account, found.issuer == session.issuer
        else { throw .noSuchSession }
        let isOwn = found.family == session.family
        let filter = SessionFilter(account: found.account, family: found.family)
        let ended = try await end(where: filter, isOwn ? .logout : .revoked)
        await note(ended, as: isOwn ? .logout : .revoke, visit)
        if isOwn { return finishLogout(ended, everywhere: false, form, visit) }
        var answer =
            visit.wantsPage
            ? redirect(to: plan.path("sessions") + "?ended=\(ended.count)", note: "revoked")
            : json([("ended", .number(Int64(ended.count)))], note: "revoked")
        answer.ended = ended
        return answer
    }

    private func loginFirst(_ visit: Visit) -> PortalAnswer {
        guard visit.wantsPage, visit.method == "GET" else { return refuse(.noSession, visit) }
        let location = plan.loginLocation(
            target: plan.path("sessions"),
            host: visit.request.host,
            scheme: visit.request.scheme
        )
        return redirect(to: location, note: "no_session")
    }

    private func row(_ record: SessionRecord, _ own: SessionRecord) -> SessionsPage.Row {
        SessionsPage.Row(
            handle: record.key.text,
            device: record.device,
            address: record.address,
            site: record.site,
            created: record.created,
            lastSeen: record.lastSeen,
            ends: min(record.idleDeadline, record.expires),
            hasSecondFactor: record.strength >= 2,
            isCurrent: record.key == own.key
        )
    }

    private static func json(_ row: SessionsPage.Row) -> JSONField {
        .object([
            ("handle", .text(row.handle)), ("device", .text(row.device)), ("address", .text(row.address)),
            ("site", .text(row.site)), ("created", .number(row.created)), ("last_seen", .number(row.lastSeen)),
            ("ends", .number(row.ends)), ("second_factor", .flag(row.hasSecondFactor)),
            ("current", .flag(row.isCurrent)),
        ])
    }
}
