// COLD. Names that have a grammar: header fields, claims, hosts.

/// The name of a header field, as written; equal without regard to case.
public struct HeaderName: Sendable, Hashable, ExpressibleByStringLiteral {
    /// As written.
    public let text: String

    /// Takes `text` as it is: for names in source code.
    ///
    /// Names from outside go through `init(checking:)`.
    public init(stringLiteral text: String) { self.text = text }

    /// Letters, digits and `-` only, 1…64 of them; nil otherwise.
    ///
    /// Narrower than a token (RFC 9110 §5.1), so that no server behind can fold two names into one.
    public init?(checking text: String) {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= 64 else { return nil }
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"):
                continue
            default: return nil
            }
        }
        self.text = text
    }

    /// Equal without regard to case.
    public static func == (left: HeaderName, right: HeaderName) -> Bool {
        left.text.lowercased() == right.text.lowercased()
    }
    /// Without regard to case.
    public func hash(into hasher: inout Hasher) { hasher.combine(text.lowercased()) }
}

/// The way to a claim, from the token's top: `realm_access.roles` is two names.
///
/// In the file a string is split at its dots, unless it holds `://` (`https://example.com/roles` is one name);
/// a list gives the names one by one.
public struct ClaimPath: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The names, outermost first; never empty.
    public let names: [String]

    /// A path by its names.
    public init(names: [String]) { self.names = names }

    /// A path as a string in the file.
    public init(stringLiteral text: String) {
        names =
            text.contains("://")
            ? [text] : text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    }

    /// For messages and logs.
    public var text: String { names.joined(separator: ".") }
}

/// A scalar that a claim is compared with.
public enum ClaimValue: Sendable, Hashable {
    /// A JSON string.
    case string(String)
    /// A JSON number without fraction.
    case integer(Int64)
    /// `true` or `false`.
    case bool(Bool)
}

/// A host, or all hosts one label or more below a name.
public enum HostPattern: Sendable, Hashable {
    /// Exactly this host: lower case, no port, no trailing dot; IPv6 in brackets.
    case exact(String)
    /// `*.example.com`: any host that ends with `.example.com`; the suffix is kept with its leading dot.
    case wildcard(suffix: String)
    /// `*`: any host.
    case any

    /// As in the file.
    public var text: String {
        switch self {
        case .exact(let host): host
        case .wildcard(let suffix): "*\(suffix)"
        case .any: "*"
        }
    }

    /// Whether every host of `other` is one of this pattern's.
    public func covers(_ other: HostPattern) -> Bool {
        switch (self, other) {
        case (.any, _): true
        case (_, .any): false
        case (.exact(let mine), .exact(let its)): mine == its
        case (.exact, .wildcard): false
        case (.wildcard(let mine), .exact(let its)): its.hasSuffix(mine) && its.utf8.count > mine.utf8.count
        case (.wildcard(let mine), .wildcard(let its)): its.hasSuffix(mine)
        }
    }
}
