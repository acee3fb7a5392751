// COLD. A section of the file: decoding it by its keys, with every mistake in it reported.

/// A section of the configuration file: plain values with a default each.
public protocol SettingsSection: SettingValue, Equatable {
    /// All defaults.
    init()
    /// Where its keys were written.
    var marks: Marks { get set }
    /// Its keys, in the order of the reference.
    static var keys: [Key<Self>] { get }
    /// Keys that exclude each other.
    static var choices: [KeyChoice] { get }
    /// The switch that `off` in the section's place turns.
    static var offSwitch: (any WritableKeyPath<Self, Bool> & Sendable)? { get }
    /// What a scalar in the section's place may be.
    static var shorthandShape: SettingShape? { get }
    /// Reads a scalar in the section's place; nil when it is none of its forms, which is not reported here.
    static func decodeShorthand(_ node: SettingNode, _ decoding: Decoding) -> Self?
    /// Checks that concern several keys of the section; called once, after all keys.
    mutating func finish(_ node: SettingNode, _ decoding: Decoding)
}

extension SettingsSection {
    /// None.
    public static var choices: [KeyChoice] { [] }
    /// None.
    public static var offSwitch: (any WritableKeyPath<Self, Bool> & Sendable)? { nil }
    /// None.
    public static var shorthandShape: SettingShape? { nil }
    /// None.
    public static func decodeShorthand(_: SettingNode, _: Decoding) -> Self? { nil }
    /// Nothing.
    public mutating func finish(_: SettingNode, _: Decoding) {}

    /// Its keys for reference and schema, with the values of `section` as defaults.
    public static func describe(_ section: Self = Self()) -> [KeyDescription] { keys.map { $0.described(section) } }

    /// The section by its keys.
    public static var shape: SettingShape {
        var name = String(describing: Self.self)
        if name.hasSuffix("Settings") { name.removeLast(8) }
        let off: SettingShape? = offSwitch == nil ? nil : .choice(["off"])
        return .section(
            SectionShape(name: name, keys: { describe() }, choices: choices, shorthand: shorthandShape ?? off)
        )
    }

    /// All keys that are set, or `off`.
    public var settingText: SettingText? {
        if let field = Self.offSwitch, !self[keyPath: field] { return .scalar("\"off\"") }
        return .mapping(
            Self.keys.compactMap { key in key.text(self).map { SettingText.Entry(key: key.name, value: $0) } }
        )
    }

    /// Reads the section; keys that cannot be read keep their default, and are reported.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Self? {
        var section = Self()
        section.marks.section = node.location
        var members: [SettingNode.Member] = []
        switch node.content {
        case .mapping(let written): members = written
        case .broken: return nil
        case .scalar, .sequence:
            if !node.isNull {
                if let short = decodeShorthand(node, decoding) {
                    section = short
                    section.marks.section = node.location
                    return section
                }
                if let field = offSwitch, node.isOff {
                    section[keyPath: field] = false
                    return section
                }
                decoding.mismatch(node, expected: expected)
                return nil
            }
        }
        let written = Set(members.map(\.key))
        var presumed: Set<String> = []
        for member in members {
            guard let key = keys.first(where: { $0.name == member.key }) else {
                if let meant = reportUnknown(member, written, decoding) { presumed.insert(meant) }
                continue
            }
            section.marks[key.name] = member.value.location
            if case .sequence(let elements) = member.value.content {
                for (index, element) in elements.enumerated() {
                    section.marks["\(key.name)[\(index)]"] = element.location
                }
            }
            decoding.within(key.name) { key.decode(member.value, &section, decoding) }
        }
        section.checkPresence(written.union(presumed), node, decoding)
        section.finish(node, decoding)
        return section
    }

    private static var expected: String {
        if offSwitch != nil { return "a mapping or off" }
        if case .list? = shorthandShape { return "a list or a mapping" }
        return "a mapping"
    }

    private func checkPresence(_ written: Set<String>, _ node: SettingNode, _ decoding: Decoding) {
        for key in Self.keys where key.isRequired && !written.contains(key.name) {
            decoding.reject(
                node,
                "needs the key \"\(key.name)\"" + (key.example.map { ", such as \(key.name): \($0)" } ?? "")
            )
        }
        for choice in Self.choices {
            let present = choice.names.filter { written.contains($0) }
            if present.isEmpty, choice.isRequired {
                decoding.reject(node, "needs one of the keys \(Spelling.list(choice.names))")
            }
            for name in present.dropFirst() {
                decoding.report(
                    "\(decoding.currentPath): \"\(name)\" and \"\(present[0])\" exclude each other; write one of them",
                    at: marks[name]
                )
            }
        }
    }

    /// Reports an unknown key; the key of this section that was meant, if that is likely.
    private static func reportUnknown(
        _ member: SettingNode.Member,
        _ siblings: Set<String>,
        _ decoding: Decoding
    ) -> String? {
        let place = decoding.currentPath
        let subject = "unknown key \(Spelling.quoted(member.key))\(place.isEmpty ? "" : " in \(place)")"
        let names = keys.map(\.name)
        let free = names.filter { !siblings.contains($0) }
        if let meant = Spelling.nearest(to: member.key, among: free + names) {
            decoding.report("\(subject); did you mean \"\(meant)\"?", at: member.location)
            return meant
        }
        for key in keys {
            guard case .section(let inner) = key.shape(), inner.keys().contains(where: { $0.name == member.key }) else {
                continue
            }
            decoding.report("\(subject); it belongs into \"\(key.name)\"", at: member.location)
            return nil
        }
        decoding.report("\(subject); valid keys are \(Spelling.list(names, or: "and"))", at: member.location)
        return nil
    }
}
