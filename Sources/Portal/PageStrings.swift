// COLD. The words of one language, by dotted key; read from YAML, and compared with the English ones.
import Yams

/// The texts of a language.
struct PageStrings: Sendable {
    /// Lower-cased tag, such as `de` or `pt-br`.
    let language: String
    /// By dotted key, such as `login.title`; plural forms are keys of their own (`time.minutes.one`).
    private(set) var texts: [String: String] { didSet { sections = Self.sections(of: texts) } }
    /// Beginnings of keys that are not keys themselves.
    private var sections: Set<String>

    /// Forms that a plural may have.
    static let pluralForms: Set<String> = ["zero", "one", "two", "few", "many", "other"]

    /// Its own name, `Deutsch`.
    var name: String { texts["name"] ?? language }

    /// No words.
    init(language: String, texts: [String: String] = [:]) {
        self.language = language
        self.texts = texts
        sections = Self.sections(of: texts)
    }

    private static func sections(of texts: [String: String]) -> Set<String> {
        var sections: Set<String> = []
        for key in texts.keys {
            var rest = key[...]
            while let dot = rest.lastIndex(of: ".") {
                rest = rest[..<dot]
                sections.insert(String(rest))
            }
        }
        return sections
    }

    /// Puts words over these.
    mutating func overlay(_ other: PageStrings) { texts.merge(other.texts) { $1 } }

    /// Fills in what is missing.
    mutating func complete(from other: PageStrings) { texts.merge(other.texts) { mine, _ in mine } }

    /// Whether keys begin with `prefix` and a dot.
    func hasSection(_ prefix: String) -> Bool { sections.contains(prefix) }

    /// The text with `{name}` filled in from `values`, not escaped; nil when there is none.
    func text(_ key: String, _ values: [String: String] = [:]) -> String? {
        guard let text = texts[key] else { return nil }
        guard text.contains("{"), !values.isEmpty else { return text }
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            rest = rest[open...]
            guard let close = rest.firstIndex(of: "}"),
                let value = values[String(rest[rest.index(after: open)..<close])]
            else {
                result += "{"
                rest = rest.dropFirst()
                continue
            }
            result += value
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    /// The text in the plural form of `count`, with `{count}` filled in.
    func text(_ key: String, count: Int) -> String {
        let form = PageLanguage.plural(count, in: language)
        let found = texts["\(key).\(form)"] == nil ? "\(key).other" : "\(key).\(form)"
        return text(found, ["count": String(count)]) ?? String(count)
    }

    // MARK: Reading

    /// The texts of a file; what is wrong with it is added to `problems`.
    static func read(_ yaml: String, file: String, language: String, problems: inout [String]) -> PageStrings {
        var texts: [String: String] = [:]
        do {
            if let root = try Yams.compose(yaml: yaml) {
                flatten(root, path: "", file: file, into: &texts, problems: &problems)
            }
        } catch let error as YamlError {
            problems.append("\(file): \(error)".split(separator: "\n").joined(separator: " "))
        } catch {
            problems.append("\(file): is not YAML")
        }
        return PageStrings(language: language, texts: texts)
    }

    private static func flatten(
        _ node: Node,
        path: String,
        file: String,
        into texts: inout [String: String],
        problems: inout [String]
    ) {
        let place = "\(file):\(node.mark?.line ?? 1):\(node.mark?.column ?? 1)"
        switch node {
        case .scalar(let scalar):
            if path.isEmpty {
                problems.append("\(place): expected texts by name")
            } else if scalar.string.utf8.count > 2000 {
                problems.append("\(place): \(path): a text has at most 2000 bytes")
            } else {
                texts[path] = scalar.string
            }
        case .mapping(let mapping):
            for (key, value) in mapping {
                guard let name = key.string, path.utf8.count + name.utf8.count < 200 else { continue }
                flatten(
                    value,
                    path: path.isEmpty ? name : "\(path).\(name)",
                    file: file,
                    into: &texts,
                    problems: &problems
                )
            }
        case .sequence, .alias: problems.append("\(place): \(path): expected a text, not a list")
        }
    }

    /// What in these texts, of a file of the operator's, does not fit the English ones.
    func problems(against english: PageStrings, file: String) -> [String] {
        texts.keys.sorted().compactMap { key in
            guard let original = english.original(of: key) else {
                if key.hasPrefix("error.") { return nil }
                return "\(file): \(key): there is no such text; nearest is \(Nearest.of(key, in: english.texts.keys))"
            }
            let unknown = Self.placeholders(texts[key] ?? "").subtracting(Self.placeholders(original))
            guard let first = unknown.sorted().first else { return nil }
            let known = Self.placeholders(original).sorted().map { "{\($0)}" }.joined(separator: ", ")
            return "\(file): \(key): {\(first)} is not filled in here; \(known.isEmpty ? "nothing is" : "\(known) is")"
        }
    }

    /// English keys that these texts lack.
    func missing(from english: PageStrings) -> [String] {
        english.texts.keys.filter { key in
            if texts[key] != nil { return false }
            guard let last = key.split(separator: ".").last, Self.pluralForms.contains(String(last)) else {
                return true
            }
            return last == "other"
        }
        .sorted()
    }

    private func original(of key: String) -> String? {
        if let text = texts[key] { return text }
        guard let dot = key.lastIndex(of: "."), Self.pluralForms.contains(String(key[key.index(after: dot)...])) else {
            return nil
        }
        return texts["\(key[..<dot]).other"]
    }

    private static func placeholders(_ text: String) -> Set<String> {
        var names: Set<String> = []
        for part in text.split(separator: "{", omittingEmptySubsequences: false).dropFirst() {
            if let close = part.firstIndex(of: "}") { names.insert(String(part[..<close])) }
        }
        return names
    }
}

/// The nearest of several names, for messages.
enum Nearest {
    /// The name with the fewest edits; empty when there are no names.
    static func of(_ name: String, in names: some Sequence<String>) -> String {
        names.map { (distance(name, $0), $0) }.min { $0 < $1 }?.1 ?? ""
    }

    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8.prefix(64)), Array(b.utf8.prefix(64)))
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let replaced = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
