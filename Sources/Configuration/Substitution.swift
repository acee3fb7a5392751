// COLD. `${NAME}` in values.

/// A text after its `${NAME}` were replaced.
struct Substituted {
    /// The text.
    var text = ""
    /// Whether there was any.
    var isSubstituted = false
    /// The variable that is the whole text, if one is.
    var variable: String?
    /// What is wrong, if anything.
    var problems: [String] = []

    /// Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${` itself.
    init(_ written: String, environment: [String: String]) {
        var rest = written[...]
        while let dollar = rest.firstIndex(of: "$") {
            text += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                text += "${"
                rest = rest.dropFirst(3)
                continue
            }
            guard rest.hasPrefix("${") else {
                text += "$"
                rest = rest.dropFirst()
                continue
            }
            guard let end = rest.firstIndex(of: "}") else {
                problems.append("\"${\" without \"}\"; write \"$${\" for a literal \"${\"")
                return
            }
            let inner = rest[rest.index(rest.startIndex, offsetBy: 2)..<end]
            guard !inner.contains("${") else {
                problems.append("\"${…}\" cannot stand within \"${…}\"")
                return
            }
            let isWhole = rest.startIndex == written.startIndex && rest.index(after: end) == written.endIndex
            rest = rest[rest.index(after: end)...]
            replace(String(inner), environment, isWhole: isWhole)
        }
        text += rest
    }

    private mutating func replace(_ inner: String, _ environment: [String: String], isWhole: Bool) {
        isSubstituted = true
        var name = inner
        var fallback: String?
        if let mark = inner.firstRange(of: ":-") {
            name = String(inner[..<mark.lowerBound])
            fallback = String(inner[mark.upperBound...])
        }
        guard let first = name.utf8.first, first == UInt8(ascii: "_") || (first | 0x20 >= 0x61 && first | 0x20 <= 0x7a),
            name.utf8.allSatisfy({
                $0 == 0x5f || (0x30...0x39).contains($0) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a)
            })
        else {
            problems.append(
                "\"${…}\" needs the name of an environment variable, such as ${HOME}; write \"$${\" for a literal \"${\""
            )
            return
        }
        if isWhole { variable = name }
        if let value = environment[name] {
            text += value
        } else if let fallback {
            text += fallback
        } else {
            problems.append("the environment variable \(name) is not set")
        }
    }
}
