// COLD. Name and password: the form, and what is done with it.
internal import Accounts
internal import Sessions
internal import Settings

extension Portal {
    // MARK: GET

    /// The form; whoever is logged in already goes on at once, unless asked for a fresh login.
    func showLogin(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        let wish = LoginWish(visit, plan: plan)
        if plan.isSibling(visit.site) {
            return redirect(to: wish.location("start", plan), note: "login_elsewhere")
        }
        let ring = try await keys()
        var flow = visit.flow(ring, plan) ?? .make(now: visit.now)
        if let session = visit.session, wish.stepUp == 0 || (wish.stepUp == 2 && session.strength >= 2) {
            guard flow.counts(redirectTo: wish.target.text, same: PortalLimits.loopLoggedIn, now: visit.now) else {
                return refuse(.loop, visit)
            }
            var answer = try await goOn(wish, session, note: "logged_in_already", visit)
            answer.set(flow, ring, visit, plan)
            return answer
        }
        if let session = visit.session, wish.stepUp == 2, accounts.account(named: session.account)?.totp == nil {
            throw .noSecondFactor
        }
        if visit.session == nil, !visit.request.hadCookie, visit.now - flow.success <= PortalLimits.loopWindow {
            // Logged in a moment ago, and no session cookie came back: a form would lead here again.
            guard flow.counts(redirectTo: wish.target.text, now: visit.now) else {
                var answer = refuse(.loop, visit)
                answer.set(flow, ring, visit, plan)
                return answer
            }
        }
        return loginForm(wish, flow, ring, visit)
    }

    /// The form, perhaps with what is wrong.
    func loginForm(
        _ wish: LoginWish,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit,
        problem: PortalProblem? = nil,
        wait: Int? = nil,
        typed: Submission? = nil
    ) -> PortalAnswer {
        var answer: PortalAnswer
        let token = flow.formToken("login", ring, now: visit.now)
        if visit.wantsPage {
            var page = LoginPage()
            page.action = wish.location("login", plan, withTarget: false)
            page.isStepUp = wish.stepUp > 0 && visit.session != nil
            page.account = page.isStepUp ? visit.session?.account ?? "" : typed?[FormField.user] ?? ""
            page.cancel = page.isStepUp ? plan.afterLogin : ""
            page.error = problem?.formError
            page.waitSeconds = wait
            page.returnTo = wish.returnTo(plan)
            page.token = token
            page.offersRemember = plan.rememberMe > 0 && !page.isStepUp
            page.remember = typed?.isOn(FormField.remember) ?? false
            answer = self.page(
                .login(page),
                status: problem?.status ?? 200,
                note: problem?.rawValue ?? "login_form",
                visit,
                formOrigins: visit.formOrigins(plan)
            )
            if let seconds = wait ?? (problem == .busy || problem == .unavailable ? 1 : nil) {
                answer.add("Retry-After", String(seconds))
            }
        } else if let problem {
            answer = refuse(problem, visit, retryAfter: wait)
        } else {
            answer = json(
                [("login_url", .text(plan.path("login"))), ("csrf_token", .text(token))],
                note: "login_form"
            )
        }
        answer.set(flow, ring, visit, plan)
        if visit.request.hadCookie, !visit.request.keepsCookie, visit.session == nil {
            answer.setSession("", visit, plan)
        }
        return answer
    }

    // MARK: POST

    /// Checks name and password; then a session begins, or the second factor is asked for.
    func login(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        let form = try Submission.read(visit.request)
        var wish = LoginWish(visit, form, plan: plan)
        let ring = try await keys()
        guard visit.source != .foreign else { throw visit.isOverPlainHTTP ? .httpsNeeded : .crossSite }
        // The session's cookie would drown among them.
        guard !visit.cookies.areExcessive else { throw .tooManyCookies }
        let known = visit.flow(ring, plan)
        if known != nil { wish.isSecondTry = false }
        if !form.isJSON {
            guard let known else { return withoutCookie(wish, form, ring, visit, .staleForm) }
            guard let token = form[FormField.token],
                known.accepts(token, form: "login", ring, now: visit.now)
            else {
                return loginForm(wish, known, ring, visit, problem: .staleForm, typed: form)
            }
        }
        let flow = known ?? .make(now: visit.now)
        let wanted = wish
        guard let token = form[FormField.token], !form.isJSON else {
            return try await tryPassword(form, wanted, flow, ring, visit, earlier: nil)
        }
        let name = "login:" + SessionKey(hashing: Array("\(flow.id) \(token)".utf8)).text
        let proof = resends.proof([form[FormField.user] ?? ""], visit)
        return try await resends.run(name, proof, now: visit.now) { earlier throws(PortalProblem) in
            try await tryPassword(form, wanted, flow, ring, visit, earlier: earlier)
        }
    }

    private func tryPassword(
        _ form: Submission,
        _ wish: LoginWish,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit,
        earlier: SessionKey?
    ) async throws(PortalProblem) -> PortalAnswer {
        func again(_ problem: PortalProblem, wait: Int? = nil) -> PortalAnswer {
            loginForm(wish, flow, ring, visit, problem: problem, wait: wait, typed: form)
        }
        // A step-up is for whoever is logged in, whatever was typed as a name.
        let stepUp = wish.stepUp > 0 ? visit.session : nil
        guard let typed = stepUp?.account ?? form[FormField.user], typed.utf8.count <= PortalLimits.name,
            let password = form[FormField.password], password.utf8.count <= PortalLimits.password
        else { return again(.incomplete) }

        let directory = accounts
        let found = directory.account(named: typed)
        let name = found?.canonical ?? AccountName.canonical(typed) ?? "?"
        let attempt = attempt(name, exists: found != nil, ring, visit)
        if case .wait(let seconds, let why) = throttle.admit(attempt, now: visit.now) {
            await noteThrottled(attempt, auditName(name, isKnown: found != nil), why, visit)
            return again(.throttled, wait: max(seconds, 1))
        }
        let usable = found.flatMap { $0.isDisabled ? nil : $0 }
        let verdict: PasswordVerdict
        do throws(HashingError) {
            verdict = try await hashing.verify(Array(password.utf8), usable?.password, directory.decoys)
        } catch {
            throttle.released(attempt, now: visit.now)
            switch error {
            case .busy, .failed: return again(.busy)
            case .length: return again(.incomplete)
            }
        }
        guard verdict == .matches, let account = usable else {
            throttle.failed(attempt, now: visit.now)
            let reason = found == nil ? "unknown_account" : usable == nil ? "disabled" : "wrong_password"
            let told = auditName(name, isKnown: found != nil)
            await note(AuditEvent(.failure, visit, account: told, reason: reason))
            return again(.wrongCredentials)
        }
        await renewHash(of: account, Array(password.utf8))
        let isRemembered = plan.rememberMe > 0 && form.isOn(FormField.remember)
        var step = LoginStep(account: account, isRemembered: isRemembered, wish: wish, stepUp: stepUp?.key)
        // The browser threw the first answer to this form away, and its cookie with it.
        var visit = visit
        if visit.session == nil, let same = await resentOrNot(earlier, of: account.canonical, visit) {
            (visit, step.stepUp, step.isResent) = (same, same.session?.key, true)
        }
        return try await afterPassword(step, attempt, form, flow, ring, visit)
    }

    /// As ``resent(_:of:_:)``; a store that is away is told of when the session begins.
    private func resentOrNot(_ earlier: SessionKey?, of account: String, _ visit: Visit) async -> Visit? {
        (try? await resent(earlier, of: account, visit)) ?? nil
    }

    /// A form that came without the browser's cookie: a logout in another tab cleared it, or the browser refuses it.
    ///
    /// The first time it gets a fresh form and the cookie; if that did not come back either, it is refused.
    func withoutCookie(
        _ wish: LoginWish,
        _ form: Submission,
        _ ring: KeyRing,
        _ visit: Visit,
        _ problem: PortalProblem
    ) -> PortalAnswer {
        var wish = wish
        guard visit.wantsPage, !wish.isSecondTry else {
            wish.isSecondTry = false
            return refuse(.cookiesRefused, visit, retry: wish.location("login", plan))
        }
        wish.isSecondTry = true
        return loginForm(wish, .make(now: visit.now), ring, visit, problem: problem, typed: form)
    }

    /// Who tries, from where, on which device.
    func attempt(_ account: String, exists: Bool, _ ring: KeyRing, _ visit: Visit) -> LoginAttempt {
        LoginAttempt(
            account: account,
            exists: exists,
            address: visit.request.clientAddress,
            device: KnownDevice.id(visit.own(.device, plan), account: account, ring, now: visit.now)
        )
    }

    /// Hashes the password anew when its hash is not of the configured cost; not having done so is no failure.
    private func renewHash(of account: Account, _ password: [UInt8]) async {
        guard let old = account.password, PasswordHash.needsRehash(old, plan.argon2) else { return }
        guard let new = try? await hashing.make(password, plan.argon2) else { return }
        _ = await users.rehash(account.name, from: old, to: new)
    }

    private func afterPassword(
        _ step: LoginStep,
        _ attempt: LoginAttempt,
        _ form: Submission,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        let account = step.account
        if isShutOut(step, visit) { return await shutOut(step, attempt, flow, ring, visit) }
        // A route may want the code even where a login alone goes without it; and a step-up makes no login weaker.
        let isStrong = step.stepUp != nil && (visit.session?.strength ?? 1) >= 2
        let isAsked = account.totp != nil && (plan.secondFactor != .off || step.wish.stepUp == 2 || isStrong)
        if plan.secondFactor == .required || step.wish.stepUp == 2, account.totp == nil {
            throttle.released(attempt, now: visit.now)
            await note(AuditEvent(.failure, visit, account: account.canonical, reason: "no_second_factor"))
            return loginForm(step.wish, flow, ring, visit, problem: .noSecondFactor)
        }
        guard isAsked else {
            return try await begin(step, method: "pwd", strength: 1, attempt, flow, ring, visit)
        }
        // Programs may send both factors at once.
        if form.isJSON, let code = form[FormField.code] {
            let verdict: CodeVerdict
            do throws(PortalProblem) {
                verdict = try await check(code, of: account, visit)
            } catch {
                // Nothing was tried: it is no failure of whoever logs in.
                throttle.released(attempt, now: visit.now)
                throw error
            }
            switch verdict {
            case .good(let method):
                return try await begin(step, method: method, strength: 2, attempt, flow, ring, visit)
            case .bad(let reason):
                throttle.failed(attempt, now: visit.now)
                await note(AuditEvent(.failure, visit, account: account.canonical, reason: reason))
                return refuse(.wrongCode, visit)
            }
        }
        throttle.released(attempt, now: visit.now)
        return try await askForCode(step, flow, ring, visit)
    }
}

/// A login whose password was right.
struct LoginStep: Sendable {
    var account: Account
    /// Whether the cookie outlives the browser's session.
    var isRemembered: Bool
    var wish: LoginWish
    /// The session that is confirmed; nil: a login of its own.
    var stepUp: SessionKey?
    /// The same form came a moment ago: `stepUp` is what that one began.
    var isResent = false
}
