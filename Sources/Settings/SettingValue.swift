// COLD. What a value of the configuration can do: be decoded, be shown, and describe itself to the schema.

/// How a value looks in YAML.
public indirect enum SettingText: Sendable, Equatable {
    /// A scalar, quoted if it must be.
    case scalar(String)
    /// A list.
    case list([SettingText])
    /// Keys with values.
    case mapping([Entry])

    /// A key with its value.
    public struct Entry: Sendable, Equatable {
        /// The key.
        public var key: String
        /// The value.
        public var value: SettingText
    }

    /// A scalar of this text, in quotes if YAML or a reader could take it for something else.
    public static func string(_ text: String) -> SettingText { .scalar(isSafe(text) ? text : quote(text)) }

    /// On one line.
    public var flow: String {
        switch self {
        case .scalar(let text): text
        case .list(let elements): "[\(elements.map(\.flow).joined(separator: ", "))]"
        case .mapping(let entries):
            entries.isEmpty ? "{}" : "{\(entries.map { "\($0.key): \($0.value.flow)" }.joined(separator: ", "))}"
        }
    }

    private static func isSafe(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 200 else { return false }
        let isLetter = (first | 0x20 >= 0x61 && first | 0x20 <= 0x7a) || first == UInt8(ascii: "/")
        guard isLetter, !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
        else {
            return false
        }
        return text.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
            || (text.hasPrefix("https://")
                && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !",[]{}#\"'\\".utf8.contains($0) })
    }

    static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                quoted += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// What values a key takes, for the schema.
public indirect enum SettingShape: Sendable {
    /// Text, with an ECMA regular expression it must match.
    case string(pattern: String?)
    /// A whole number in a range.
    case integer(ClosedRange<Int>?)
    /// `true` or `false`.
    case boolean
    /// One of these words.
    case choice([String])
    /// A list.
    case list(SettingShape, count: ClosedRange<Int>?)
    /// A section.
    case section(SectionShape)
    /// One of several.
    case either([SettingShape])
    /// Names of one's own, with text values.
    case dictionary
}

/// A section, for the schema and the reference.
public struct SectionShape: Sendable {
    /// Name of the Swift type, without `Settings`: the name of its definition.
    public var name: String
    /// Its keys; a function because sections can hold themselves.
    public var keys: @Sendable () -> [KeyDescription]
    /// Keys of which at most one may be written.
    public var choices: [KeyChoice]
    /// What else may stand in its place.
    public var shorthand: SettingShape?
}

/// A value that the configuration can hold.
public protocol SettingValue: Sendable {
    /// Reads the value; nil when that is not possible, which is reported.
    static func decode(_ node: SettingNode, _ decoding: Decoding) -> Self?
    /// How it looks in YAML; nil when it is unset.
    var settingText: SettingText? { get }
    /// What it takes.
    static var shape: SettingShape { get }
}

extension Bool: SettingValue {
    /// `true` or `false`.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Bool? {
        if case .scalar(let scalar) = node.content, scalar.isPlain || scalar.isSubstituted {
            if scalar.text == "true" { return true }
            if scalar.text == "false" { return false }
        }
        let isQuoted = node.text == "true" || node.text == "false"
        decoding.mismatch(node, expected: "true or false", hint: isQuoted ? "; remove the quotes" : "")
        return nil
    }
    /// The word.
    public var settingText: SettingText? { .scalar(self ? "true" : "false") }
    /// A boolean.
    public static var shape: SettingShape { .boolean }
}

extension Int: SettingValue {
    /// A whole number; digits may be grouped by `_`.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Int? {
        if case .scalar(let scalar) = node.content, scalar.isPlain || scalar.isSubstituted,
            let number = Int(scalar.text.filter { $0 != "_" }), !scalar.text.hasPrefix("+")
        {
            return number
        }
        var hint = ""
        if case .scalar(let scalar) = node.content, Int(scalar.text) != nil {
            hint = scalar.text.hasPrefix("+") ? "; write it without \"+\"" : scalar.isPlain ? "" : "; remove the quotes"
        }
        decoding.mismatch(node, expected: "a whole number", hint: hint)
        return nil
    }
    /// The number.
    public var settingText: SettingText? { .scalar(String(self)) }
    /// A number.
    public static var shape: SettingShape { .integer(nil) }
}

extension String: SettingValue {
    /// Text; what YAML takes for a number or a boolean must be quoted.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> String? {
        guard case .scalar(let scalar) = node.content, !node.isNull else {
            decoding.mismatch(node, expected: "text")
            return nil
        }
        if scalar.isPlain, !scalar.isSubstituted, scalar.looksLikeNumberOrBoolean {
            decoding.reject(node, "expected text, found \(node.found); put it in quotes if that is the text")
            return nil
        }
        return scalar.text
    }
    /// The text, quoted if need be.
    public var settingText: SettingText? { .string(self) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: nil) }
}

extension SettingNode.Scalar {
    var looksLikeNumberOrBoolean: Bool {
        if ["true", "false", "True", "False", "TRUE", "FALSE"].contains(text) { return true }
        guard let first = text.utf8.first else { return false }
        let digits = (0x30...0x39).contains(first) || first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
        return digits && text.utf8.contains { (0x30...0x39).contains($0) } && Double(text) != nil
    }
}

extension Optional: SettingValue where Wrapped: SettingValue {
    /// The value.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Wrapped?? {
        Wrapped.decode(node, decoding).map { .some($0) }
    }
    /// The value's.
    public var settingText: SettingText? { self?.settingText }
    /// The value's.
    public static var shape: SettingShape { Wrapped.shape }
}

extension Array: SettingValue where Element: SettingValue {
    /// A list; elements that cannot be read are left out, and reported.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> [Element]? {
        if node.isNull { return [] }
        guard case .sequence(let nodes) = node.content else {
            decoding.mismatch(node, expected: "a list")
            return nil
        }
        var elements: [Element] = []
        for (index, node) in nodes.enumerated() {
            decoding.within("[\(index)]") {
                if let element = Element.decode(node, decoding) { elements.append(element) }
            }
        }
        return elements
    }
    /// Each element's.
    public var settingText: SettingText? { .list(compactMap(\.settingText)) }
    /// A list.
    public static var shape: SettingShape { .list(Element.shape, count: nil) }
}

/// A closed set of words.
public protocol SettingChoice: SettingValue, CaseIterable, RawRepresentable<String> {}

extension SettingChoice {
    /// One of the words.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Self? {
        if let text = node.text, let value = Self(rawValue: text) { return value }
        let words = allCases.map(\.rawValue)
        let hint = node.text.map { Spelling.hint(for: $0, among: words) } ?? ""
        decoding.mismatch(node, expected: Spelling.list(words), hint: hint)
        return nil
    }
    /// The word.
    public var settingText: SettingText? { .scalar(rawValue == "off" ? "\"off\"" : rawValue) }
    /// The words.
    public static var shape: SettingShape { .choice(allCases.map(\.rawValue)) }
}
