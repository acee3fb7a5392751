// COLD. How answers look: pages, JSON, problems and redirects, each with the fields that keep them safe.

extension Portal {
    /// A page.
    func page(
        _ page: Page,
        status: Int,
        note: String,
        _ visit: Visit,
        formOrigins: [String] = []
    ) -> PortalAnswer {
        var reader = visit.reader
        reader.formOrigins = formOrigins
        let rendered = pages.render(page, for: reader)
        var answer = PortalAnswer(status: status, note: note, body: rendered.body)
        answer.add("Content-Type", "text/html; charset=utf-8")
        answer.add("Content-Language", rendered.language)
        answer.add("Content-Security-Policy", rendered.policy)
        answer.add("Cross-Origin-Opener-Policy", "same-origin")
        answer.add("Cross-Origin-Resource-Policy", "same-origin")
        answer.add("X-Frame-Options", "DENY")
        protect(&answer)
        return answer
    }

    /// JSON.
    func json(
        _ fields: [(String, JSONField)],
        status: Int = 200,
        type: String = "application/json",
        note: String
    ) -> PortalAnswer {
        var answer = PortalAnswer(status: status, note: note, body: JSONField.object(fields).bytes)
        answer.add("Content-Type", type)
        answer.add("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        protect(&answer)
        return answer
    }

    /// A redirect that is always a GET: `303`.
    func redirect(to location: String, note: String) -> PortalAnswer {
        var answer = PortalAnswer(status: 303, note: note)
        answer.add("Location", location)
        protect(&answer)
        return answer
    }

    /// A refusal: a page or problem JSON (RFC 9457), as the client wants it.
    func refuse(
        _ problem: PortalProblem,
        _ visit: Visit,
        retryAfter: Int? = nil,
        retry: String? = nil
    ) -> PortalAnswer {
        let isPassing = problem == .busy || problem == .unavailable || problem == .logoutUnavailable
        let wait = retryAfter ?? (isPassing ? 1 : nil)
        var answer: PortalAnswer
        if visit.wantsPage {
            var page = ErrorPage()
            page.status = problem.status
            page.code = problem.rawValue
            page.detail = problem.detail
            page.requestID = visit.request.requestID
            page.waitSeconds = wait
            page.retry = retry ?? ""
            page.way = way(from: problem, visit)
            answer = self.page(.error(page), status: problem.status, note: problem.rawValue, visit)
        } else {
            var fields: [(String, JSONField)] = [
                ("type", .text("about:blank")), ("title", .text(Portal.title(problem.status))),
                ("status", .number(Int64(problem.status))), ("code", .text(problem.rawValue)),
                ("detail", .text(problem.detail)), ("request_id", .text(visit.request.requestID)),
            ]
            if problem.status == 401 || problem == .expired {
                fields.append(("login_url", .text(plan.path(plan.isSibling(visit.site) ? "start" : "login"))))
            }
            if let wait { fields.append(("retry_after", .number(Int64(wait)))) }
            answer = json(fields, status: problem.status, type: "application/problem+json", note: problem.rawValue)
        }
        if let wait { answer.add("Retry-After", String(wait)) }
        return answer
    }

    /// Where a reader goes on to after a refusal.
    private func way(from problem: PortalProblem, _ visit: Visit) -> ErrorPage.Way? {
        let list = ErrorPage.Way.sessions(plan.path("sessions"))
        switch problem {
        case .noSession, .expired, .secondFactorRequired, .wrongCredentials, .wrongCode:
            return .login(plan.path(plan.isSibling(visit.site) ? "start" : "login"))
        case .notFound, .noSuchSession, .methodNotAllowed, .crossSite, .staleForm: return list
        case .noSecondFactor: return visit.session == nil ? nil : list
        default: return nil
        }
    }

    /// Fields that every answer has: nothing of the portal is kept by caches or told to other sites.
    ///
    /// `Referrer-Policy` is not `no-referrer`: with that, browsers send `Origin: null` with the portal's own forms.
    private func protect(_ answer: inout PortalAnswer) {
        answer.add("Cache-Control", "no-store")
        answer.add("X-Content-Type-Options", "nosniff")
        answer.add("Referrer-Policy", "same-origin")
    }

    private static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        default: "Service Unavailable"
        }
    }
}
