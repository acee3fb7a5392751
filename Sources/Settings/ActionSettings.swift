// COLD. What happens to a request that a route admits.

/// What happens to a request that a route admits.
public enum ActionSettings: Sendable, Equatable {
    /// It goes to an upstream.
    case forward(ForwardSettings)
    /// The client is sent elsewhere.
    case redirect(RedirectSettings)
    /// A fixed answer.
    case respond(RespondSettings)
}

/// Forwarding to an upstream.
public struct ForwardSettings: SettingsSection {
    /// `Host` of the request to the upstream.
    public enum Host: Sendable, Hashable {
        /// The client's.
        case preserve
        /// The server's address as in `servers`.
        case upstream
        /// This one.
        case name(String)
    }
    /// What happens to the client's `Authorization`.
    public enum Authorization: String, Sendable, CaseIterable {
        /// Passed on.
        case keep
        /// Removed.
        case strip
    }

    /// Name of the upstream.
    public var upstream = ""
    /// Removed from the path; see `rewrite(of:)`.
    public var stripPrefix: RoutePath?
    /// Put in its place; see `rewrite(of:)`.
    public var replacePrefix: RoutePath?
    /// `Host` of the request to the upstream.
    public var host = Host.preserve
    /// The client's `Authorization`.
    public var authorization = Authorization.keep
    /// Time to the response's first byte; nil: the upstream's `first_byte_timeout`; zero: none.
    public var timeout: Duration?
    /// Time for the whole exchange; nil: `timeouts.request`; zero: none.
    public var requestTimeout: Duration?
    /// Time for a tunnel, or a response without a length; nil: `timeouts.stream_age`; zero: none.
    public var streamAge: Duration?
    /// Longest request body; nil: `limits.body`.
    public var bodyLimit: ByteCount?
    /// Whether `%2F` may be in the path; it is kept as it is and never taken for a separator.
    public var encodedSlashes = false
    /// Whether `Upgrade` is passed on (see `http.upgrades`).
    public var upgrade = true
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}

    /// What is replaced in the path of a request: this prefix by that one; nil: nothing.
    ///
    /// `strip_prefix` alone is replaced by `/`; `replace_prefix` alone replaces what the route matches.
    public func rewrite(of match: PathMatch) -> (prefix: RoutePath, replacement: RoutePath)? {
        if let stripPrefix { return (stripPrefix, replacePrefix ?? .root) }
        guard let replacePrefix else { return nil }
        switch match {
        case .prefix(let path), .exact(let path): return (path, replacePrefix)
        case .pattern: return nil
        }
    }
}

/// Sending the client elsewhere.
public struct RedirectSettings: SettingsSection {
    /// 301, 302, 303, 307 or 308.
    public var status = 308
    /// An absolute URL or an absolute path.
    ///
    /// Never made from what the client sent.
    public var location = ""
    /// Whether the canonical path and the query of the request are appended.
    public var keepsPath = false
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// A header field with its value.
public struct HeaderField: Sendable, Hashable {
    /// The name.
    public var name: HeaderName
    /// The value: visible US-ASCII, spaces and tabs.
    public var value: String

    /// A field.
    public init(name: HeaderName, value: String) {
        self.name = name
        self.value = value
    }
}

/// A fixed answer.
public struct RespondSettings: SettingsSection {
    /// 200…599.
    public var status = 200
    /// The content; empty: none.
    public var body = ""
    /// `Content-Type`, when there is a body.
    public var contentType = "text/plain; charset=utf-8"
    /// More fields.
    public var headers: [HeaderField] = []
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
