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

    /// `GET`: the form again, after a reload.
    func showCode(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let ring = try await keys()
        let wish = LoginWish(visit, plan: plan)
        guard let cookie = visit.own(.code, plan), let flow = visit.flow(ring, plan) else {
            return redirect(to: wish.location("login", plan), note: "login_expired")
        }
        return codeForm(wish, cookie, flow, ring, visit, account: nil)
    }

    /// `POST`: checks the code; then a session begins.
    func code(_ visit: Visit) async throws(PortalProblem) -> PortalAnswer {
        let visit = try await resolved(visit)
        let form = try Submission.read(visit.request)
        let wish = LoginWish(visit, form, plan: plan)
        let ring = try await keys()
        guard visit.source != .foreign else { throw .crossSite }
        guard let flow = visit.flow(ring, plan) else {
            return refuse(.cookiesRefused, visit, retry: wish.location("login", plan))
        }
        guard let cookie = visit.own(.code, plan), SessionKey(text: cookie) != nil else {
            return startAgain(wish, flow, ring, visit)
        }
        if !form.isJSON {
            guard let token = form[FormField.token], flow.accepts(token, form: "code " + cookie, ring, now: visit.now)
            else { return codeForm(wish, cookie, flow, ring, visit, problem: .staleForm, account: nil) }
        }
        guard let code = form[FormField.code], code.utf8.count <= 64 else {
            return codeForm(wish, cookie, flow, ring, visit, problem: .wrongCode, account: nil)
        }
        // Taken, so that codes of one login are tried one after another; put back when it was wrong.
        guard var half = try await takeHalf(cookie), visit.now < half.until, half.flow == flow.id,
            let account = accounts.account(named: half.account), !account.isDisabled,
            account.credentialVersion == half.credentials
        else { return startAgain(wish, flow, ring, visit) }
        let attempt = attempt(account.canonical, exists: true, ring, visit)
        // The first code goes with the password; further ones are guesses like any other.
        if case .wait(let seconds, let why) = throttle.admit(
            attempt,
            isContinued: half.attempts == 0,
            now: visit.now
        ) {
            try await keep(half, cookie)
            await noteThrottled(attempt, account.canonical, why, visit)
            return codeForm(
                wish,
                cookie,
                flow,
                ring,
                visit,
                problem: .throttled,
                wait: max(seconds, 1),
                account: account
            )
        }
        let verdict: CodeVerdict
        do throws(PortalProblem) {
            verdict = try await check(code, of: account, visit)
        } catch {
            throttle.released(attempt, now: visit.now)
            try await keep(half, cookie)
            return codeForm(wish, cookie, flow, ring, visit, problem: error, account: account)
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
            guard half.attempts < PortalLimits.codeAttempts else { return startAgain(wish, flow, ring, visit) }
            try await keep(half, cookie)
            return codeForm(wish, cookie, flow, ring, visit, problem: .wrongCode, account: account)
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
        account: Account?
    ) -> PortalAnswer {
        guard visit.wantsPage else { return refuse(problem ?? .secondFactorRequired, visit, retryAfter: wait) }
        var page = SecondFactorPage()
        page.action = wish.location("login/code", plan, withTarget: false)
        page.restart = wish.location("login", plan)
        page.account = account?.name ?? ""
        page.error = problem?.formError
        page.waitSeconds = wait
        page.returnTo = wish.returnTo(plan)
        page.token = flow.formToken("code " + cookie, ring, now: visit.now)
        page.offersRecovery = account.map { !$0.recovery.isEmpty } ?? true
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

    /// The half-done login is gone: from the beginning, with a word about it.
    private func startAgain(_ wish: LoginWish, _ flow: BrowserFlow, _ ring: KeyRing, _ visit: Visit) -> PortalAnswer {
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
}
