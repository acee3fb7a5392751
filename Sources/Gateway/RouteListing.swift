// COLD. The effective routes as a table for people: what `check` prints.
import Settings

/// Lays routes out in columns.
struct RouteListing {
    let settings: GatewaySettings

    /// The table, one line per route in the order of the file.
    var text: String {
        var rows = [["ROUTE", "HOST", "PATH", "METHODS", "AUTH", "RULES", "ACTION"]]
        for route in settings.routes { rows.append(cells(route)) }
        let widths = (0..<7).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
            }
            .joined()
        }
        .joined(separator: "\n")
    }

    private func cells(_ route: RouteSettings) -> [String] {
        let hosts = route.match.hosts.map(Self.text).joined(separator: ",")
        var methods = route.match.methods.joined(separator: ",")
        if !route.match.headers.isEmpty {
            let headers = route.match.headers.map {
                "\($0.name.text)\($0.value.map { "=\($0)" } ?? ($0.present ? "" : " absent"))"
            }
            methods += (methods.isEmpty ? "any" : "") + " if " + headers.joined(separator: " and ")
        }
        return [
            route.name,
            hosts.isEmpty ? "any" : hosts,
            Self.text(route.match.path),
            methods.isEmpty ? "any" : methods,
            route.auth.rawValue,
            rules(route),
            action(route),
        ]
    }

    private static func text(_ host: HostPattern) -> String {
        switch host {
        case .exact(let name): name
        case .wildcard(let suffix): "*" + suffix
        case .any: "any"
        }
    }

    private static func text(_ path: PathMatch) -> String {
        switch path {
        case .prefix(let path): path.text == "/" ? "/*" : path.text + "/*"
        case .exact(let path): path.text
        case .pattern(let pattern):
            "/"
                + pattern.segments.map {
                    switch $0 {
                    case .literal(let text): text
                    case .parameter(let name): "{\(name)}"
                    }
                }
                .joined(separator: "/")
        }
    }

    private func rules(_ route: RouteSettings) -> String {
        let parts = route.rules.filter { !$0.isEmpty }.map { rule in
            var asks: [String] = []
            if !rule.issuers.isEmpty { asks.append("issuer \(rule.issuers.joined(separator: "|"))") }
            if !rule.audiences.isEmpty { asks.append("audience \(rule.audiences.joined(separator: "|"))") }
            asks += Self.text("scope", rule.scopes)
            asks += Self.text("role", rule.roles)
            asks += rule.claims.map { "claim \($0.claim.text)" }
            if let age = rule.session.maxAge { asks.append("login within \(age.wholeSeconds)s") }
            if let idle = rule.session.maxIdle { asks.append("idle at most \(idle.wholeSeconds)s") }
            if rule.session.strength > 1 { asks.append("second factor") }
            return asks.joined(separator: ", ") + (rule.reportOnly ? " (report only)" : "")
        }
        return parts.isEmpty ? "-" : parts.joined(separator: "; ")
    }

    private static func text(_ noun: String, _ names: NameRequirement) -> [String] {
        var asks: [String] = []
        if !names.all.isEmpty { asks.append("\(noun) \(names.all.joined(separator: "+"))") }
        if !names.any.isEmpty { asks.append("\(noun) \(names.any.joined(separator: "|"))") }
        return asks
    }

    private func action(_ route: RouteSettings) -> String {
        switch route.action {
        case .forward(let forward):
            var text = "-> \(forward.upstream)"
            if let (prefix, replacement) = forward.rewrite(of: route.match.path) {
                text += ", \(prefix.text) => \(replacement.text)"
            }
            if forward.authorization == .strip { text += ", without Authorization" }
            if let assertion = route.assertion { text += ", assertion for \(assertion.audience)" }
            return text
        case .redirect(let redirect):
            return "\(redirect.status) \(redirect.location)\(redirect.keepsPath ? "+path" : "")"
        case .respond(let respond): return "\(respond.status), fixed"
        case nil: return "-"
        }
    }
}
