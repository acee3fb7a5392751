// COLD. Groups are folded into their routes: bounds narrow, rules add up, nothing gets weaker by accident.
import Settings

/// Makes the flat list of routes.
struct RouteFolding {
    /// What the groups around a route say.
    private struct Surroundings {
        var group: String?
        var hosts: [HostPattern] = []
        var path: RoutePath?
        var rules: [RuleSettings] = []
        /// How deep groups are nested.
        var depth = 0

        /// The strictest of what the rules say; nil when they say nothing.
        var auth: AuthRequirement? { rules.compactMap(RouteFolding.implied).max() }
    }

    private let decoding: Decoding

    init(_ decoding: Decoding) { self.decoding = decoding }

    /// Replaces `routes` by all routes, those of groups included.
    func fold(_ settings: inout GatewaySettings) {
        var byName: [String: RouteSettings] = [:]
        for route in settings.routes where byName[route.name] == nil { byName[route.name] = route }
        var takenBy: [String: String] = [:]
        var flat: [RouteSettings] = []
        for group in settings.groups { walk(group, Surroundings(), byName, &takenBy, &flat) }
        for route in settings.routes where takenBy[route.name] == nil { flat.append(folded(route, Surroundings())) }
        settings.routes = flat.enumerated()
            .sorted { ($0.element.marks.section, $0.offset) < ($1.element.marks.section, $1.offset) }
            .map(\.element)
    }

    private func walk(
        _ group: GroupSettings,
        _ around: Surroundings,
        _ byName: [String: RouteSettings],
        _ takenBy: inout [String: String],
        _ flat: inout [RouteSettings]
    ) {
        var inside = around
        inside.group = group.name
        inside.depth += 1
        let subject = "group \(Spelling.quoted(group.name))"
        narrow(&inside, from: around, group, subject)
        checkRule(group.rule, subject, isWeakened: group.isWeakened, around)
        if group.isWeakened { inside.rules = [] }
        inside.rules.append(group.rule)
        if group.routes.isEmpty, group.groups.isEmpty, !decoding.hasErrors {
            decoding.report("\(subject) has no routes", at: group.marks.section, severity: .warning)
        }
        for (index, member) in group.routes.enumerated() {
            switch member {
            case .inline(let route): flat.append(folded(route, inside))
            case .reference(let name):
                let place = decoding.place(of: "routes", index, in: group.marks)
                if let other = takenBy[name] {
                    decoding.report(
                        "\(subject): the route \(Spelling.quoted(name)) is already in group \(Spelling.quoted(other))",
                        at: place
                    )
                } else if let route = byName[name] {
                    takenBy[name] = group.name
                    flat.append(folded(route, inside))
                } else {
                    decoding.report(
                        "\(subject): there is no route \(Spelling.quoted(name))\(Spelling.hint(for: name, among: byName.keys.sorted()))",
                        at: place
                    )
                }
            }
        }
        for inner in group.groups { walk(inner, inside, byName, &takenBy, &flat) }
    }

    // MARK: Bounds

    private func narrow(
        _ bounds: inout Surroundings,
        from around: Surroundings,
        _ group: GroupSettings,
        _ subject: String
    ) {
        if !group.match.hosts.isEmpty {
            check(hosts: group.match.hosts, group.match.marks, within: around, subject)
            bounds.hosts = group.match.hosts
        }
        if let path = group.match.path {
            if let outer = bounds.path, !outer.isPrefix(of: path) {
                reportOutside(path.text, outer, around, subject, at: group.match.marks["path"])
            }
            bounds.path = path
        }
    }

    private func folded(_ route: RouteSettings, _ around: Surroundings) -> RouteSettings {
        var route = route
        route.group = around.group
        let subject = "route \(Spelling.quoted(route.name))"
        if route.match.hosts.isEmpty {
            route.match.hosts = around.hosts
        } else {
            check(hosts: route.match.hosts, route.match.marks, within: around, subject)
        }
        if let outer = around.path {
            let marks = route.match.marks
            if let written = ["path", "path_exact", "path_pattern"].first(where: marks.isWritten) {
                if !Self.covers(outer, route.match.path) {
                    reportOutside(route.match.path.written, outer, around, subject, at: marks[written])
                }
            } else {
                route.match.path = .prefix(outer)
            }
        }
        checkRule(route.rule, subject, isWeakened: route.isWeakened, around)
        if route.isWeakened, around.depth == 0 {
            decoding.report(
                "\(subject): weaken has no effect outside of a group",
                at: route.marks["weaken"],
                severity: .warning
            )
        }
        route.rules = (route.isWeakened ? [] : around.rules) + [route.rule]
        route.auth = route.rules.compactMap(Self.implied).max() ?? .required
        return route
    }

    private func check(hosts: [HostPattern], _ marks: Marks, within bounds: Surroundings, _ subject: String) {
        guard !bounds.hosts.isEmpty else { return }
        for (index, host) in hosts.enumerated() where !bounds.hosts.contains(where: { $0.covers(host) }) {
            let outer = Spelling.list(bounds.hosts.map(\.text))
            decoding.report(
                "\(subject): the host \(host.text) lies outside of group \(Spelling.quoted(bounds.group ?? "")), which is for \(outer)",
                at: decoding.place(of: "hosts", index, in: marks)
            )
        }
    }

    private func reportOutside(
        _ path: String,
        _ outer: RoutePath,
        _ bounds: Surroundings,
        _ subject: String,
        at place: SourceLocation
    ) {
        let advice = outer == .root ? "" : "; write \(outer.text)\(path == "/" ? "" : path)"
        decoding.report(
            "\(subject): the path \(path) lies outside of group \(Spelling.quoted(bounds.group ?? "")), which is for \(outer.text)"
                + advice,
            at: place
        )
    }

    /// Whether everything that `match` takes lies below `outer`.
    static func covers(_ outer: RoutePath, _ match: PathMatch) -> Bool {
        switch match {
        case .prefix(let path), .exact(let path): return outer.isPrefix(of: path)
        case .pattern(let pattern):
            let segments = outer.segments
            return pattern.segments.count >= segments.count
                && zip(pattern.segments, segments).allSatisfy { $0 == .literal($1) }
        }
    }

    // MARK: Rules

    /// What a rule says of credentials: conditions on a caller need one.
    static func implied(_ rule: RuleSettings) -> AuthRequirement? { rule.auth ?? (rule.isEmpty ? nil : .required) }

    private func checkRule(_ rule: RuleSettings, _ subject: String, isWeakened: Bool, _ around: Surroundings) {
        let conditions = ["issuers", "audiences", "scopes", "roles", "claims"]
        if rule.auth == .public, let first = conditions.first(where: rule.marks.isWritten), !rule.isEmpty {
            decoding.report(
                "\(subject): auth: public looks at no credentials, so \(first) cannot be asked; remove one of the two",
                at: rule.marks[first]
            )
        }
        if rule.reportOnly, rule.isEmpty {
            decoding.report(
                "\(subject): report_only has no effect without scopes, roles, claims, audiences or issuers here",
                at: rule.marks["report_only"],
                severity: .warning
            )
        }
        guard !isWeakened, let own = rule.auth, let outer = around.auth, own < outer else { return }
        decoding.report(
            "\(subject): auth: \(own.rawValue) is weaker than \(outer.rawValue) of group \(Spelling.quoted(around.group ?? "")); "
                + "write weaken: true beside it if that is meant",
            at: rule.marks["auth"]
        )
    }
}

extension PathMatch {
    /// As in the file.
    var written: String {
        switch self {
        case .prefix(let path), .exact(let path): path.text
        case .pattern(let pattern): pattern.text
        }
    }
}
