// COLD. The configuration file as a bounded tree with places: all that decoding needs to know of YAML.

/// A value in the configuration file.
public struct SettingNode: Sendable {
    /// A scalar.
    public struct Scalar: Sendable {
        /// After `${NAME}` was replaced.
        public var text: String
        /// Written without quotes, so that `true`, `12` and nothing at all have their YAML meaning.
        public var isPlain: Bool
        /// The environment variable that is the whole value, if it is one.
        public var variable: String?
        /// Whether any part came from the environment: then the text may stand for a number as well.
        public var isSubstituted: Bool

        /// A scalar.
        public init(_ text: String, isPlain: Bool, variable: String? = nil, isSubstituted: Bool = false) {
            self.text = text
            self.isPlain = isPlain
            self.variable = variable
            self.isSubstituted = isSubstituted
        }
    }

    /// A key with its value.
    public struct Member: Sendable {
        /// The key.
        public var key: String
        /// Where the key is.
        public var location: SourceLocation
        /// The value.
        public var value: SettingNode

        /// A key with its value.
        public init(key: String, location: SourceLocation, value: SettingNode) {
            self.key = key
            self.location = location
            self.value = value
        }
    }

    /// What it is.
    public enum Content: Sendable {
        /// One value.
        case scalar(Scalar)
        /// A list.
        case sequence([SettingNode])
        /// Keys with values; no key is there twice.
        case mapping([Member])
        /// Could not be read; already reported.
        case broken
    }

    /// What it is.
    public var content: Content
    /// Where it begins.
    public var location: SourceLocation

    /// A value at a place.
    public init(_ content: Content, at location: SourceLocation) {
        self.content = content
        self.location = location
    }

    /// Whether nothing is written: an empty value, `~` or `null`.
    public var isNull: Bool {
        guard case .scalar(let scalar) = content, scalar.isPlain, !scalar.isSubstituted else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.text)
    }

    /// Whether it is `off` (or `false`), the switch of sections and limits.
    public var isOff: Bool {
        guard case .scalar(let scalar) = content else { return false }
        return scalar.text == "off" || scalar.text == "false"
    }

    /// The scalar's text, when it is one.
    public var text: String? {
        guard case .scalar(let scalar) = content else { return nil }
        return scalar.text
    }

    /// Whether the scalar has parts from the environment.
    var isSubstituted: Bool {
        guard case .scalar(let scalar) = content else { return false }
        return scalar.isSubstituted
    }

    /// A URL without the name and password that may be in it.
    private static func withoutLogin(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@"), let colon = text.firstIndex(of: ":"), colon < at,
            text[colon...].starts(with: "://")
        else { return text }
        return text[...colon] + "//…" + text[at...]
    }

    /// For messages: what stands there instead of what was expected.
    var found: String {
        switch content {
        case .scalar(let scalar):
            if let variable = scalar.variable {
                "the value of ${\(variable)}"
            } else {
                isNull ? "nothing" : Spelling.quoted(Self.withoutLogin(scalar.text))
            }
        case .sequence(let elements): elements.isEmpty ? "an empty list" : "a list"
        case .mapping: "a mapping"
        case .broken: "nothing"
        }
    }
}
