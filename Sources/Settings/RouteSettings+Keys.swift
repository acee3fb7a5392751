// COLD. The keys of routes and groups.

extension HeaderMatch {
    /// A header field that a request must have.
    public static let keys: [Key<HeaderMatch>] = [
        Key("name", \.name, required: true, example: "X-Tenant", doc: "The field."),
        Key("value", \.value, example: "acme", must: .optionalFieldValue, doc: "Its exact value; unset: any."),
        Key("present", \.present, doc: "false: the field must be absent."),
    ]
    /// `present` is for fields whose value does not matter.
    public static var choices: [KeyChoice] { [KeyChoice("value", "present")] }
}

extension Constraint<String?> {
    static let optionalFieldValue = Constraint(expected: Constraint<String>.fieldValue.expected) {
        $0.map(Constraint<String>.fieldValue.test) ?? true
    }
}

extension MatchSettings {
    var prefixPath: RoutePath? {
        get { if case .prefix(let path) = path { path } else { nil } }
        set { if let newValue { path = .prefix(newValue.trimmed) } }
    }
    var exactPath: RoutePath? {
        get { if case .exact(let path) = path { path } else { nil } }
        set { if let newValue { path = .exact(newValue) } }
    }
    var pattern: PathPattern? {
        get { if case .pattern(let pattern) = path { pattern } else { nil } }
        set { if let newValue { path = .pattern(newValue) } }
    }

    /// Which requests a route is for.
    public static let keys: [Key<MatchSettings>] = [
        Key(
            "hosts",
            \.hosts,
            count: 0...256,
            example: "[api.example.com, \"*.example.com\"]",
            doc: "One of these hosts, without port; empty: any."
        ),
        Key(
            "path",
            \.prefixPath,
            doc: "This path and everything below it, by whole segments: /api is for /api and /api/x, not for /apix."
        ),
        Key("path_exact", \.exactPath, example: "/status", doc: "Exactly this path; a slash at its end counts."),
        Key(
            "path_pattern",
            \.pattern,
            example: "\"/users/{id}/orders\"",
            doc: "The whole path, where {name} stands for any one segment."
        ),
        Key(
            "methods",
            \.methods,
            count: 0...32,
            each: .method,
            example: "[GET, HEAD]",
            doc: "One of these methods; empty: any."
        ),
        Key("headers", \.headers, count: 0...16, doc: "All of these header fields."),
    ]
    /// One path.
    public static var choices: [KeyChoice] { [KeyChoice("path", "path_exact", "path_pattern")] }

    /// Whether the file says a path.
    var isPathWritten: Bool { ["path", "path_exact", "path_pattern"].contains { marks.isWritten($0) } }
    /// Where the path is.
    var pathLocation: SourceLocation {
        marks[["path", "path_exact", "path_pattern"].first { marks.isWritten($0) } ?? "path"]
    }
}

extension RouteAssertionSettings {
    /// The assertion that a route's service gets.
    public static let keys: [Key<RouteAssertionSettings>] = [
        Key("audience", \.audience, required: true, example: "orders", must: .line, doc: "aud: the service it is for.")
    ]
}

extension RouteSettings {
    var forward: ForwardSettings? {
        get { if case .forward(let forward) = action { forward } else { nil } }
        set { if let newValue { action = .forward(newValue) } }
    }
    var redirect: RedirectSettings? {
        get { if case .redirect(let redirect) = action { redirect } else { nil } }
        set { if let newValue { action = .redirect(newValue) } }
    }
    var respond: RespondSettings? {
        get { if case .respond(let respond) = action { respond } else { nil } }
        set { if let newValue { action = .respond(newValue) } }
    }

    /// One route.
    public static let keys: [Key<RouteSettings>] =
        [
            Key(
                "name",
                \.name,
                required: true,
                example: "api",
                must: .name,
                doc: "Its name in logs, metrics and check; unique."
            ),
            Key("match", \.match, doc: "Which requests it is for; the most specific route that matches is taken."),
        ] + RuleSettings.keys.map { $0.lifted(\.rule) } + [
            Key(
                "weaken",
                \.isWeakened,
                doc: "Take the rules of the groups around off this route: only its own auth and rules hold."
            ),
            Key("forward", \.forward, example: "{ upstream: api }", doc: "Send the request to an upstream."),
            Key(
                "redirect",
                \.redirect,
                example: "{ location: https://www.example.com/ }",
                doc: "Send the client elsewhere."
            ),
            Key("respond", \.respond, example: "{ status: 204 }", doc: "Answer here."),
            Key(
                "assertion",
                \.assertion,
                example: "{ audience: orders }",
                doc: "Give the service a signed assertion about the caller."
            ),
        ]
    /// Exactly one action.
    public static var choices: [KeyChoice] { [KeyChoice("forward", "redirect", "respond", required: true)] }

    /// The rule knows where it comes from.
    public mutating func finish(_: SettingNode, _: Decoding) {
        rule.origin = "route \(name)"
        rule.marks = marks
    }
}

extension GroupMatchSettings {
    /// Bounds of a group.
    public static let keys: [Key<GroupMatchSettings>] = [
        Key("hosts", \.hosts, count: 0...256, example: "[api.example.com]", doc: "Hosts; empty: any."),
        Key("path", \.path, example: "/admin", doc: "Prefix of all paths."),
    ]

    /// Prefixes have no slash at their end.
    public mutating func finish(_: SettingNode, _: Decoding) { path = path?.trimmed }
}

extension GroupMember: SettingValue {
    /// A name, or a route.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> GroupMember? {
        if case .scalar = node.content { return String.decode(node, decoding).map { .reference($0) } }
        return RouteSettings.decode(node, decoding).map { .inline($0) }
    }
    /// The name, or the route.
    public var settingText: SettingText? {
        switch self {
        case .reference(let name): .string(name)
        case .inline(let route): route.settingText
        }
    }
    /// Text or a section.
    public static var shape: SettingShape {
        .either([.string(pattern: Constraint<String>.name.pattern), RouteSettings.shape])
    }
}

extension GroupSettings {
    /// Routes with common bounds and a common rule.
    public static let keys: [Key<GroupSettings>] =
        [
            Key("name", \.name, required: true, example: "internal", must: .name, doc: "Its name, for explain."),
            Key("match", \.match, doc: "Bounds: routes without hosts or path get these, others must lie within."),
        ] + RuleSettings.keys.map { $0.lifted(\.rule) } + [
            Key(
                "weaken",
                \.isWeakened,
                doc: "Take the rules of the groups around off this group: only its own auth and rules hold."
            ),
            Key("routes", \.routes, count: 0...10_000, example: "[api]", doc: "Routes, by name or written here."),
            Key(
                "groups",
                \.groups,
                count: 0...64,
                doc: "Groups within; their routes must satisfy this group's rule too."
            ),
        ]

    /// The rule knows where it comes from.
    public mutating func finish(_: SettingNode, _: Decoding) {
        rule.origin = "group \(name)"
        rule.marks = marks
    }
}
