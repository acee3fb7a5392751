// COLD. What is wrong with a users file: everything at once, each with its place.
public import Settings

/// What is wrong with a users file: all of it, each with its place.
///
/// Never a hash or a secret.
public struct UserFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// All problems, in the order of the file.
    public let diagnostics: [Diagnostic]

    /// These problems.
    init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics.sorted { $0.location < $1.location } }

    /// One problem of the file as a whole, or at a place.
    init(_ path: String, _ message: String, at location: SourceLocation = .unknown) {
        diagnostics = [Diagnostic(at: location, message, file: path)]
    }

    /// `file:line:column: message` a line.
    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
