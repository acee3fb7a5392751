// HOT. The one decision: route, credential, principal, rule, verdict; and what each verdict leads to.
import Bytes
import HTTP
import Identity
import Policy
import Reactor
import Settings
import Telemetry

extension Exchange {
    /// Route, credential, principal, rule, verdict.
    ///
    /// `worker.target` holds the canonical target.
    func passGate(
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection,
        _ plan: WorkerPlan
    ) {
        let bytes = UnsafePointer(input)
        let snapshot = plan.snapshot
        // Hop-by-hop names and forged identity go first, so that nothing of theirs is left when ours is added.
        let protection = snapshot.identity.injection.protect(head, bytes)
        if protection.removed > 0 { worker.metrics.add(.identityFieldsStripped, UInt64(protection.removed)) }
        if protection.reason != .none {
            isLast = true
            return refuseAfterHead(Problem(protection.reason, status: 400), head, connection)
        }
        if snapshot.fields.hasOwnIDName, snapshot.fields.ownIDName.isNamedByConnection(head, bytes) {
            // As for X-Request-Id, which the parser refuses there.
            worker.refused(.connectionNamesEssential)
            isLast = true
            return refuseAfterHead(Problem(ProtocolError.connectionNamesEssential), head, connection)
        }
        if head.hasUnusualNames, snapshot.fields.unusualNames == .allow { dropAliases(head, bytes) }
        if snapshot.table.looksAtFields { dropUnbelieved(head, bytes, snapshot.fields, trusted: connection.isTrusted) }
        let host = UnsafeBufferPointer(start: bytes + head.host.start, count: head.host.count)
        let index = snapshot.table.resolve(host: host, path: worker.target.path, head: head, bytes)
        guard index >= 0 else { return refuseAfterHead(Problem(GatewayError.noRoute), head, connection) }
        route = index
        bounds = plan.routes[index].bounds
        if worker.target.hasEncodedSlash, !plan.routes[index].allowsEncodedSlashes {
            return refuseAfterHead(Problem(ProtocolError.pathEscapedSlash), head, connection)
        }
        let rule = snapshot.rules[index]
        if plan.hasSessions, let sessions = snapshot.sessions, !sessions.origins.isEmpty {
            noteOrigin(sessions, head, bytes)
            if isPreflight(head, bytes) { return apply(rule.admitPreflight(), rule, head, input, connection) }
        }
        guard rule.auth != .public else { return apply(rule.evaluate(nil), rule, head, input, connection) }
        switch Credential.find(in: head, bytes) {
        case .none:
            if plan.hasSessions, let sessions = snapshot.sessions, judgeCookie(sessions, rule, head, input, connection)
            {
                return
            }
            guard let certificate = connection.certificate else {
                return apply(rule.evaluate(nil), rule, head, input, connection)
            }
            judge(certificate, rule, head, input, connection)
        case .refused(let reason):
            challenge(reason, head, input, connection)
        case .bearer(let slice):
            let token = UnsafeBufferPointer(start: bytes + slice.start, count: slice.count)
            switch authenticate(token, connection, plan) {
            case .verified(let principal): apply(rule.evaluate(principal), rule, head, input, connection)
            case .rejected(let reason): challenge(reason, head, input, connection)
            case .unavailable(let reason): unavailable(reason, head, connection)
            }
        }
    }

    /// Drops fields whose unusual names a service may fold to a name that means something here (`X_Forwarded_For`).
    private func dropAliases(_ head: RequestHead, _ input: UnsafePointer<UInt8>) {
        for i in 0..<head.fieldCount where head[i].hasUnusualName && head.fields.foldedID(i, from: input) != .other {
            head.fields.drop(i)
            worker.metrics.add(.fieldsDropped, 1)
        }
    }

    /// Drops what no service will see, before routes with conditions on fields see it: what strangers say about where a
    /// request came from and about its id, and what would make another method of it.
    private func dropUnbelieved(
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ fields: FieldPlan,
        trusted: Bool
    ) {
        for i in 0..<head.fieldCount {
            let id = head[i].id
            let isUnseen =
                switch id {
                case .xHTTPMethod, .xHTTPMethodOverride, .xMethodOverride: !fields.passesMethodOverride
                case .xRequestID: !trusted || fields.hasOwnIDName
                case .proxy: true
                default: !trusted && id.isForwarding
                }
            if isUnseen { head.fields.drop(i) }
        }
        if !trusted, fields.hasOwnIDName { fields.ownIDName.dropProtected(in: head.fields, input) }
    }

    /// Who the token speaks for: out of the worker's cache, or verified now.
    @inline(__always)
    private func authenticate(
        _ token: UnsafeBufferPointer<UInt8>,
        _ connection: DownstreamConnection,
        _ plan: WorkerPlan
    ) -> AuthenticationOutcome {
        let identity = plan.snapshot.identity
        let generation = UInt32(truncatingIfNeeded: plan.snapshot.generation)
        if identity.cacheEntries > 0,
            let principal = worker.cache.find(token, generation: generation, now: worker.unixSeconds)
        {
            worker.metrics.add(.tokenCacheHits, 1)
            return principal.isBound ? judgeBinding(principal, connection) : .verified(principal)
        }
        guard Credential.isToken(token) else { return .rejected(.credentialMalformed) }
        let outcome = plan.authenticator.authenticate(token, now: worker.unixSeconds)
        if identity.cacheEntries > 0 { worker.metrics.add(.tokenCacheMisses, 1) }
        guard case .verified(let principal) = outcome else { return outcome }
        if worker.revocations.contains(principal, now: worker.unixSeconds) { return .rejected(.revoked) }
        if identity.cacheEntries > 0 { keep(token, principal, generation) }
        return principal.isBound ? judgeBinding(principal, connection) : outcome
    }

    /// Keeps in the cache whom a token speaks for: what it may do is decided for each request.
    private func keep(_ token: UnsafeBufferPointer<UInt8>, _ principal: Principal, _ generation: UInt32) {
        let until = min(principal.expiry, worker.unixSeconds &+ plan.snapshot.identity.cacheSeconds)
        let evicted = worker.cache.evictions
        worker.cache.insert(token, principal, generation: generation, until: until)
        if worker.cache.evictions != evicted {
            worker.metrics.add(.tokenCacheEvictions, worker.cache.evictions &- evicted)
        }
    }

    /// A bound token counts only over a connection with its certificate (RFC 8705 §3): asked on each request, because
    /// what is cached is who the token speaks for, not who may use it.
    private func judgeBinding(_ principal: Principal, _ connection: DownstreamConnection) -> AuthenticationOutcome {
        guard let certificate = connection.certificate, principal.isBound(to: certificate.thumbprint) else {
            return .rejected(.tokenCertificateMismatch)
        }
        if let reason = certificate.refusal(plan.snapshot, worker.revocations, now: worker.unixSeconds) {
            return .rejected(reason)
        }
        return .verified(principal)
    }

    /// A request without a token or a live session over a connection with a client certificate.
    func judge(
        _ certificate: ClientCertificate,
        _ rule: Rule,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        switch certificate.standing(plan.snapshot, worker.revocations, now: worker.unixSeconds) {
        case .nothing: apply(rule.evaluate(nil), rule, head, input, connection)
        case .principal(let principal):
            if isFromForeignPage(head, UnsafePointer(input), connection) {
                note.principal = principal
                return deny(.originUnproven, rule, head, connection)
            }
            apply(rule.evaluate(principal), rule, head, input, connection)
        case .refused(let reason): challenge(reason, head, input, connection)
        case .outdated:
            isLast = true
            refuseAfterHead(Problem(GatewayError.misdirected), head, connection)
        }
    }

    // MARK: Verdicts

    @inline(__always)
    func apply(
        _ verdict: consuming Verdict,
        _ rule: Rule,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        switch consume verdict {
        case .admit(let permit): admit(permit, head, input, connection)
        case .challenge(let reason): challenge(reason, head, input, connection)
        case .deny(let reason): deny(reason, rule, head, connection)
        }
    }

    @inline(__always)
    private func admit(
        _ permit: consuming Permit,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        note.principal = permit.principal
        if permit.wouldHaveRefused != .none {
            note.auth = .reportOnly
            note.reason = permit.wouldHaveRefused.code
            note.reasonIndex = Int(permit.wouldHaveRefused.rawValue)
        } else {
            note.auth = permit.principal == nil ? .anonymous : .accepted
        }
        let plan = self.plan
        let route = plan.routes[self.route]
        switch route.action {
        case .forward(let upstream): forwardRequest(permit, route, upstream, head, input, connection, plan)
        case .redirect(let status, let location, let keepsPath):
            redirect(status, location, keepsPath: keepsPath, head, input, connection)
        case .respond(let status, let fields, let body):
            // A 2xx would say that the tunnel stands (RFC 8441 §5).
            if connection.wantsTunnel, status < 300 { return refuseAfterHead(.tunnel, head, connection) }
            answerFixed(status, fields, body, head, connection)
        }
    }

    func challenge(
        _ reason: Reason,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        if reason == .tokenTooLarge { worker.metrics.hit(.token) }
        note.auth = .rejected
        note.reason = reason.code
        note.reasonIndex = Int(reason.rawValue)
        var problem = Problem(reason, status: 401)
        problem.isChallenge = true
        problem.oauthError = reason.oauthError
        if plan.hasSessions, let sessions = plan.snapshot.sessions {
            if leadsToLogin(head, UnsafePointer(input), connection) {
                return sendToLogin(sessions, reason, head, UnsafePointer(input), connection)
            }
            // Whatever types it takes: it is to learn where to log in.
            if note.acceptsHTML, isScript(head, UnsafePointer(input)) { note.acceptsHTML = false }
            problem.loginURL = loginURL(sessions, reason, head, UnsafePointer(input), connection)
            problem.isUnsaved = method != .get && method != .head
        }
        refuseAfterHead(problem, head, connection)
    }

    func deny(_ reason: Reason, _ rule: Rule, _ head: RequestHead, _ connection: DownstreamConnection) {
        note.auth = .denied
        note.reason = reason.code
        note.reasonIndex = Int(reason.rawValue)
        var problem = Problem(reason, status: 403)
        // Whoever came with a cookie has no token to be told of.
        problem.oauthError = note.principal?.session == nil ? reason.oauthError : ""
        problem.isChallenge = problem.oauthError.utf8CodeUnitCount > 0
        if problem.isChallenge { problem.scopes = rule.requiredScopes }
        refuseAfterHead(problem, head, connection)
    }

    func unavailable(_ reason: Reason, _ head: RequestHead, _ connection: DownstreamConnection) {
        note.auth = .unavailable
        note.reason = reason.code
        note.reasonIndex = Int(reason.rawValue)
        var problem = Problem(reason, status: 503)
        problem.retryAfter = 5
        refuseAfterHead(problem, head, connection)
    }

    // MARK: Forwarding

    /// Writes the request for the backend, identity last, and sends it on its way.
    ///
    /// Without a permit there is no way.
    private func forwardRequest(
        _ permit: consuming Permit,
        _ route: RoutePlan,
        _ upstream: Int,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection,
        _ plan: WorkerPlan
    ) {
        bodyLimit = route.bodyLimit
        if case .length(let length) = requestFraming, length > bodyLimit {
            worker.metrics.hit(.body)
            return refuseAfterHead(Problem(GatewayError.bodyTooLarge), head, connection)
        }
        if route.strippedSegments >= 0 {
            let error = route.replacement.withUnsafeBufferPointer {
                worker.target.replacePrefix(segments: route.strippedSegments, with: $0)
            }
            if let error {
                worker.refused(error)
                return refuseAfterHead(Problem(error), head, connection)
            }
        }
        if note.isGRPC {
            limitCall(head, UnsafePointer(input), most: route.requestTimeout)
        } else {
            limitOverall(route.requestTimeout)
        }
        sendsRaw = plan.snapshot.upstreams[upstream].isMultiplexed
        chooseUpgrade(head, UnsafePointer(input), route)
        if connection.wantsTunnel, !upgrade { return refuseAfterHead(.tunnel, head, connection) }
        if upgrade, let problem = handshakeProblem(head, UnsafePointer(input), connection) {
            return refuseAfterHead(problem, head, connection)
        }
        dropFields(head, UnsafePointer(input), route, plan.snapshot, trusted: connection.isTrusted)
        let out = self.out ?? worker.small.take()
        self.out = out
        out.removeAll()
        sent = 0
        writeRequest(head, input, route, connection, plan.snapshot, to: out)
        if let principal = permit.principal {
            out.append(principal.headerBlock)
            if requestComplete, !method.isUnsafe { limitPoll(principal) }
            if !route.assertionAudience.isEmpty, !writeAssertion(principal, route, to: out) {
                out.removeAll()
                return unavailable(.assertionFailed, head, connection)
            }
        }
        out.append("\r\n")
        headLength = out.count
        consumeHead(head, connection)
        guard takeAhead(connection) else { return }
        forward(plan.upstreams[upstream])
        if phase != .idle { pumpRequest() }
    }

    private func writeAssertion(_ principal: Principal, _ route: RoutePlan, to out: OutputBuffer) -> Bool {
        guard let signer = plan.assertions else { return false }
        let signed = signer.signed
        let token = route.assertionAudience.withUnsafeBufferPointer {
            signer.assertion(for: principal, audience: $0, now: worker.unixSeconds)
        }
        worker.metrics.add(signer.signed == signed ? .assertionCacheHits : .assertionsSigned, 1)
        guard token.count > 0 else { return false }
        out.append(plan.snapshot.identity.assertionLine)
        out.append(token)
        out.append("\r\n")
        return true
    }

    // MARK: Answers of the route's own

    private func redirect(
        _ status: Int,
        _ location: [UInt8],
        keepsPath: Bool,
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        let out = worker.compose
        out.removeAll()
        self.status = status
        HeadWriter.appendStatusLine(status, to: out)
        out.append("Location: ")
        out.append(location)
        if keepsPath {
            out.append(worker.target.path)
            if worker.target.hasQuery {
                out.append(byte: 0x3f)
                out.append(input, worker.target.query)
            }
        }
        out.append("\r\n")
        consumeHead(head, connection)
        worker.bodyScratch.removeAll()
        finishOwnAnswer(worker.bodyScratch, out)
    }

    private func answerFixed(
        _ status: Int,
        _ fields: [UInt8],
        _ body: [UInt8],
        _ head: RequestHead,
        _ connection: DownstreamConnection
    ) {
        let out = worker.compose
        out.removeAll()
        self.status = status
        HeadWriter.appendStatusLine(status, to: out)
        out.append(fields)
        consumeHead(head, connection)
        let content = worker.bodyScratch
        content.removeAll()
        content.append(body)
        finishOwnAnswer(content, out)
    }
}
