// COLD. What decoding carries along: the place in the file, the files it may look at, and all that was wrong.

/// Looks at the files that a configuration names.
public protocol FileAccess: Sendable {
    /// The content of a file of at most `limit` bytes, or what is wrong with it (`does not exist`).
    func read(_ path: String, limit: Int) -> Result<[UInt8], FileProblem>
    /// What is wrong with reading the file at `path`; nil when nothing is.
    func problem(reading path: String) -> FileProblem?
    /// What is wrong with making a file or socket at `path`; nil when nothing is.
    func problem(creating path: String) -> FileProblem?
    /// Whether everybody on the machine may read the file.
    func isReadableByEverybody(_ path: String) -> Bool
}

/// What is wrong with a file, as the end of a sentence: `does not exist`.
public struct FileProblem: Error, Equatable {
    /// The end of a sentence.
    public var text: String

    /// A problem.
    public init(_ text: String) { self.text = text }
}

/// One run of decoding: collects what is wrong instead of stopping.
public final class Decoding {
    /// What was wrong so far, in the order found.
    public private(set) var diagnostics: [Diagnostic] = []
    private var brokenPlaces: Set<SourceLocation> = []
    /// The folder that relative paths begin at.
    public let baseDirectory: String
    /// The file system.
    public let files: any FileAccess
    private var path: [String] = []
    /// What is being decoded is a secret: messages do not show what stands there.
    var isSecret = false

    /// A run for a file in `baseDirectory`.
    public init(baseDirectory: String, files: any FileAccess) {
        self.baseDirectory = baseDirectory
        self.files = files
    }

    /// Notes a mistake at `location`.
    public func report(_ message: String, at location: SourceLocation, severity: Diagnostic.Severity = .error) {
        diagnostics.append(Diagnostic(at: location, message, severity: severity))
        if severity == .error { brokenPlaces.insert(location) }
    }

    /// Notes a mistake in the value that is being decoded, and names its key.
    public func reject(_ node: SettingNode, _ message: String) {
        if case .broken = node.content { return }
        report("\(path.isEmpty ? "the file" : currentPath): \(message)", at: node.location)
    }

    /// Notes that something else was expected here.
    public func mismatch(_ node: SettingNode, expected: String, hint: String = "") {
        // Of a whole file nobody knows what it should have been.
        var isHidden = isSecret || path.isEmpty
        if case .scalar(let scalar) = node.content {
            isHidden = isHidden && scalar.variable == nil
        } else {
            isHidden = false
        }
        let found = isHidden ? "something else" : node.found
        let message = node.isNull ? "has no value; expected \(expected)" : "expected \(expected), found \(found)"
        reject(node, message + hint)
    }

    /// Whether an error was noted at `location`: what was read there may be a default instead of what was meant.
    public func hasError(at location: SourceLocation) -> Bool { brokenPlaces.contains(location) }

    /// Where the element at `index` of the list `key` was written; the list itself when it was not read completely.
    public func place(of key: String, _ index: Int, in marks: Marks) -> SourceLocation {
        var other = 0
        while marks.isWritten("\(key)[\(other)]") {
            if hasError(at: marks["\(key)[\(other)]"]) { return marks[key] }
            other += 1
        }
        return marks["\(key)[\(index)]"]
    }

    /// Whether any error was noted.
    public var hasErrors: Bool { !brokenPlaces.isEmpty }

    /// The key that is being decoded: `issuers[0].leeway`.
    public var currentPath: String {
        var text = ""
        for part in path {
            if !text.isEmpty, !part.hasPrefix("[") { text += "." }
            // Keys of one's own can hold anything, and a message is one line.
            text += part.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f } ? part : Spelling.quoted(part)
        }
        return text
    }

    /// Decodes within `part` (a key, or `[0]`).
    func within<Value>(_ part: String, _ body: () -> Value) -> Value {
        path.append(part)
        defer { path.removeLast() }
        return body()
    }

    /// A path of the file, resolved.
    public func resolve(_ written: String) -> String {
        written.hasPrefix("/")
            ? written : baseDirectory.hasSuffix("/") ? baseDirectory + written : "\(baseDirectory)/\(written)"
    }
}
