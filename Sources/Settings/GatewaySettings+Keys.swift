// COLD. The top of the file.

extension GatewaySettings {
    /// Everything, in the order of the reference.
    public static let keys: [Key<GatewaySettings>] = [
        Key("workers", \.workers, doc: "Worker threads; auto: one for each core that the process may use."),
        Key("offload_threads", \.offloadThreads, in: 1...64, doc: "Threads for what blocks: files and name look-ups."),
        Key("drain", \.drain, in: .zero ... .hours(1), doc: "How long a stop waits for exchanges that have begun."),
        Key("listeners", \.listeners, count: 1...64, doc: "Where clients connect."),
        Key(
            "trusted_proxies",
            \.trustedProxies,
            count: 0...1024,
            example: "[10.0.0.0/8]",
            doc: "Peers whose X-Forwarded-*, Forwarded and request id are believed; empty: nobody's."
        ),
        Key("tls", \.tls, doc: "What all TLS listeners share; certificates are in listeners."),
        Key("limits", \.limits, doc: "Sizes and counts; each has a metric and an answer."),
        Key("timeouts", \.timeouts, doc: "Deadlines of the client side."),
        Key("http", \.http, doc: "Choices of protocol and headers."),
        Key("token_cache", \.tokenCache, doc: "The cache of verified tokens, one for each worker."),
        Key("issuers", \.issuers, count: 0...64, doc: "Who may sign tokens, and what a token must say."),
        Key(
            "revocations",
            \.revocations,
            count: 0...10_000,
            example: "[{ subject: \"4711\" }]",
            doc: "Credentials that are not good any more; more can be added over the ops listener (POST /revocations)."
        ),
        Key(
            "revocation_file",
            \.revocationFile,
            example: "revocations.jsonl",
            must: .optionalFilePath,
            doc: "Where revocations made over the ops listener are kept; unset: they are lost at a restart."
        ),
        Key("accounts", \.accounts, doc: "People who log in with a password; without this section nobody does."),
        Key("sessions", \.sessions, doc: "Login sessions: where they are kept, how long they last, their cookie."),
        Key("portal", \.portal, doc: "The pages for logging in and out, and for one's own sessions."),
        Key(
            "audit_log",
            \.auditLog,
            doc: "Who logged in, was refused, logged out: a chain of lines that shows tampering."
        ),
        Key("identity", \.identity, doc: "What services are told about the caller."),
        Key("assertion", \.assertion, doc: "The signed assertion for services, for routes that ask for it."),
        Key("upstreams", \.upstreams, count: 0...1024, doc: "Named sets of servers."),
        Key(
            "groups",
            \.groups,
            count: 0...1024,
            doc:
                "Routes with common bounds and a common rule: a route must satisfy the rules of its groups and its own."
        ),
        Key("routes", \.routes, count: 0...10_000, doc: "Which requests go where, and what is asked of the caller."),
        Key("access_log", \.accessLog, doc: "The JSON access log, one line for each request."),
        Key("log", \.log, doc: "The process log on standard error."),
        Key(
            "ops",
            \.ops,
            doc: "The operators' listener: /livez, /readyz, /startupz, /metrics, /revocations, /sessions,"
                + " /throttle."
        ),
    ]

    /// The file of revocations can be written.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        if !marks.isWritten("sessions") { sessions.file = decoding.resolve(sessions.file) }
        if accounts != nil, sessions.store == .sqlite, !sessions.marks.isWritten("file"),
            let problem = decoding.files.problem(creating: sessions.file)
        {
            let place = marks.isWritten("sessions") ? marks["sessions"] : marks["accounts"]
            decoding.report("sessions.file: \(Spelling.quoted(sessions.file)) \(problem.text)", at: place)
        }
        guard let path = revocationFile, !decoding.hasError(at: marks["revocation_file"]) else { return }
        let resolved = decoding.resolve(path)
        revocationFile = resolved
        if let problem = decoding.files.problem(creating: resolved) {
            decoding.report(
                "revocation_file: \(Spelling.quoted(resolved)) \(problem.text)",
                at: marks["revocation_file"]
            )
        }
    }
}
