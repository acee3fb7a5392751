// COLD. A session begins: always with a new id, and the browser's old one ends in the same step.
public import Accounts
internal import Sessions

extension Portal {
    /// Makes the session of a login that went through, and answers with its cookie.
    func begin(
        _ step: LoginStep,
        method: String,
        strength: Int,
        _ attempt: LoginAttempt,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        let id = SessionID.make()
        // A step-up goes on with the login that it confirms, on all of its sites.
        let confirmed = visit.session.flatMap { $0.key == step.stepUp ? $0 : nil }
        // Its form does not ask again who wants to stay logged in.
        var step = step
        if let confirmed, plan.isRemembered(confirmed) { step.isRemembered = true }
        let record = record(id.key, of: step, method: method, strength: strength, confirmed, visit)
        if isRevoked(record) { return await shutOut(step, attempt, flow, ring, visit) }
        var ended: [Ended]
        do throws(PortalProblem) {
            var event = AuditEvent(confirmed == nil || step.isResent ? .login : .stepUp, visit)
            event.describe(record)
            try await mustAudit(event)
            ended = try await place(record, confirmed: confirmed, step, visit)
        } catch {
            throttle.released(attempt, now: visit.now)
            throw error
        }
        throttle.succeeded(attempt, now: visit.now)
        ended += await endOldest(record, visit)
        await note(ended.filter { $0.reason == .limit }, as: .revoke, visit)

        var answer = try await goOn(step.wish, record, note: confirmed == nil ? "login" : "step_up", visit)
        var flow = flow
        flow.success = visit.now
        answer.setSession(id.cookieValue, seconds: step.isRemembered ? plan.rememberMe : nil, visit, plan)
        answer.set(flow, ring, visit, plan)
        let devices = KnownDevice.renewed(
            visit.own(.device, plan),
            account: record.account,
            ring,
            now: visit.now
        )
        answer.set(.device, devices, seconds: PortalLimits.deviceDays * 86_400, visit, plan)
        if visit.own(.code, plan) != nil { answer.set(.code, "", visit, plan) }
        answer.ended = ended
        answer.began = record.key
        return answer
    }

    /// Whether a session of this login would be revoked as it begins.
    func isShutOut(_ step: LoginStep, _ visit: Visit) -> Bool {
        isRevoked(record(SessionID.make().key, of: step, method: "pwd", strength: 1, nil, visit))
    }

    /// The answer then, as for a disabled account: the gate would refuse the session, and lead here again.
    func shutOut(
        _ step: LoginStep,
        _ attempt: LoginAttempt,
        _ flow: BrowserFlow,
        _ ring: KeyRing,
        _ visit: Visit
    ) async -> PortalAnswer {
        throttle.failed(attempt, now: visit.now)
        await note(AuditEvent(.failure, visit, account: step.account.canonical, reason: "revoked"))
        return loginForm(step.wish, flow, ring, visit, problem: .wrongCredentials)
    }

    private func record(
        _ key: SessionKey,
        of step: LoginStep,
        method: String,
        strength: Int,
        _ confirmed: SessionRecord?,
        _ visit: Visit
    ) -> SessionRecord {
        let lifetime = step.isRemembered ? plan.rememberMe : plan.lifetime
        return SessionRecord(
            key: key,
            family: confirmed?.family ?? SecureRandom.text(16),
            account: step.account.canonical,
            issuer: plan.issuer,
            method: method,
            strength: strength,
            claims: step.account.claimsJSON,
            accountVersion: Portal.fingerprint(step.account),
            created: visit.now,
            authenticated: visit.now,
            lastSeen: visit.now,
            idle: step.isRemembered ? plan.rememberMe : plan.idle,
            expires: visit.now + lifetime,
            address: visit.request.clientAddress,
            device: DeviceName.make(userAgent: visit.request.single("user-agent") ?? ""),
            site: visit.site,
            csrf: SecureRandom.text(32)
        )
    }

    /// Puts the record into the store in place of the browser's old one.
    private func place(
        _ record: SessionRecord,
        confirmed: SessionRecord?,
        _ step: LoginStep,
        _ visit: Visit
    ) async throws(PortalProblem) -> [Ended] {
        let old = visit.session
        var ended = try await createWithRoom(record, replacing: old?.key, visit)
        if let old { ended.append(Ended(key: old.key, record: old, reason: .replaced)) }
        // The account may have been disabled, or its password changed, while the hash was computed.
        let current = accounts.account(named: record.account)
        guard let current, !current.isDisabled, current.credentialVersion == step.account.credentialVersion else {
            _ = try await stored { store throws(StoreError) in try await store.end(record.key, .accountChanged) }
            throw .unavailable
        }
        if let old, confirmed == nil {
            // Another login in this browser: the old one ends on its other sites as well.
            let others = try? await end(where: SessionFilter(account: old.account, family: old.family), .replaced)
            ended += (others ?? []).filter { $0.key != old.key }
        }
        return ended
    }

    /// Creates a session; in a full store an account that has as many as it may have gives one of its own for it.
    private func createWithRoom(
        _ record: SessionRecord,
        replacing old: SessionKey?,
        _ visit: Visit
    ) async throws(PortalProblem) -> [Ended] {
        do throws(StoreError) {
            try await store.create(record, replacing: old)
            return []
        } catch {
            // A disk or a server without room is full as well; what is ended there makes none.
            guard error == .full, (try? await store.put("room", [], until: visit.now + 1)) != nil else {
                throw .unavailable
            }
            let ended = await endOldest(record, visit)
            guard !ended.isEmpty else { throw .unavailable }
            try await create(record, replacing: old)
            return ended
        }
    }

    func create(_ record: SessionRecord, replacing old: SessionKey?) async throws(PortalProblem) {
        try await stored { store throws(StoreError) in try await store.create(record, replacing: old) }
    }

    /// Ends the oldest logins of an account that has too many; sessions of one login count as one.
    private func endOldest(_ record: SessionRecord, _ visit: Visit) async -> [Ended] {
        guard plan.maximumPerAccount > 0 else { return [] }
        guard let all = try? await sessions(of: record.account, limit: StoreLimits.page) else { return [] }
        var families: [String] = [record.family]
        for session in all where session.isLive(at: visit.now) && !families.contains(session.family) {
            families.append(session.family)
        }
        var ended: [Ended] = []
        for family in families.dropFirst(plan.maximumPerAccount) {
            let filter = SessionFilter(account: record.account, family: family)
            ended += (try? await end(where: filter, .limit)) ?? []
        }
        return ended
    }

    /// Sends whoever is logged in to where they wanted: a path here, or another site by a hand-off code.
    func goOn(
        _ wish: LoginWish,
        _ session: SessionRecord,
        note: String,
        _ visit: Visit
    ) async throws(PortalProblem) -> PortalAnswer {
        let location: String
        switch wish.target {
        case .local(let path): location = path
        case .site(let origin, let path) where plan.shares(session.site, Origin.authority(of: origin)):
            // The cookie reaches that site as well: there is nothing to hand over.
            location = origin + path
        case .site(let origin, let path):
            location = try await handoffLocation(origin, path, state: wish.state, session, visit)
        }
        if visit.wantsPage { return redirect(to: location, note: note) }
        return json(facts(session, visit) + [("location", .text(location))], note: note)
    }

    /// Fingerprint of an account as sessions carry it: its upper half changes when sessions must end (password or second
    /// factor), its lower half when their claims must be refreshed.
    public static func fingerprint(_ account: Account) -> UInt64 {
        account.credentialVersion & 0xffff_ffff_0000_0000 | account.version & 0xffff_ffff
    }
}
