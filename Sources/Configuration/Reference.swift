// COLD. The reference of all keys, as a configuration file: written from the keys themselves.
import Settings

/// `config/reference.yaml`.
public enum Reference {
    /// Every key with what it means, its limits and its default; what is unset by default is commented out.
    public static func yaml() -> String { text(everything: false) }

    /// The same with nothing commented out, to check that it can be read.
    static func text(everything: Bool) -> String {
        var writer = ReferenceWriter(everything: everything)
        writer.lines = """
            # Portcullis: every key of the configuration, with its default. Written from the keys themselves: do not edit.
            #
            # Lines that are commented out are unset by default; what stands there is an example.
            # Durations have a unit: 500ms, 30s, 5m, 24h. Sizes: 512B, 8KiB, 10MiB, 1GiB. "off" switches a deadline off.
            # ${NAME} anywhere in a value is the environment variable NAME, ${NAME:-text} has a default, $${ is "${" itself.
            # Secrets are ${NAME} or file:path. Relative paths begin at the folder of this file.

            """
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for (index, key) in GatewaySettings.describe().enumerated() {
            if index > 0 { writer.lines.append("") }
            writer.write(key, indent: 0, isActive: ReferenceWriter.isActive(key, []))
        }
        return writer.lines.joined(separator: "\n") + "\n"
    }
}

/// Writes keys as YAML with comments.
private struct ReferenceWriter {
    var lines: [String] = []
    let everything: Bool
    /// Sections that were written with all their keys; further ones refer to them.
    private var written: [String: String] = [:]
    private var path: [String] = []

    init(everything: Bool) { self.everything = everything }

    /// Whether a key stands there uncommented: it has a default, or something must be written there.
    static func isActive(_ key: KeyDescription, _ choices: [KeyChoice]) -> Bool {
        if key.isRequired { return true }
        if let choice = choices.first(where: { $0.names.contains(key.name) }) {
            guard choice.names.first == key.name else { return false }
            if choice.isRequired { return true }
        }
        switch key.text {
        case nil, .list([]): return false
        case .scalar, .list, .mapping: return true
        }
    }

    mutating func write(_ key: KeyDescription, indent: Int, isActive: Bool, bullet: Bool = false) {
        path.append(key.name)
        defer { path.removeLast() }
        let start = lines.count
        let margin = String(repeating: " ", count: indent)
        let name = (bullet ? "- " : "") + key.name
        let inner = indent + (bullet ? 4 : 2)
        switch key.shape {
        case .section(let section) where written[section.name] == nil:
            comment(key, indent)
            lines.append("\(margin)\(name):")
            write(section, indent: inner, bullet: false)
        case .list(.section(let section), _) where written[section.name] == nil && key.elements.count <= 1:
            comment(key, indent)
            lines.append("\(margin)\(name):")
            write(section, indent: inner, bullet: true)
        case .list(.section(let section), _) where !key.elements.isEmpty:
            comment(key, indent)
            for inner in section.keys() { lines.append("\(margin)#   \(inner.name): \(inner.doc)") }
            lines.append("\(margin)\(name):")
            for element in key.elements { lines.append("\(margin)  - \(element.flow)") }
        default:
            let other = key.section.flatMap { written[$0] }
            comment(key, indent, reference: other.map { "Keys as in \($0) above." })
            let isEmpty = key.text == nil || key.text == .list([]) || key.text == .scalar("\"\"")
            let value = (isEmpty ? key.example : nil) ?? key.text?.flow ?? (key.section == nil ? "[]" : "{}")
            lines.append("\(margin)\(name): \(value)")
        }
        guard !isActive, !everything else { return }
        for index in start..<lines.count {
            lines[index] = lines[index].isEmpty ? "" : margin + "# " + lines[index].dropFirst(indent)
        }
        // The explanation of a commented key needs no second mark.
        var index = start
        while index < lines.count, lines[index].hasPrefix(margin + "# # ") {
            lines[index] = margin + String(lines[index].dropFirst(indent + 2))
            index += 1
        }
    }

    private mutating func write(_ section: SectionShape, indent: Int, bullet: Bool) {
        written[section.name] = path.joined(separator: ".")
        for (index, key) in section.keys().enumerated() {
            let isFirst = bullet && index == 0
            write(
                key,
                indent: bullet && !isFirst ? indent + 2 : indent,
                isActive: isFirst || Self.isActive(key, section.choices),
                bullet: isFirst
            )
        }
    }

    private mutating func comment(_ key: KeyDescription, _ indent: Int, reference: String? = nil) {
        var parts = [key.doc]
        if let limits = key.limits {
            parts.append("\(limits.prefix(1).uppercased())\(limits.dropFirst()).")
        } else if let words = key.words {
            parts.append("One of: \(words.joined(separator: ", ")).")
        }
        if key.isRequired { parts.append("Required.") }
        if let reference { parts.append(reference) }
        comment(parts.joined(separator: " "), indent: indent)
    }

    private mutating func comment(_ text: String, indent: Int) {
        let margin = String(repeating: " ", count: indent)
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent + line.count + word.count > 108 {
                lines.append("\(margin)# \(line)")
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        lines.append("\(margin)# \(line)")
    }
}

extension KeyDescription {
    /// The elements of its default, when that is a list.
    fileprivate var elements: [SettingText] {
        if case .list(let elements) = text { return elements }
        return []
    }

    /// The section that it is, or is a list of.
    fileprivate var section: String? {
        switch shape {
        case .section(let section), .list(.section(let section), _): section.name
        default: nil
        }
    }

    fileprivate var words: [String]? {
        switch shape {
        case .choice(let words), .list(.choice(let words), _): words
        default: nil
        }
    }
}
