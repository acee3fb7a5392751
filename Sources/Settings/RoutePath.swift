// COLD. Paths that routes are matched with, in the same canonical form as request targets.

/// A canonical absolute path: no empty, `.` or `..` segment, unreserved characters decoded, escapes in upper case.
public struct RoutePath: Sendable, Hashable, ExpressibleByStringLiteral {
    /// Begins with `/`.
    public let text: String

    /// Takes `text` as it is: for paths in source code.
    ///
    /// Paths from outside go through `init(checking:)`.
    public init(stringLiteral text: String) { self.text = text }

    init(canonical text: String) { self.text = text }

    /// The root.
    public static let root: RoutePath = "/"

    /// What is between the slashes; a trailing slash gives an empty last segment, `/` none at all.
    public var segments: [String] {
        text == "/" ? [] : text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    }

    /// Whether `path` is this one or lies below it, by whole segments (a trailing slash here makes no difference).
    public func isPrefix(of path: RoutePath) -> Bool {
        var mine = segments
        if mine.last == "" { mine.removeLast() }
        return path.segments.starts(with: mine)
    }
}

/// A path with named segments: `/users/{id}/orders`.
public struct PathPattern: Sendable, Hashable {
    /// One segment.
    public enum Segment: Sendable, Hashable {
        /// Exactly this text; empty only at the end, for a trailing slash.
        case literal(String)
        /// Any one segment that is not empty, by name.
        case parameter(String)
    }

    /// As in the file.
    public let text: String
    /// What is between the slashes.
    public let segments: [Segment]

    /// A pattern of these segments.
    public init(text: String, segments: [Segment]) {
        self.text = text
        self.segments = segments
    }
}

/// Which paths a route is for.
public enum PathMatch: Sendable, Hashable {
    /// The path itself and everything below it, by whole segments. Kept without trailing slash (`/` stays).
    case prefix(RoutePath)
    /// Exactly this path; a trailing slash counts.
    case exact(RoutePath)
    /// The whole path, segment by segment.
    case pattern(PathPattern)

    /// For tables: `/api/…`, `=/exact`, `/users/{id}`.
    public var text: String {
        switch self {
        case .prefix(let path): path.text == "/" ? "/…" : "\(path.text)/…"
        case .exact(let path): "=\(path.text)"
        case .pattern(let pattern): pattern.text
        }
    }
}
