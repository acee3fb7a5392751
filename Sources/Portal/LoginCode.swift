// COLD. The second factor: a half-done login waits in the store, bound to a cookie, for a code that is good once.
internal import Accounts
internal import FoundationEssentials
internal import Sessions

/// What the store keeps between password and second factor.
struct HalfLogin: Codable, Sendable {
    var account: String
    /// Fingerprint of password and second factor: when they change, the half-done login is void.
    var credentials: UInt64
    var isRemembered: Bool
    /// The browser's flow.
    var flow: String
    /// Codes that were wrong so far.
    var attempts = 0
    var until: Int64

    /// Name of the value in the store; the cookie is not in it.
    static func name(_ cookie: String) -> String { "half:" + SessionKey(hashing: Array(cookie.utf8)).text }
}

/// What became of a code.
enum CodeVerdict: Sendable {
    /// Good, and used up; the method of login.
    case good(String)
    /// Why not.
    case bad(String)
}

extension Portal {
    /// Keeps the half-done login and shows the form for the code.
    func askForCode(
        _ step: LoginStep,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        let cookie = SecureRandom.text(32)
        let half = HalfLogin(
            account: step.account.canonical,
            credentials: step.account.credentialVersion,
            isRemembered: step.isRemembered,
            flow: flow.id,
            until: visit.now + PortalLimits.halfLogin
        )
        try await keep(half, cookie)
        var answer: PortalAnswer
        if visit.wantsPage {
            answer = codeForm(step.wish, cookie, flow, ring, visit, account: step.account)
        } else {
            answer = refuse(.secondFactorRequired, visit)
        }
        answer.note = "second_factor_required"
        answer.set(.code, cookie, seconds: PortalLimits.halfLogin, visit, plan)
        answer.set(flow, ring, visit, plan)
        return answer
    }

    /// `GET`: the form again, after a reload or in another language.
    func showCode(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let ring = try await keys()
        let wish = LoginWish(visit, plan: plan)
        guard let cookie = visit.own(.code, plan), let flow = visit.flow(ring, plan) else {
            return redirect(to: wish.location("login", plan), note: "login_expired")
        }
        return try await resends.run(HalfLogin.name(cookie), nil, now: visit.now) { _ throws(PortalProblem) in
            guard let account = try await waiting(cookie, flow, visit) else {
                var answer = redirect(to: wish.location("login", plan), note: "login_expired")
                answer.set(.code, "", visit, plan)
                return answer
            }
            return codeForm(wish, cookie, flow, ring, visit, account: account)
        }
    }

    /// `POST`: checks the code; then a session begins.
    func code(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        let form = try Submission.read(visit.request)
        let wish = LoginWish(visit, form, plan: plan)
        let ring = try await keys()
        guard visit.source != .foreign else { throw visit.isOverPlainHTTP ? .httpsNeeded : .crossSite }
        guard !visit.cookies.areExcessive else { throw .tooManyCookies }
        guard let flow = visit.flow(ring, plan) else { return withoutCookie(wish, form, ring, visit, .expired) }
        guard let cookie = visit.own(.code, plan), SessionKey(text: cookie) != nil else {
            return try await startAgain(wish, flow, ring, visit)
        }
        let isTimely =
            form.isJSON
            || form[FormField.token].map { flow.accepts($0, form: "code " + cookie, ring, now: visit.now) } ?? false
        let code = isTimely ? form[FormField.code].flatMap { $0.utf8.count <= 64 ? $0 : nil } : nil
        // Programs do not click twice: their codes count once, whatever comes after.
        let proof = form.isJSON ? nil : code.map { resends.proof([cookie, flow.id, $0], visit) }
        return try await resends.run(HalfLogin.name(cookie), proof, now: visit.now) { earlier throws(PortalProblem) in
            if let again = try await resent(earlier, of: nil, visit) {
                return try await beginAgain(wish, flow, ring, again)
            }
            guard let code else {
                guard let account = try await waiting(cookie, flow, visit) else {
                    return try await startAgain(wish, flow, ring, visit)
                }
                let problem = isTimely ? PortalProblem.wrongCode : .staleForm
                return codeForm(wish, cookie, flow, ring, visit, problem: problem, account: account)
            }
            return try await tryCode(code, form, cookie, wish, flow, ring, visit)
        }
    }

    /// The same form once more, by a browser that threw the first one's answer away: a session in place of that one's.
    private func beginAgain(
        _ wish: LoginWish,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        guard let session = visit.session, let account = accounts.account(named: session.account) else {
            throw .expired
        }
        let attempt = attempt(account.canonical, exists: true, ring, visit)
        if case .wait(let seconds, let why) = throttle.admit(attempt, isContinued: true, now: visit.now) {
            await noteThrottled(attempt, account.canonical, why, visit)
            return loginForm(wish, flow, ring, visit, problem: .throttled, wait: max(seconds, 1))
        }
        let isRemembered = plan.isRemembered(session)
        var step = LoginStep(account: account, isRemembered: isRemembered, wish: wish, stepUp: session.key)
        step.isResent = true
        return try await begin(
            step,
            method: session.method,
            strength: session.strength,
            attempt,
            flow,
            ring,
            visit
        )
    }

    private func tryCode(
        _ code: String,
        _ form: Submission,
        _ cookie: String,
        _ wish: LoginWish,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        // Taken, so that codes of one login are tried one after another; put back when it was wrong.
        guard var half = try await takeHalf(cookie), let account = account(of: half, flow, visit) else {
            return try await startAgain(wish, flow, ring, visit)
        }
        let attempt = attempt(account.canonical, exists: true, ring, visit)
        let isRecovery =
            form.isOn(FormField.recovery) || !code.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x20 }
        func again(_ problem: PortalProblem, wait: Int? = nil) -> PortalAnswer {
            codeForm(
                wish,
                cookie,
                flow,
                ring,
                visit,
                problem: problem,
                wait: wait,
                isRecovery: isRecovery && !account.recovery.isEmpty,
                account: account
            )
        }
        // The first code goes with the password; further ones are guesses like any other.
        if case .wait(let seconds, let why) = throttle.admit(
            attempt,
            isContinued: half.attempts == 0,
            now: visit.now
        ) {
            try await keep(half, cookie)
            await noteThrottled(attempt, account.canonical, why, visit)
            return again(.throttled, wait: max(seconds, 1))
        }
        let verdict: CodeVerdict
        do throws(PortalProblem) {
            verdict = try await check(code, of: account, visit)
        } catch {
            throttle.released(attempt, now: visit.now)
            try await keep(half, cookie)
            return again(error)
        }
        switch verdict {
        case .good(let method):
            let session = wish.stepUp > 0 ? visit.session : nil
            let step = LoginStep(
                account: account,
                isRemembered: half.isRemembered,
                wish: wish,
                stepUp: session?.account == account.canonical ? session?.key : nil
            )
            return try await begin(step, method: method, strength: 2, attempt, flow, ring, visit)
        case .bad(let reason):
            throttle.failed(attempt, now: visit.now)
            await note(AuditEvent(.failure, visit, account: account.canonical, reason: reason))
            half.attempts += 1
            guard half.attempts < PortalLimits.codeAttempts else {
                return try await startAgain(wish, flow, ring, visit)
            }
            try await keep(half, cookie)
            return again(.wrongCode)
        }
    }

    /// Whether a code is the account's; a good one is used up, in every gateway on this store.
    func check(_ code: String, of account: Account, _ visit: Visit) async throws(PortalProblem) -> CodeVerdict {
        guard let totp = account.totp else { return .bad("no_second_factor") }
        let owner = SessionKey(hashing: Array(account.canonical.utf8)).text
        if let step = TOTP.verify(totp, code: code, now: visit.now) {
            // Beyond the last second in which the code of this step is taken.
            let until = visit.now + Int64(totp.period) * 4
            guard try await claim("totp:\(owner):\(step)", until: until) else { return .bad("code_used_before") }
            await note(AuditEvent(.secondFactor, visit, account: account.canonical, reason: "otp"))
            return .good("pwd+otp")
        }
        guard let hash = RecoveryCodes.match(code, in: account.recovery) else { return .bad("wrong_code") }
        // The file is this gateway's; others on the store may have the same code in theirs.
        let claimed = "recovery:" + SessionKey(hashing: Array("\(account.canonical):\(hash)".utf8)).text
        guard try await claim(claimed, until: visit.now + PortalLimits.recovery) else {
            return .bad("code_used_before")
        }
        switch await users.takeRecovery(account.name, hash: hash) {
        case nil:
            _ = try await take(claimed)
            throw .unavailable
        case false?: return .bad("code_used_before")
        case true?:
            await note(AuditEvent(.secondFactor, visit, account: account.canonical, reason: "recovery"))
            return .good("pwd+recovery")
        }
    }

    private func codeForm(
        _ wish: LoginWish,
        _ cookie: String,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit,
        problem: PortalProblem? = nil,
        wait: Int? = nil,
        isRecovery: Bool = false,
        account: Account
    ) -> PortalAnswer {
        guard visit.wantsPage else { return refuse(problem ?? .secondFactorRequired, visit, retryAfter: wait) }
        var page = SecondFactorPage()
        page.action = wish.location("login/code", plan, withTarget: false)
        page.restart = wish.location("login", plan)
        page.account = account.name
        page.error = isRecovery && problem == .wrongCode ? .wrongRecovery : problem?.formError
        page.isRecovery = isRecovery
        page.waitSeconds = wait
        page.returnTo = wish.returnTo(plan)
        page.token = flow.formToken("code " + cookie, ring, now: visit.now)
        page.offersRecovery = !account.recovery.isEmpty
        var answer = self.page(
            .secondFactor(page),
            status: problem?.status ?? 200,
            note: problem?.rawValue ?? "second_factor_form",
            visit,
            formOrigins: visit.formOrigins(plan)
        )
        if let seconds = wait ?? (problem == .unavailable ? 1 : nil) { answer.add("Retry-After", String(seconds)) }
        return answer
    }

    /// The half-done login is gone: from the beginning, with a word about it; unless it has just gone through.
    private func startAgain(
        _ wish: LoginWish,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        // Its button was pressed once more while the browser was already on its way.
        if visit.wantsPage, let session = visit.session, session.strength >= 2,
            visit.now - session.authenticated <= Resends.seconds
        {
            var flow = flow
            guard flow.counts(redirectTo: wish.target.text, now: visit.now) else { return refuse(.loop, visit) }
            var answer = try await goOn(wish, session, note: "logged_in_already", visit)
            answer.set(flow, ring, visit, plan)
            return answer
        }
        var answer = loginForm(wish, flow, ring, visit, problem: .expired)
        answer.set(.code, "", visit, plan)
        return answer
    }

    // MARK: Store

    /// The browser does not go on with its half-done login: no code is taken for it any more.
    func dropHalf(_ visit: Visit) async throws(PortalProblem) {
        guard let cookie = visit.own(.code, plan), SessionKey(text: cookie) != nil else { return }
        _ = try await take(HalfLogin.name(cookie))
    }

    private func keep(_ half: HalfLogin, _ cookie: String) async throws(PortalProblem) {
        guard let bytes = try? JSONEncoder().encode(half) else { throw .unavailable }
        try await put(HalfLogin.name(cookie), Array(bytes), until: half.until)
    }

    private func takeHalf(_ cookie: String) async throws(PortalProblem) -> HalfLogin? {
        let bytes = try await take(HalfLogin.name(cookie))
        return bytes.flatMap { try? JSONDecoder().decode(HalfLogin.self, from: Data($0)) }
    }

    /// Whose half-done login it is, when it is of this browser and still good.
    private func account(of half: HalfLogin, _ flow: BrowserFlow, _ visit: Visit) -> Account? {
        guard visit.now < half.until, half.flow == flow.id, let account = accounts.account(named: half.account),
            !account.isDisabled, account.credentialVersion == half.credentials
        else { return nil }
        return account
    }

    /// Whose half-done login waits under a cookie; it goes on waiting.
    private func waiting(_ cookie: String, _ flow: BrowserFlow, _ visit: Visit) async throws(PortalProblem) -> Account?
    {
        guard let half = try await takeHalf(cookie) else { return nil }
        try await keep(half, cookie)
        return account(of: half, flow, visit)
    }
}
