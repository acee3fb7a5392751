// COLD. Where in the configuration file a value was written, so that later checks can point there.

/// A place in the configuration file; both numbers begin at 1, `unknown` is 0:0.
public struct SourceLocation: Sendable, Hashable, Comparable {
    /// Line, from 1.
    public var line: Int
    /// Column in Unicode scalars, from 1.
    public var column: Int

    /// A place.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// Of a value that no file wrote: a default.
    public static let unknown = SourceLocation(line: 0, column: 0)

    /// The order in the file.
    public static func < (left: SourceLocation, right: SourceLocation) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// Where a section and each of its written keys stand in the file.
///
/// Marks never take part in comparing settings: two sections are equal when their values are.
public struct Marks: Sendable, Equatable, Hashable {
    /// Where the section begins.
    public var section: SourceLocation = .unknown
    private var keys: [String: SourceLocation] = [:]

    /// No marks.
    public init() {}

    /// Where the value of `key` was written: a key as in the file (`leeway`), or an element of its list
    /// (`audiences[1]`).
    ///
    /// For a key that was not written, the place of the section.
    public subscript(key: String) -> SourceLocation {
        get { keys[key] ?? section }
        set { keys[key] = newValue }
    }

    /// Whether `key` was written in the file.
    public func isWritten(_ key: String) -> Bool { keys[key] != nil }

    /// Always true: places are not values.
    public static func == (_: Marks, _: Marks) -> Bool { true }
    /// Adds nothing.
    public func hash(into _: inout Hasher) {}
}
