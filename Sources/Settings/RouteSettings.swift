// COLD. Routes and groups of routes: what they match, what they ask, what happens then.

/// A header field that a request must have.
public struct HeaderMatch: SettingsSection {
    /// The field.
    public var name: HeaderName = "X-Header"
    /// Its exact value; nil: any.
    public var value: String?
    /// False: the field must be absent.
    ///
    /// Only without `value`.
    public var present = true
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Which requests a route is for; all of it must be true.
public struct MatchSettings: SettingsSection {
    /// One of these; empty: any host.
    public var hosts: [HostPattern] = []
    /// The path.
    public var path = PathMatch.prefix(.root)
    /// One of these (exact tokens); empty: any method.
    public var methods: [String] = []
    /// All of these.
    public var headers: [HeaderMatch] = []
    /// Where the keys were written.
    public var marks = Marks()

    /// Matches everything.
    public init() {}
}

/// The assertion that a route's upstream gets.
public struct RouteAssertionSettings: SettingsSection {
    /// `aud`: the service it is for.
    public var audience = ""
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// One route: a request that matches and satisfies the rules gets the action.
public struct RouteSettings: SettingsSection {
    /// Its name in logs, metrics and `check`; unique.
    public var name = ""
    /// The group it is in, innermost; nil: none.
    public var group: String?
    /// Which requests.
    ///
    /// After loading with the bounds of its groups.
    public var match = MatchSettings()
    /// After loading: what is effective, the strictest of the route and its groups.
    public var auth = AuthRequirement.required
    /// What the route itself asks.
    public var rule = RuleSettings()
    /// After loading: everything to be satisfied, outermost group first, the route's own rule last.
    public var rules: [RuleSettings] = []
    /// Whether the rules of its groups do not apply to it (`weaken: true`).
    public var isWeakened = false
    /// What happens; nil only before loading has checked it.
    public var action: ActionSettings?
    /// The assertion for the upstream; nil: none.
    public var assertion: RouteAssertionSettings?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Routes that share bounds and a rule.
///
/// A route in it must satisfy the group's rule and its own.
public struct GroupSettings: SettingsSection {
    /// Its name.
    public var name = ""
    /// Bounds: routes without hosts or path get these, others must lie within.
    public var match = GroupMatchSettings()
    /// What is asked of every route in it.
    public var rule = RuleSettings()
    /// Whether the rules of the groups around it do not apply (`weaken: true`).
    public var isWeakened = false
    /// Routes, by name or written here.
    public var routes: [GroupMember] = []
    /// Groups within.
    public var groups: [GroupSettings] = []
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// A route of a group.
public enum GroupMember: Sendable, Equatable {
    /// A route of the `routes` section.
    case reference(String)
    /// A route written in the group.
    case inline(RouteSettings)
}

/// Bounds of a group.
public struct GroupMatchSettings: SettingsSection {
    /// Hosts; empty: any.
    public var hosts: [HostPattern] = []
    /// Prefix of all paths; nil: none.
    public var path: RoutePath?
    /// Where the keys were written.
    public var marks = Marks()

    /// No bounds.
    public init() {}
}
