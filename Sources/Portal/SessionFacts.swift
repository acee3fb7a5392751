// COLD. What a page or an app may know of its own session.
internal import JOSE
internal import Sessions

extension Portal {
    /// `GET {prefix}/session`.
    func sessionFacts(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        guard let session = visit.session else { return unauthenticated(visit) }
        return json(facts(session, visit), note: "session")
    }

    /// `GET {prefix}/session/events`: the gateway keeps it open and writes the events.
    func sessionEvents(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        guard visit.session != nil else { return unauthenticated(visit) }
        var answer = PortalAnswer(status: 200, note: "session_events")
        answer.add("Content-Type", "text/event-stream")
        answer.add("Cache-Control", "no-store")
        answer.add("X-Content-Type-Options", "nosniff")
        answer.events = visit.method == "GET" && visit.request.method != "HEAD"
        return answer
    }

    /// These two are for programs: `401` and problem JSON, whatever `Accept` says.
    private func unauthenticated(_ visit: Visit) -> PortalAnswer {
        var request = visit.request
        request.fields.removeAll { $0.name == "accept" }
        request.fields.append(("accept", "application/json"))
        return refuse(.noSession, Visit(request, plan: plan))
    }

    /// A session for the one whose it is.
    func facts(_ session: SessionRecord, _ visit: Visit) -> [(String, JSONField)] {
        let claims = AccountClaims(session.claims)
        var fields: [(String, JSONField)] = [("user", .text(session.account))]
        if let name = claims.name { fields.append(("name", .text(name))) }
        if let email = claims.email { fields.append(("email", .text(email))) }
        return fields + [
            ("roles", .list(claims.roles.map { .text($0) })), ("issuer", .text(session.issuer)),
            ("method", .text(session.method)), ("strength", .number(Int64(session.strength))),
            ("created", .number(session.created)), ("authenticated", .number(session.authenticated)),
            ("idle_seconds_left", .number(max(0, session.idleDeadline - visit.now))),
            ("absolute_seconds_left", .number(max(0, session.expires - visit.now))),
            ("handle", .text(session.key.text)), ("csrf_token", .text(session.csrf)),
        ]
    }
}

/// What pages show of the claims of a session.
struct AccountClaims {
    var name: String?
    var email: String?
    var roles: [String] = []

    /// Out of a JSON object; nothing when it cannot be read.
    init(_ json: [UInt8]) {
        let document = JSONDocument(capacity: json.count)
        guard (try? document.parse(json.span)) != nil, document.nodeCount > 0 else { return }
        func text(_ index: Int) -> String? {
            index >= 0 && document.kind(index) == .string ? document.string(index) : nil
        }
        name = text(document.member(0, "name"))
        email = text(document.member(0, "email"))
        let list = document.member(0, "roles")
        guard list >= 0, document.kind(list) == .array else { return }
        var child = document.firstChild(list)
        for _ in 0..<document.childCount(list) {
            if let role = text(child) { roles.append(role) }
            child = document.next(child)
        }
    }
}
