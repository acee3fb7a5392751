// COLD. Routes that no request can reach, because of what the gateway does before it looks for a route.
import Identity
import Settings

/// Finds what is in vain in routes.
enum RouteChecks {
    /// Conditions that are never fulfilled (errors: the rest of the route may lean on them) and routes that answer nothing.
    static func run(_ settings: GatewaySettings, _ injection: HeaderInjection) -> [Diagnostic] {
        settings.routes.flatMap { route in
            protectedFields(route, injection)
                + [methods(route), ownPath(route, settings), portalPath(route, settings)].compactMap { $0 }
        }
    }

    /// Conditions on header fields that are taken out of every request.
    private static func protectedFields(_ route: RouteSettings, _ injection: HeaderInjection) -> [Diagnostic] {
        route.match.headers.compactMap { condition in
            let name = condition.name.text
            let isProtected = Array(name.utf8).withUnsafeBufferPointer { injection.isProtected($0) }
            guard isProtected, condition.present else { return nil }
            return Diagnostic(
                at: condition.marks["name"],
                "route \"\(route.name)\": clients cannot send \(name), so no request matches; "
                    + "ask for roles, scopes or claims instead"
            )
        }
    }

    /// Methods that are refused whatever the route.
    private static func methods(_ route: RouteSettings) -> Diagnostic? {
        let methods = route.match.methods
        guard !methods.isEmpty, methods.allSatisfy({ $0 == "TRACE" || $0 == "CONNECT" }) else { return nil }
        return Diagnostic(
            at: route.match.marks["methods"],
            "route \"\(route.name)\": TRACE and CONNECT are never served, so no request matches",
            severity: .warning
        )
    }

    /// A route at the place of the published keys.
    private static func ownPath(_ route: RouteSettings, _ settings: GatewaySettings) -> Diagnostic? {
        guard settings.assertion?.publishesKeys == true, case .exact(let path) = route.match.path,
            path.text == "\(OwnEndpoint.keysPath)"
        else { return nil }
        return Diagnostic(
            at: route.match.marks["path_exact"],
            "route \"\(route.name)\": GET and HEAD of \(path.text) are answered with the assertion's keys; "
                + "write publish_keys: false in assertion if the route is meant",
            severity: .warning
        )
    }

    /// A route at the place of the pages for logging in.
    private static func portalPath(_ route: RouteSettings, _ settings: GatewaySettings) -> Diagnostic? {
        guard settings.accounts != nil else { return nil }
        let prefix = settings.portal.prefix
        let place: (path: String, key: String)? =
            switch route.match.path {
            case .exact(let path): (path.text, "path_exact")
            case .prefix(let path): (path.text, "path")
            case .pattern: nil
            }
        guard let place, place.path == prefix || place.path.hasPrefix(prefix + "/") else { return nil }
        return Diagnostic(
            at: route.match.marks[place.key],
            "route \"\(route.name)\": the gateway's own pages lie under \(prefix) (portal.prefix), so no request matches",
            severity: .warning
        )
    }
}
