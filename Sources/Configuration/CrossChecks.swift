// COLD. What several sections must agree on.
import Settings

/// Checks settings whose groups are folded in.
struct CrossChecks {
    private let settings: GatewaySettings
    private let decoding: Decoding
    private let upstreams: Set<String>
    private let clientIdentities: [ClientIdentitySettings]

    init(_ settings: GatewaySettings, _ decoding: Decoding) {
        self.settings = settings
        upstreams = Set(settings.upstreams.map(\.name))
        clientIdentities = settings.listeners.compactMap { $0.tls?.clientIdentity }
        self.decoding = decoding
    }

    func run() {
        checkNames()
        checkAddresses()
        checkHeaders()
        checkRules()
        for route in settings.routes { check(route) }
        checkCallers()
        checkSecondFactor()
        guard !decoding.hasErrors else { return }
        checkNothingIsMissing()
        warnOfUnused()
    }

    // MARK: Names

    private func checkNames() {
        unique("listener", settings.listeners.map { ($0.name, $0.marks["name"]) })
        unique("issuer", settings.issuers.map { ($0.name, $0.marks["name"]) })
        unique("upstream", settings.upstreams.map { ($0.name, $0.marks["name"]) })
        unique("route", settings.routes.map { ($0.name, $0.marks["name"]) })
        unique("group", allGroups(settings.groups).map { ($0.name, $0.marks["name"]) })
        checkClientIdentities()
        checkRevocations()
        var seen: [String: String] = [:]
        for issuer in settings.issuers where !issuer.issuer.isEmpty {
            if let first = seen[issuer.issuer] {
                decoding.report(
                    "issuer \(Spelling.quoted(issuer.name)): \(Spelling.quoted(first)) already is for this iss; put all keys into one of them",
                    at: issuer.marks["issuer"]
                )
            } else {
                seen[issuer.issuer] = issuer.name
            }
        }
    }

    /// Names of client certificates stand beside names of issuers; listeners may share one when it means the same.
    private func checkClientIdentities() {
        var seen: [String: ClientIdentitySettings] = [:]
        let issuers = Set(settings.issuers.map(\.name))
        for identity in clientIdentities where !identity.name.isEmpty {
            let place = identity.marks["name"]
            if issuers.contains(identity.name) {
                decoding.report("there already is an issuer named \(Spelling.quoted(identity.name))", at: place)
            } else if let first = seen[identity.name], first != identity {
                decoding.report(
                    "client_identity \(Spelling.quoted(identity.name)) is something else on another listener",
                    at: place
                )
            }
            seen[identity.name] = identity
        }
    }

    /// Revocations of issuers that do not exist would revoke nothing.
    private func checkRevocations() {
        let directory = settings.accounts.map { [$0.issuer] } ?? []
        let names = settings.issuers.map(\.name) + clientIdentities.map(\.name) + directory
        let known = names + settings.issuers.map(\.issuer) + clientIdentities.compactMap(\.issuer)
        for (index, revocation) in settings.revocations.enumerated() {
            guard let issuer = revocation.issuer, !known.contains(issuer) else { continue }
            unknown("issuer", issuer, names, "revocations[\(index)]", at: revocation.marks["issuer"])
        }
    }

    private func unique(_ kind: String, _ names: [(name: String, place: SourceLocation)]) {
        var seen: [String: SourceLocation] = [:]
        for (name, place) in names where !name.isEmpty {
            if let first = seen[name] {
                let line = first == .unknown ? "" : ", in line \(first.line)"
                decoding.report(
                    "there already is \(kind == "issuer" || kind == "upstream" ? "an" : "a") \(kind) named \(Spelling.quoted(name))\(line)",
                    at: place
                )
            } else {
                seen[name] = place
            }
        }
    }

    private func allGroups(_ groups: [GroupSettings]) -> [GroupSettings] {
        groups.flatMap { [$0] + allGroups($0.groups) }
    }

    private func unknown(_ kind: String, _ name: String, _ known: [String], _ subject: String, at place: SourceLocation)
    {
        let known = Set(known).subtracting([""]).sorted()
        let hint = Spelling.hint(for: name, among: known)
        let all =
            known.isEmpty
            ? "; none is configured" : "; there is \(Spelling.list(known.prefix(8).map { "\"\($0)\"" }, or: "and"))"
        decoding.report(
            "\(subject): there is no \(kind) \(Spelling.quoted(name))\(hint.isEmpty ? all : hint)",
            at: place
        )
    }

    // MARK: Addresses and headers

    private func checkAddresses() {
        var seen: [Endpoint: String] = [:]
        var all = settings.listeners.map {
            (owner: "listener \(Spelling.quoted($0.name))", address: $0.address, place: $0.marks["address"])
        }
        if settings.ops.isEnabled { all.append(("ops", settings.ops.address, settings.ops.marks["address"])) }
        for (owner, address, place) in all where !decoding.hasError(at: place) {
            if case .ip(_, _, port: 0) = address { continue }
            if let first = seen[address] {
                decoding.report("\(owner): \(address.text) is already the address of \(first)", at: place)
            } else {
                seen[address] = owner
            }
        }
        for (index, network) in settings.trustedProxies.enumerated()
        where network.prefixLength == (network.text.contains(":") ? 0 : 96) {
            decoding.report(
                "trusted_proxies: \(network.text) believes the forwarding headers of everybody",
                at: decoding.place(of: "trusted_proxies", index, in: settings.marks),
                severity: .warning
            )
        }
    }

    private func checkHeaders() {
        let mapped = Dictionary(settings.identity.headers.map { ($0.header, $0.marks["header"]) }) { first, _ in first }
        if let place = mapped[settings.http.requestIDHeader] {
            let name = settings.http.requestIDHeader
            decoding.report(
                "identity.headers: \(name.text) already carries the request's id (http.request_id_header)",
                at: place
            )
        }
        guard let assertion = settings.assertion else { return }
        if mapped[assertion.header] != nil || assertion.header == settings.http.requestIDHeader {
            let other =
                mapped[assertion.header] != nil
                ? "a claim (identity.headers)" : "the request's id (http.request_id_header)"
            decoding.report(
                "assertion.header: \(assertion.header.text) already carries \(other)",
                at: assertion.marks["header"]
            )
        }
    }

    // MARK: Rules

    private func checkRules() {
        let directory = settings.accounts.map { [$0.issuer] } ?? []
        let names = Set(settings.issuers.map(\.name) + clientIdentities.map(\.name) + directory)
        let groups = allGroups(settings.groups).map { ("group \(Spelling.quoted($0.name))", $0.rule) }
        for (subject, rule) in groups + settings.routes.map({ (Self.subject($0), $0.rule) }) {
            for (index, name) in rule.issuers.enumerated() where !names.contains(name) {
                let place = decoding.place(of: "issuers", index, in: rule.marks)
                if decoding.hasError(at: place) { continue }
                unknown("issuer", name, Array(names), subject, at: place)
            }
        }
        for route in settings.routes {
            let asked = route.rules.filter { !$0.reportOnly && !$0.issuers.isEmpty }
            guard let first = asked.first, asked.count > 1, asked.allSatisfy({ $0.issuers.allSatisfy(names.contains) })
            else { continue }
            let common = asked.dropFirst().reduce(Set(first.issuers)) { $0.intersection($1.issuers) }
            if common.isEmpty {
                decoding.report(
                    "\(Self.subject(route)): no issuer satisfies both it and \(first.origin), which accepts "
                        + Spelling.list(first.issuers),
                    at: route.rule.marks["issuers"]
                )
            }
        }
    }

    /// Credentials that nobody can have are a mistake, and easy to make: `auth` is required unless something else is said.
    private func checkCallers() {
        guard settings.issuers.isEmpty, !settings.marks.isWritten("issuers"), clientIdentities.isEmpty,
            settings.accounts == nil
        else { return }
        let routes = settings.routes.filter { $0.auth != .public && !decoding.hasError(at: $0.marks["auth"]) }
        guard let first = routes.first else { return }
        let more = routes.count > 1 ? " (and \(routes.count - 1) more)" : ""
        decoding.report(
            "route \(Spelling.quoted(first.name))\(more) asks for a credential, but nobody can have one; add issuers or accounts, or write auth: public",
            at: first.rule.auth == nil ? first.marks.section : first.marks["auth"]
        )
    }

    /// Whoever turned the second factor off may not know of a route that still asks for it.
    private func checkSecondFactor() {
        guard let accounts = settings.accounts, accounts.secondFactor == .off else { return }
        let routes = settings.routes.filter { $0.rules.contains { $0.session.strength > 1 } }
        guard let first = routes.first, let demand = first.rules.first(where: { $0.session.strength > 1 })?.session
        else { return }
        let more = routes.count > 1 ? " (and \(routes.count - 1) more)" : ""
        decoding.report(
            "\(Self.subject(first))\(more) asks for a second factor, though second_factor is off: whoever has one is asked for it there, all others do not get in",
            at: demand.marks["strength"],
            severity: .warning
        )
    }

    // MARK: Routes

    private static func subject(_ route: RouteSettings) -> String { "route \(Spelling.quoted(route.name))" }

    private func check(_ route: RouteSettings) {
        let subject = Self.subject(route)
        switch route.action {
        case .forward(let forward): check(forward, of: route, subject)
        case .respond(let respond): check(respond, subject)
        case .redirect, nil: break
        }
        guard let assertion = route.assertion else { return }
        let place = route.marks["assertion"]
        if settings.assertion == nil, !settings.marks.isWritten("assertion") {
            decoding.report(
                "\(subject): there is no assertion section that says how it is signed; add assertion: {issuer: …, key: …} at the top",
                at: place
            )
        }
        if route.auth == .public {
            decoding.report("\(subject): auth: public knows no caller that an assertion could be about", at: place)
        }
        switch route.action {
        case .redirect, .respond:
            decoding.report("\(subject): only a route with forward can have an assertion", at: assertion.marks.section)
        case .forward, nil: break
        }
    }

    private func check(_ forward: ForwardSettings, of route: RouteSettings, _ subject: String) {
        if !forward.upstream.isEmpty, !upstreams.contains(forward.upstream) {
            unknown(
                "upstream",
                forward.upstream,
                settings.upstreams.map(\.name),
                subject,
                at: forward.marks["upstream"]
            )
        }
        if let prefix = forward.stripPrefix, !RouteFolding.covers(prefix, route.match.path) {
            decoding.report(
                "\(subject): strip_prefix \(prefix.text) is not the beginning of the route's path \(route.match.path.written)",
                at: forward.marks["strip_prefix"]
            )
        }
        if forward.replacePrefix != nil, forward.stripPrefix == nil, case .pattern = route.match.path {
            decoding.report(
                "\(subject): replace_prefix needs strip_prefix beside it when the route has a path_pattern",
                at: forward.marks["replace_prefix"]
            )
        }
    }

    /// Fields that go out with every answer would be there twice.
    private func check(_ respond: RespondSettings, _ subject: String) {
        let place = respond.marks["headers"]
        for name in respond.headers.map(\.name) {
            if name == settings.http.requestIDHeader {
                decoding.report(
                    "\(subject): respond.headers: \(name.text) already carries the request's id (http.request_id_header)",
                    at: place
                )
            }
            if name == "Strict-Transport-Security",
                let listener = settings.listeners.first(where: { $0.tls?.hsts != nil })
            {
                decoding.report(
                    "\(subject): respond.headers: \(name.text) is already sent by the listener \(Spelling.quoted(listener.name)) (tls.hsts)",
                    at: place
                )
            }
        }
    }

    // MARK: The whole

    private func checkNothingIsMissing() {
        if settings.routes.isEmpty {
            decoding.report(
                "no routes: nothing would be served; add routes, such as {name: all, forward: {upstream: api}}",
                at: settings.marks["routes"]
            )
        }
    }

    private func warnOfUnused() {
        let used = Set(
            settings.routes.compactMap { route -> String? in
                if case .forward(let forward) = route.action { return forward.upstream }
                return nil
            }
        )
        for upstream in settings.upstreams where !used.contains(upstream.name) {
            decoding.report(
                "upstream \(Spelling.quoted(upstream.name)): no route uses it",
                at: upstream.marks["name"],
                severity: .warning
            )
        }
        if let assertion = settings.assertion, !settings.routes.contains(where: { $0.assertion != nil }) {
            decoding.report("assertion: no route uses it", at: assertion.marks.section, severity: .warning)
        }
    }
}
