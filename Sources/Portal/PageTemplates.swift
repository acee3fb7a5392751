// COLD. The templates: built in, or the operator's own files in their place; checked once, before a reader sees them.
import FoundationEssentials
import Mustache

/// Templates that have been checked.
///
/// Values reach templates escaped (``PageText``), and every template is set to plain text: `{{x}}` and `{{{x}}}` are
/// the same, and no template can forget to escape.
struct PageTemplates: Sendable {
    /// Pages, each of which is a template; the others are parts.
    static let pages = ["login", "second_factor", "sessions", "signed_out", "error", "confirm"]
    private static let parts = ["layout", "mark", "gate", "message", "session"]
    private static let builtIn: [String: [UInt8]] = [
        "login": PackageResources.login_mustache,
        "second_factor": PackageResources.second_factor_mustache,
        "sessions": PackageResources.sessions_mustache,
        "signed_out": PackageResources.signed_out_mustache,
        "error": PackageResources.error_mustache,
        "confirm": PackageResources.confirm_mustache,
        "layout": PackageResources.layout_mustache,
        "mark": PackageResources.mark_mustache,
        "gate": PackageResources.gate_mustache,
        "message": PackageResources.message_mustache,
        "session": PackageResources.session_mustache,
    ]
    /// What the content security policy keeps from working.
    private static let refused = [
        "<script", "<style", " style=", " onclick=", "<iframe", " src=\"http", " src=http", " rel=\"stylesheet",
        " rel=stylesheet",
    ]

    private var texts: [String: String] = [:]
    private var files: [String: String] = [:]
    private var library = MustacheLibrary()
    /// The style sheet.
    private(set) var style = String(decoding: PackageResources.portal_css, as: UTF8.self)

    /// The built-in templates, with those of `folder` in their place; `names` are filled in by pages, by page.
    init(
        folder: String?,
        names: [String: Set<String>],
        strings: PageStrings,
        problems: inout [String],
        warnings: inout [String]
    ) {
        texts = Self.builtIn.mapValues { String(decoding: $0, as: UTF8.self) }
        if let folder { read(folder, &problems) }
        for (name, text) in texts {
            do {
                library.register(try MustacheTemplate(string: "{{% CONTENT_TYPE:TEXT}}\n" + text), named: name)
            } catch let error as MustacheTemplate.ParserError {
                let line = max(1, error.context.lineNumber - 1)
                problems.append("\(file(name)):\(line): \(Self.sentence(error.error))")
            } catch {
                problems.append("\(file(name)): is not a mustache template")
            }
        }
        check(names, strings, &problems, &warnings)
    }

    /// The page as HTML; nil when there is no such template.
    func render(_ page: String, _ context: [String: Any]) -> String? { library.render(context, withTemplate: page) }

    // MARK: The operator's folder

    private mutating func read(_ folder: String, _ problems: inout [String]) {
        let files: [String]
        do {
            files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch {
            problems.append("\(folder): cannot be read as a folder of templates")
            return
        }
        for file in files where !file.hasPrefix(".") {
            let path = "\(folder)/\(file)"
            if file == "portal.css" {
                if let text = PageFile.text(path, &problems) { readStyle(text, path, &problems) }
            } else if file.hasSuffix(".mustache") {
                let name = String(file.dropLast(9))
                if let text = PageFile.text(path, &problems) { (texts[name], self.files[name]) = (text, path) }
            }
        }
    }

    private mutating func readStyle(_ text: String, _ path: String, _ problems: inout [String]) {
        if text.lowercased().contains("</style") {
            problems.append("\(path): a style sheet cannot hold \"</style\"")
        } else {
            style = text
        }
    }

    private func file(_ name: String) -> String { files[name] ?? "\(name).mustache" }

    // MARK: Checks

    private func check(
        _ names: [String: Set<String>],
        _ strings: PageStrings,
        _ problems: inout [String],
        _ warnings: inout [String]
    ) {
        let tags = texts.mapValues(PageTag.all)
        // What each template may use: the names of all pages that it is a part of.
        var known: [String: Set<String>] = [:]
        for page in Self.pages {
            var seen: Set<String> = []
            visit(page, tags, path: [], seen: &seen, &problems)
            for name in seen { known[name, default: []].formUnion(names[page] ?? []) }
            guard problems.isEmpty else { continue }
            problems += PageForms.problems(page, seen.sorted().compactMap { texts[$0] }).map { "\(file(page)): \($0)" }
        }
        for (name, path) in files.sorted(by: { $0.key < $1.key }) {
            guard let own = known[name] else {
                let nearest = Nearest.of(name, in: Self.pages + Self.parts)
                warnings.append("\(path): no page uses it; the nearest that one does is \(nearest).mustache")
                continue
            }
            for tag in tags[name] ?? [] { check(tag, path, own, strings, &problems) }
            let text = texts[name]?.lowercased() ?? ""
            for word in Self.refused where text.contains(word) {
                warnings.append("\(path): \(word)…: the content security policy does not let it work")
            }
        }
    }

    private func check(
        _ tag: PageTag,
        _ path: String,
        _ known: Set<String>,
        _ strings: PageStrings,
        _ problems: inout [String]
    ) {
        let place = "\(path):\(tag.line)"
        switch tag.kind {
        case "=": problems.append("\(place): delimiters cannot be changed here")
        case "%": problems.append("\(place): there is no setting {{%\(tag.name)}} here")
        case "!", "/", "$", ">", "<": break
        default:
            let parts = tag.name.split(separator: ".")
            guard let first = parts.first.map(String.init), tag.name != "." else { return }
            if first == "t", parts.count > 1 {
                let key = parts.dropFirst().joined(separator: ".")
                guard strings.texts[key] == nil, !strings.hasSection(key) else { return }
                problems.append(
                    "\(place): there is no text {{t.\(key)}}; nearest is {{t.\(Nearest.of(key, in: strings.texts.keys))}}"
                )
            } else if !known.contains(first) {
                problems.append(
                    "\(place): there is no {{\(first)}} here; nearest is {{\(Nearest.of(first, in: known))}}"
                )
            }
        }
    }

    /// Follows parts; finds those that do not exist, and those that hold themselves.
    private func visit(
        _ name: String,
        _ tags: [String: [PageTag]],
        path: [String],
        seen: inout Set<String>,
        _ problems: inout [String]
    ) {
        seen.insert(name)
        for tag in tags[name] ?? [] where tag.kind == ">" || tag.kind == "<" {
            let place = "\(file(name)):\(tag.line)"
            if texts[tag.name] == nil {
                let nearest = Nearest.of(tag.name, in: texts.keys)
                let problem = "\(place): there is no template \(tag.name); nearest is \(nearest)"
                if !problems.contains(problem) { problems.append(problem) }
            } else if tag.name == name || path.contains(tag.name) || path.count > 15 {
                let problem = "\(place): \(tag.name) is a part of itself"
                if !problems.contains(problem) { problems.append(problem) }
            } else {
                visit(tag.name, tags, path: path + [name], seen: &seen, &problems)
            }
        }
    }

    private static func sentence(_ error: any Error) -> String {
        switch error as? MustacheTemplate.Error {
        case .sectionCloseNameIncorrect: "a section is closed that is not the one that is open"
        case .unfinishedName: "a tag is not closed, or its name has characters that names cannot have"
        case .expectedSectionEnd: "a section is not closed"
        case .invalidSetDelimiter: "delimiters cannot be changed here"
        case .transformAppliedToInheritanceSection: "a block's name is a plain name"
        case .illegalTokenInsideInheritSection, .textInsideInheritSection:
            "between {{<name}} and {{/name}} there are blocks only, {{$block}}…{{/block}}"
        case .invalidConfigVariableSyntax, .unrecognisedConfigVariable: "there are no settings in templates"
        case nil: "is not a mustache template"
        }
    }
}

/// One tag of a template.
struct PageTag: Equatable {
    /// `#`, `^`, `/`, `>`, `<`, `$`, `!`, `%`, `=`; a blank for a value.
    let kind: Character
    /// The name in it, without transforms.
    let name: String
    /// Line, from 1.
    let line: Int

    /// All tags of a text.
    static func all(_ text: String) -> [PageTag] {
        var tags: [PageTag] = []
        var line = 1
        let bytes = Array(text.utf8)
        var index = 0
        while index + 1 < bytes.count {
            if bytes[index] == 0x0a { line += 1 }
            guard bytes[index] == 0x7b, bytes[index + 1] == 0x7b else {
                index += 1
                continue
            }
            var end = index + 2
            while end + 1 < bytes.count, bytes[end] != 0x7d || bytes[end + 1] != 0x7d { end += 1 }
            let inner = String(decoding: bytes[(index + 2)..<min(end, bytes.count)], as: UTF8.self)
            tags.append(PageTag(inner, line: line))
            line += inner.utf8.reduce(0) { $0 + ($1 == 0x0a ? 1 : 0) }
            index = end + 2
        }
        return tags
    }

    private init(_ inner: String, line: Int) {
        self.line = line
        let text = inner.drop { $0.isWhitespace }
        let marks: Set<Character> = ["#", "^", "/", ">", "<", "$", "!", "%", "=", "{", "&"]
        guard let first = text.first, marks.contains(first) else {
            kind = " "
            name = Self.plain(text)
            return
        }
        kind = first == "{" || first == "&" ? " " : first
        name = Self.plain(text.dropFirst())
    }

    private static func plain(_ text: Substring) -> String {
        var name = text.filter { !$0.isWhitespace }
        if let open = name.lastIndex(of: "(") { name = name[name.index(after: open)...].filter { $0 != ")" } }
        return String(name)
    }
}

/// Files of the operator's.
enum PageFile {
    /// No template, strings file or logo is larger.
    static let mostBytes = 256 << 10

    /// The bytes of a file; nil and a problem when it cannot be read or is too large.
    static func bytes(_ path: String, _ problems: inout [String]) -> [UInt8]? {
        guard let data = FileManager.default.contents(atPath: path) else {
            problems.append("\(path): cannot be read")
            return nil
        }
        guard data.count <= mostBytes else {
            problems.append("\(path): is larger than 256 KiB")
            return nil
        }
        return Array(data)
    }

    /// The text of a file in UTF-8.
    static func text(_ path: String, _ problems: inout [String]) -> String? {
        guard let bytes = bytes(path, &problems) else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            problems.append("\(path): is not UTF-8")
            return nil
        }
        return text
    }
}
