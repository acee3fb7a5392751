// COLD. The keys of sessions and their sites, and what they must agree on.

extension SessionStoreSettings: SettingChoice {}

extension StoreFailureSettings: SettingValue {
    private static let range = Duration.seconds(1)...Duration.minutes(15)

    /// `deny`, or `grace` and a duration.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> StoreFailureSettings? {
        if node.text == "deny" { return .deny }
        let words = (node.text ?? "").split(separator: " ")
        if words.count == 2, words[0] == "grace", let time = Duration(setting: words[1]), range.contains(time) {
            return .grace(time)
        }
        decoding.mismatch(node, expected: "deny, or grace with 1s to 15m, such as grace 30s")
        return nil
    }
    /// The words.
    public var settingText: SettingText? {
        switch self {
        case .deny: .scalar("deny")
        case .grace(let time): .scalar("grace \(time.settingText?.flow ?? "")")
        }
    }
    /// Text.
    public static var shape: SettingShape { .string(pattern: "^(deny|grace [0-9]+(ms|s|m|h))$") }
}

extension Duration {
    /// `30s`, `5m`.
    fileprivate init?(setting text: Substring) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits), number <= 1_000_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": self = .milliseconds(number)
        case "s": self = .seconds(number)
        case "m": self = .minutes(number)
        case "h": self = .hours(number)
        default: return nil
        }
    }
}

extension WebOrigin: SettingValue {
    /// `https://host`, `https://host:port`, the same with `http`; nil for anything else, a path included.
    public init?(_ written: String) {
        let lower = written.lowercased()
        guard let scheme = ["https://", "http://"].first(where: { lower.hasPrefix($0) }) else { return nil }
        let authority = String(lower.dropFirst(scheme.count))
        if case .exact(let host)? = HostPattern(authority) {
            text = scheme + host
            return
        }
        guard let endpoint = Endpoint(authority) else { return nil }
        switch endpoint {
        case .unix: return nil
        case .ip(_, _, let port), .name(_, let port):
            guard port != 0 else { return nil }
            let suffix = ":\(scheme == "https://" ? 443 : 80)"
            text = scheme + (authority.hasSuffix(suffix) ? String(authority.dropLast(suffix.count)) : authority)
        }
    }

    /// An origin.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> WebOrigin? {
        if let text = node.text, let origin = WebOrigin(text) { return origin }
        let hint = (node.text ?? "").contains("*") ? "; write each origin out" : ""
        decoding.mismatch(node, expected: "an origin such as https://app.example.com, without path", hint: hint)
        return nil
    }
    /// As browsers send it.
    public var settingText: SettingText? { .string(text) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: "^https?://[^/*?#@\\s]+$") }
}

extension Constraint<HostPattern> {
    static let notAny = Constraint(expected: "a host such as app.example.com or *.example.com") { $0 != .any }
}

extension Constraint<Secret> {
    static let longEnough = Constraint(expected: "a secret of at least 32 bytes") { $0.count >= 32 }
}

extension SiteSettings {
    /// A site.
    public static let keys: [Key<SiteSettings>] = [
        Key(
            "hosts",
            \.hosts,
            count: 1...64,
            each: .notAny,
            required: true,
            example: "[app.example.com]",
            doc: "Its hosts, without ports."
        ),
        Key("cookie", \.cookie, doc: "Its cookie; unset: as for all sites."),
    ]
}

extension SessionSettings {
    /// Sessions.
    public static let keys: [Key<SessionSettings>] = [
        Key(
            "store",
            \.store,
            doc: "Where sessions are kept: memory (lost at the end, for trying out), sqlite (one file) or redis "
                + "(several gateways share them)."
        ),
        Key("file", \.file, must: .filePath, doc: "The file of the sqlite store; it is made when it is not there."),
        Key("redis", \.redis, doc: "The servers of the redis store."),
        Key(
            "on_store_failure",
            \.onStoreFailure,
            doc: "While the store is away, known sessions get 503 (deny), or go on from the cache for so long "
                + "(grace 30s; at most 15m). Logins get 503."
        ),
        Key("idle", \.idle, in: .seconds(2) ... .hours(720), doc: "How long a session lasts without a request."),
        Key("lifetime", \.lifetime, in: .seconds(2) ... .hours(720), doc: "How long it lasts at most."),
        Key(
            "remember_me",
            \.rememberMe,
            in: .zero ... .hours(720),
            doc: "How long it lasts when the user asks to be remembered, with or without requests; off: not offered."
        ),
        Key(
            "maximum_per_account",
            \.maximumPerAccount,
            in: 1...10_000,
            doc: "Most sessions of one account; the oldest one ends for the next."
        ),
        Key(
            "maximum",
            \.maximum,
            in: 1...100_000_000,
            doc: "Most sessions in all, and at most 100000 in the memory store; logins beyond get 503."
        ),
        Key(
            "touch",
            \.touch,
            in: .seconds(1) ... .minutes(5),
            doc: "How often the time of the last request is written down, for each session; at most half of idle."
        ),
        Key("cookie", \.cookie, doc: "The cookie that opens a session."),
        Key(
            "sites",
            \.sites,
            count: 0...256,
            example: "[{ hosts: [app.example.com] }, { hosts: [app.example.org] }]",
            doc: "Sites that share one login, with a cookie each; empty: every host is one of its own."
        ),
        Key(
            "login_host",
            \.loginHost,
            example: "login.example.com",
            must: .optionalHost,
            doc: "The host with the login page of all sites, one of their hosts; unset: every site has its own."
        ),
        Key(
            "secrets",
            \.secrets,
            count: 0...8,
            each: .longEnough,
            secret: true,
            example: "[file:sessions.key]",
            doc: "Key ring for what the gateway signs for itself, 32 bytes or more each: the first signs, all verify. "
                + "Empty: one that is kept in the store."
        ),
        Key(
            "origins",
            \.origins,
            count: 0...256,
            example: "[https://app.example.com]",
            doc: "Other origins whose pages may use a session: they pass the check against forged requests and get "
                + "CORS headers on the gateway's own answers."
        ),
    ]

    /// What belongs to one store only, and what lasts no longer than something else.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        finishStore(decoding)
        finishTimes(decoding)
        finishSites(decoding)
    }

    private mutating func finishStore(_ decoding: Decoding) {
        let place = decoding.currentPath
        file = decoding.resolve(file)
        guard !decoding.hasError(at: marks["store"]) else { return }
        for (key, its) in [("file", SessionStoreSettings.sqlite), ("redis", .redis)]
        where marks.isWritten(key) && store != its {
            decoding.report(
                "\(place).\(key): is for store: \(its.rawValue), this is \(store.rawValue)",
                at: marks[key]
            )
        }
        // Without accounts there are no sessions, and no file of them: what is not written is checked where both are known.
        guard store == .sqlite, marks.isWritten("file"), !decoding.hasError(at: marks["file"]) else { return }
        if let problem = decoding.files.problem(creating: file) {
            decoding.report("\(place).file: \(Spelling.quoted(file)) \(problem.text)", at: marks["file"])
        }
    }

    private mutating func finishTimes(_ decoding: Decoding) {
        let place = decoding.currentPath
        func text(_ time: Duration) -> String { time.settingText?.flow ?? "" }
        if idle > lifetime {
            if marks.isWritten("idle"), !decoding.hasError(at: marks["lifetime"]) {
                decoding.report(
                    "\(place).idle: \(text(idle)) is more than lifetime (\(text(lifetime)))",
                    at: marks["idle"]
                )
            }
            idle = lifetime
        }
        if touch > idle / 2 {
            if marks.isWritten("touch"), !decoding.hasError(at: marks["idle"]) {
                decoding.report(
                    "\(place).touch: \(text(touch)) is more than half of idle (\(text(idle)))",
                    at: marks["touch"]
                )
            }
            touch = .seconds(max(1, (idle / 2).wholeSeconds))
        }
        if rememberMe != .zero, rememberMe < lifetime, !decoding.hasError(at: marks["lifetime"]) {
            decoding.report(
                "\(place).remember_me: \(text(rememberMe)) is less than lifetime (\(text(lifetime)))",
                at: marks["remember_me"]
            )
        }
    }

    private func finishSites(_ decoding: Decoding) {
        let place = decoding.currentPath
        var seen: Set<HostPattern> = []
        for (index, site) in sites.enumerated() {
            for host in site.hosts where !seen.insert(host).inserted {
                decoding.report(
                    "\(place).sites[\(index)].hosts: \(Spelling.quoted(host.text)) already belongs to a site",
                    at: site.marks["hosts"]
                )
            }
            guard let domain = site.cookie?.domain else { continue }
            for host in site.hosts where !CookieSettings.domain(domain, covers: host) {
                decoding.report(
                    "\(place).sites[\(index)].cookie.domain: \(Spelling.quoted(host.text)) is not below "
                        + "\(Spelling.quoted(domain))",
                    at: site.cookie?.marks["domain"] ?? site.marks.section
                )
            }
        }
        guard let loginHost, !decoding.hasError(at: marks["sites"]) else { return }
        if sites.isEmpty {
            decoding.report("\(place).login_host: needs the key \"sites\" beside it", at: marks["login_host"])
        } else if site(of: loginHost.lowercased()) == nil, !sites.contains(where: { $0.hosts.isEmpty }) {
            decoding.report(
                "\(place).login_host: \(Spelling.quoted(loginHost)) is no host of a site",
                at: marks["login_host"]
            )
        }
    }
}
