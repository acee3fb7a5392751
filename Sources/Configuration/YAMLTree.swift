// COLD. YAML to a bounded tree with places: one document, no anchors, no tags, no key twice.
import Settings
import Yams

/// Reads YAML; what is wrong goes to the decoding run.
struct YAMLTree {
    private static let maximumDepth = 32
    private static let maximumAliases = 15
    private static let maximumDuplicates = 20
    /// Mark keys that are there again (Yams gives up at such keys): one of these, for private use, each once.
    private static let duplicateMarks = (0..<maximumDuplicates).compactMap { Unicode.Scalar(0xe000 + $0) }

    private let environment: [String: String]
    private let decoding: Decoding

    init(environment: [String: String], _ decoding: Decoding) {
        self.environment = environment
        self.decoding = decoding
    }

    /// The tree of a file's bytes; nil when it is no YAML at all.
    func read(_ bytes: [UInt8]) -> SettingNode? {
        guard bytes.count <= Configuration.maximumBytes else {
            decoding.report("is larger than 1 MiB", at: .unknown)
            return nil
        }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            decoding.report("is not UTF-8 from here on", at: Self.firstInvalid(bytes))
            return nil
        }
        if text.unicodeScalars.first == "\u{feff}" { text.unicodeScalars.removeFirst() }
        if let place = Self.excessAlias(text) {
            decoding.report(
                "aliases (\"*name\") are not supported; put a value that begins with \"*\" in quotes",
                at: place
            )
            return nil
        }
        return compose(text)
    }

    private func compose(_ text: String) -> SettingNode? {
        var text = text
        for mark in Self.duplicateMarks {
            do {
                let parser = try Parser(yaml: text, encoding: .utf8)
                let root = try parser.singleRoot()
                // Nodes refer to their anchors weakly: the parser must live until the tree is made.
                return withExtendedLifetime(parser) {
                    guard let root else {
                        return SettingNode(.mapping([]), at: SourceLocation(line: 1, column: 1))
                    }
                    return node(root, depth: 0)
                }
            } catch YamlError.duplicatedKeysInMapping(_, let context) {
                let place = SourceLocation(line: context.mark.line, column: context.mark.column)
                guard let marked = Self.marking(text, at: place, with: mark) else {
                    decoding.report("this key is there more than once; keep one of them", at: place)
                    return nil
                }
                text = marked
            } catch let error as YamlError {
                report(error, in: text)
                return nil
            } catch {
                decoding.report("is not YAML", at: .unknown)
                return nil
            }
        }
        decoding.report("has more than \(Self.maximumDuplicates) keys that are there more than once", at: .unknown)
        return nil
    }

    // MARK: Tree

    private func node(_ node: Node, depth: Int) -> SettingNode {
        let location = Self.location(node.mark)
        guard depth <= Self.maximumDepth else {
            return broken("is nested deeper than \(Self.maximumDepth) levels", at: location)
        }
        if let anchor = node.anchor {
            return broken(
                "anchors (\"&\(Spelling.quoted(anchor.rawValue).dropFirst().dropLast())\") are not supported; "
                    + "write the value where it is needed, or share rules with groups",
                at: location
            )
        }
        if let tag = Self.strangeTag(node) {
            return broken("tags (\(Spelling.quoted(tag))) are not supported; write the value without it", at: location)
        }
        switch node {
        case .scalar(let scalar): return self.scalar(scalar, at: location)
        case .sequence(let sequence):
            return SettingNode(.sequence(sequence.map { self.node($0, depth: depth + 1) }), at: location)
        case .mapping(let mapping):
            var members: [SettingNode.Member] = []
            for (key, value) in mapping {
                let place = Self.location(key.mark)
                guard case .scalar(let scalar) = key, key.anchor == nil else {
                    decoding.report("a key must be a name", at: place)
                    continue
                }
                let value = self.node(value, depth: depth + 1)
                if Self.isMarked(scalar.string) {
                    reportDuplicate(scalar.string, at: place, in: mapping)
                } else if scalar.string == "<<" {
                    decoding.report(
                        "merging (\"<<\") is not supported; write the keys where they are needed",
                        at: place
                    )
                } else {
                    members.append(SettingNode.Member(key: scalar.string, location: place, value: value))
                }
            }
            return SettingNode(.mapping(members), at: location)
        case .alias: return broken("aliases are not supported", at: location)
        }
    }

    /// A tag by which somebody means more than the value that stands there, such as `!include` or `!env`.
    private static func strangeTag(_ node: Node) -> String? {
        let name =
            switch node {
            case .scalar(let scalar): scalar.tag.description
            case .sequence(let sequence): sequence.tag.description
            case .mapping(let mapping): mapping.tag.description
            case .alias: ""
            }
        let core = "tag:yaml.org,2002:"
        return name.isEmpty || name == "!" || name.hasPrefix(core) && name != core + "binary" ? nil : name
    }

    private func scalar(_ scalar: Node.Scalar, at location: SourceLocation) -> SettingNode {
        let isPlain = scalar.style == .plain || scalar.style == .any
        guard scalar.string.contains("$") else {
            return SettingNode(.scalar(SettingNode.Scalar(scalar.string, isPlain: isPlain)), at: location)
        }
        let result = Substituted(scalar.string, environment: environment)
        for problem in result.problems { decoding.report(problem, at: location) }
        guard result.problems.isEmpty else { return SettingNode(.broken, at: location) }
        return SettingNode(
            .scalar(
                SettingNode.Scalar(
                    result.text,
                    isPlain: isPlain,
                    variable: result.variable,
                    isSubstituted: result.isSubstituted
                )
            ),
            at: location
        )
    }

    private func broken(_ message: String, at location: SourceLocation) -> SettingNode {
        decoding.report(message, at: location)
        return SettingNode(.broken, at: location)
    }

    private static func location(_ mark: Mark?) -> SourceLocation {
        mark.map { SourceLocation(line: $0.line, column: $0.column) } ?? .unknown
    }

    // MARK: Keys that are there twice

    /// Yams names the first of equal keys; it gets a mark in place of its first character, which moves nothing.
    private static func marking(_ text: String, at place: SourceLocation, with mark: Unicode.Scalar) -> String? {
        guard var index = self.index(of: place, in: text) else { return nil }
        let scalars = text.unicodeScalars
        if scalars[index] == "\"" || scalars[index] == "'" { index = scalars.index(after: index) }
        guard index < scalars.endIndex, !["\"", "'", "{", "[", "?", "\n", "\\"].contains(scalars[index]) else {
            return nil
        }
        var marked = String.UnicodeScalarView()
        marked.append(contentsOf: scalars[..<index])
        marked.append(mark)
        marked.append(contentsOf: scalars[scalars.index(after: index)...])
        return String(marked)
    }

    private static func isMarked(_ key: String) -> Bool {
        key.unicodeScalars.first.map(duplicateMarks.contains) ?? false
    }

    private func reportDuplicate(_ marked: String, at place: SourceLocation, in mapping: Node.Mapping) {
        let rest = marked.unicodeScalars.dropFirst()
        let other = mapping.first {
            guard let key = $0.key.string, let mark = $0.key.mark else { return false }
            return !Self.isMarked(key) && key.unicodeScalars.dropFirst().elementsEqual(rest) && mark.line >= place.line
        }
        guard let other, let key = other.key.string else {
            decoding.report("this key is there more than once; keep one of them", at: place)
            return
        }
        let next = Self.location(other.key.mark)
        decoding.report(
            "the key \(Spelling.quoted(key)) is there again in line \(next.line); keep one of them",
            at: place
        )
    }

    // MARK: Errors

    private func report(_ error: YamlError, in text: String) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            if problem.contains("another document") {
                return decoding.report("a second document begins here; one file holds one", at: Self.location(mark))
            }
            if problem.contains("nesting") {
                return decoding.report("is nested deeper than \(Self.maximumDepth) levels", at: Self.location(mark))
            }
            let isAlias = problem.contains("alias") || (context?.text.contains("alias") ?? false)
            if isAlias {
                return decoding.report(
                    "\"*\" begins an alias; put the value in quotes: \"*.example.com\"",
                    at: Self.location(mark)
                )
            }
            var message = "YAML: \(problem)"
            if let context {
                let at = context.mark.line == mark.line ? "" : " that begins in line \(context.mark.line)"
                message += " (\(context.text)\(at))"
            }
            decoding.report(message + Self.hint(problem), at: Self.location(mark))
        case .reader(let problem, let offset, _, _):
            decoding.report("YAML: \(problem)", at: offset.map { Self.place(of: $0, in: text) } ?? .unknown)
        default: decoding.report("is not YAML", at: .unknown)
        }
    }

    private static func hint(_ problem: String) -> String {
        if problem.contains("cannot start any token") {
            return "; indent with spaces, and put text that begins with @, `, % or a tab in quotes"
        }
        if problem.contains("mapping values are not allowed") {
            return "; is the indentation right? A text with \": \" in it needs quotes"
        }
        if problem.contains("could not find expected ':'") || problem.contains("did not find expected key") {
            return "; is the indentation right, and is there a space after every \":\"?"
        }
        return ""
    }

    private static func place(of offset: Int, in text: String) -> SourceLocation {
        var place = SourceLocation(line: 1, column: 1)
        for character in text.prefix(offset) {
            if character.isNewline {
                place.line += 1
                place.column = 1
            } else {
                place.column += character.unicodeScalars.count
            }
        }
        return place
    }

    private static func index(of place: SourceLocation, in text: String) -> String.Index? {
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        var line = 1
        while line < place.line {
            guard let end = scalars[index...].firstIndex(of: "\n") else { return nil }
            index = scalars.index(after: end)
            line += 1
        }
        guard let found = scalars.index(index, offsetBy: place.column - 1, limitedBy: scalars.endIndex),
            found < scalars.endIndex
        else { return nil }
        return found
    }

    private static func firstInvalid(_ bytes: [UInt8]) -> SourceLocation {
        var place = SourceLocation(line: 1, column: 1)
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue("\n"): place = SourceLocation(line: place.line + 1, column: 1)
            case .scalarValue: place.column += 1
            case .emptyInput, .error: return place
            }
        }
    }

    /// Where there are more aliases than any file that means no harm has by mistake.
    ///
    /// Nested aliases multiply, and Yams follows all of them when they are keys; with so few the product is small.
    private static func excessAlias(_ text: String) -> SourceLocation? {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return nil }
        var place = SourceLocation(line: 1, column: 1)
        var count = 0
        for line in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false) {
            var before: Unicode.Scalar = "\n"
            var isAfterStar = false
            place.column = 1
            for scalar in line {
                if before == "\n" || before == " ", scalar == "#" { break }
                if isAfterStar, scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
                    count += 1
                    if count > maximumAliases { return place }
                }
                isAfterStar = scalar == "*" && ["\n", " ", "\t", ",", ":", "[", "{", "?", "-"].contains(before)
                before = scalar
                place.column += 1
            }
            place.line += 1
        }
        return nil
    }
}
