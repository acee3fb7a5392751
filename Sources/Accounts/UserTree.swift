// COLD. The YAML of a users file as a bounded tree with places. No anchors, no aliases, no substitution.
import Settings
import Yams

/// Reads YAML; what is wrong goes to the decoding run.
struct UserTree {
    private static let maximumDepth = 16

    let decoding: Decoding

    /// The tree of a file's text; nil when it is no YAML at all.
    func read(_ text: String) -> SettingNode? {
        guard let root = compose(text) else { return nil }
        return node(root, depth: 0)
    }

    /// Yams' own tree, an empty mapping for an empty file.
    func compose(_ text: String) -> Node? {
        do {
            // Aliases multiply: they are refused before anything follows them.
            if let place = Self.alias(in: text) {
                decoding.report("anchors and aliases are not supported; put \"&\" and \"*\" in quotes", at: place)
                return nil
            }
            let parser = try Parser(yaml: text, encoding: .utf8)
            let root = try parser.singleRoot()
            if let root { return withExtendedLifetime(parser) { root } }
            return .mapping(Node.Mapping([]))
        } catch YamlError.duplicatedKeysInMapping(_, let context) {
            decoding.report("this key is there more than once; keep one of them", at: Self.location(context.mark))
        } catch let error as YamlError {
            report(error)
        } catch {
            decoding.report("is not YAML", at: .unknown)
        }
        return nil
    }

    static func location(_ mark: Mark?) -> SourceLocation {
        mark.map { SourceLocation(line: $0.line, column: $0.column) } ?? .unknown
    }

    private func node(_ node: Node, depth: Int) -> SettingNode {
        let location = Self.location(node.mark)
        guard depth <= Self.maximumDepth else {
            decoding.report("is nested deeper than \(Self.maximumDepth) levels", at: location)
            return SettingNode(.broken, at: location)
        }
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain || scalar.style == .any
            return SettingNode(.scalar(SettingNode.Scalar(scalar.string, isPlain: isPlain)), at: location)
        case .sequence(let sequence):
            return SettingNode(.sequence(sequence.map { self.node($0, depth: depth + 1) }), at: location)
        case .mapping(let mapping):
            var members: [SettingNode.Member] = []
            for (key, value) in mapping {
                let place = Self.location(key.mark)
                guard case .scalar(let scalar) = key, scalar.string != "<<" else {
                    decoding.report("a key must be a name", at: place)
                    continue
                }
                let value = self.node(value, depth: depth + 1)
                members.append(SettingNode.Member(key: scalar.string, location: place, value: value))
            }
            return SettingNode(.mapping(members), at: location)
        case .alias:
            decoding.report("aliases are not supported", at: location)
            return SettingNode(.broken, at: location)
        }
    }

    /// Where the first anchor or alias is: `&` or `*` at the beginning of a value, outside of comments.
    private static func alias(in text: String) -> SourceLocation? {
        var line = 0
        for content in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false) {
            line += 1
            var before: Unicode.Scalar = " "
            var quote: Unicode.Scalar?
            var closed: Unicode.Scalar?
            var isEscaped = false
            for (column, scalar) in content.enumerated() {
                defer { before = scalar }
                if let open = quote {
                    if isEscaped {
                        isEscaped = false
                    } else if scalar == "\\", open == "\"" {
                        isEscaped = true
                    } else if scalar == open {
                        quote = nil
                        closed = open
                    }
                    continue
                }
                // Two single quotes are one within single quotes.
                if scalar == "'", closed == scalar {
                    (quote, closed) = (scalar, nil)
                    continue
                }
                closed = nil
                let isStart = [" ", "[", "{", ",", "-", ":"].contains(before)
                if scalar == "#", before == " " { break }
                if isStart, scalar == "\"" || scalar == "'" { quote = scalar }
                if isStart, scalar == "&" || scalar == "*" { return SourceLocation(line: line, column: column + 1) }
            }
        }
        return nil
    }

    private func report(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let message =
                problem.contains("another document")
                ? "a second document begins here; one file holds one"
                : "is not YAML (\(problem)); is the indentation right, and is there a space after every \":\"?"
            decoding.report(message, at: Self.location(mark))
        default: decoding.report("is not YAML", at: .unknown)
        }
    }
}

/// Users files refer to no other files.
struct NoFiles: FileAccess {
    func read(_: String, limit _: Int) -> Result<[UInt8], FileProblem> { .failure(FileProblem("is not read")) }
    func problem(reading _: String) -> FileProblem? { nil }
    func problem(creating _: String) -> FileProblem? { nil }
    func isReadableByEverybody(_: String) -> Bool { false }
}
