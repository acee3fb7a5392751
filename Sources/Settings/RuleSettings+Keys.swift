// COLD. The keys of rules: what a route or a group asks of the caller.

extension AuthRequirement: SettingChoice {}

extension NameRequirement {
    /// Names.
    public static let keys: [Key<NameRequirement>] = [
        Key("all", \.all, count: 0...64, each: .word, example: "[orders.read]", doc: "Each of these."),
        Key("any", \.any, count: 0...64, each: .word, example: "[admin, support]", doc: "At least one of these."),
    ]
    /// A list: all of its names.
    public static var shorthandShape: SettingShape? {
        .list(.string(pattern: Constraint<String>.word.pattern), count: nil)
    }
    /// A list is `all`.
    public static func decodeShorthand(_ node: SettingNode, _ decoding: Decoding) -> NameRequirement? {
        guard case .sequence(let nodes) = node.content, let names = [String].decode(node, decoding) else { return nil }
        let constraint = Constraint<String>.word
        for (index, name) in nodes.enumerated() {
            guard let text = name.text, !constraint.test(text) else { continue }
            decoding.within("[\(index)]") { decoding.mismatch(name, expected: constraint.expected) }
        }
        return NameRequirement(all: names)
    }
}

extension ClaimCondition {
    var equals: ClaimValue? {
        get { if case .equals(let value) = test { value } else { nil } }
        set { if let newValue { test = .equals(newValue) } }
    }
    var oneOf: [ClaimValue]? {
        get { if case .oneOf(let values) = test { values } else { nil } }
        set { if let newValue { test = .oneOf(newValue) } }
    }
    var contains: ClaimValue? {
        get { if case .contains(let value) = test { value } else { nil } }
        set { if let newValue { test = .contains(newValue) } }
    }
    var present: Bool? {
        get { if case .present(let value) = test { value } else { nil } }
        set { if let newValue { test = .present(newValue) } }
    }

    /// One condition.
    public static let keys: [Key<ClaimCondition>] = [
        Key("claim", \.claim, required: true, example: "tenant.id", doc: "The claim: tenant.id, or a list of names."),
        Key("equals", \.equals, example: "acme", doc: "It is this value."),
        Key("one_of", \.oneOf, example: "[acme, umbrella]", must: .filledList, doc: "It is one of these values."),
        Key(
            "contains",
            \.contains,
            example: "beta",
            doc: "It is a list that holds this value, or a string of words between spaces that does."
        ),
        Key("present", \.present, example: "true", doc: "true: it is there and not null; false: it is not."),
    ]
    /// Exactly one test.
    public static var choices: [KeyChoice] { [KeyChoice("equals", "one_of", "contains", "present", required: true)] }
}

extension Constraint<[ClaimValue]?> {
    static let filledList = Constraint(expected: "a list of at least one value") { $0?.isEmpty != true }
}

extension RuleSettings {
    /// What a route and a group have in common; each of them lifts these.
    static let keys: [Key<RuleSettings>] = [
        Key(
            "auth",
            \.auth,
            example: "required",
            doc:
                "required (the default): a valid credential is needed; optional: callers may come without one, a wrong one is "
                + "refused; public: credentials are not looked at."
        ),
        Key(
            "issuers",
            \.issuers,
            count: 0...64,
            each: .name,
            example: "[main]",
            doc: "Issuers whose tokens are accepted; empty: all."
        ),
        Key(
            "audiences",
            \.audiences,
            count: 0...64,
            each: .line,
            example: "[orders]",
            doc: "One of these must be in aud, besides what the issuer asks; empty: nothing more."
        ),
        Key("scopes", \.scopes, doc: "Scopes that the token must have; a list means all of them."),
        Key("roles", \.roles, doc: "Roles that the token must have; a list means all of them."),
        Key("claims", \.claims, count: 0...64, doc: "Conditions on claims, all of which must be true."),
        Key("session", \.session, doc: "What login sessions must be like; tokens are judged by their claims."),
        Key(
            "report_only",
            \.reportOnly,
            doc: "Only log and count what this rule would refuse. A missing or wrong credential is still refused."
        ),
    ]
}
