// COLD. One line declares a key: decoding, range, default, reference text and schema follow from it.

/// What a value must be besides being of its type.
public struct Constraint<Value>: Sendable {
    /// What is expected, for messages: `text that is not empty`.
    public var expected: String
    /// The same as an ECMA regular expression for the schema, for texts.
    public var pattern: String?
    /// Whether a value satisfies it.
    public var test: @Sendable (Value) -> Bool

    /// A constraint.
    public init(expected: String, pattern: String? = nil, test: @escaping @Sendable (Value) -> Bool) {
        self.expected = expected
        self.pattern = pattern
        self.test = test
    }
}

/// Keys of a section of which at most one may be written, or exactly one.
public struct KeyChoice: Sendable {
    /// The keys.
    public var names: [String]
    /// Whether one must be written.
    public var isRequired: Bool

    /// At most one of the keys, or exactly one.
    public init(_ names: String..., required isRequired: Bool = false) {
        self.names = names
        self.isRequired = isRequired
    }
}

/// A key without the type of its section: what reference and schema need.
public struct KeyDescription: Sendable {
    /// As in the file.
    public var name: String
    /// One or more sentences.
    public var doc: String
    /// Whether it must be written.
    public var isRequired: Bool
    /// For the reference, when there is no default: a value in YAML.
    public var example: String?
    /// The limits, for people.
    public var limits: String?
    /// What it takes.
    public var shape: SettingShape
    /// The default; nil when it is unset.
    public var text: SettingText?
}

/// A key of a section.
public struct Key<Section>: Sendable {
    /// As in the file.
    public let name: String
    let doc: String
    let isRequired: Bool
    let example: String?
    var limits: String?
    var shape: @Sendable () -> SettingShape
    let text: @Sendable (Section) -> SettingText?
    var decode: @Sendable (SettingNode, inout Section, Decoding) -> Void

    /// A key without further limits; with `required`, its section cannot be without it.
    public init<Value: SettingValue>(
        _ name: String,
        _ field: any WritableKeyPath<Section, Value> & Sendable,
        required: Bool = false,
        example: String? = nil,
        must constraint: Constraint<Value>? = nil,
        doc: String
    ) {
        self.name = name
        self.doc = doc
        isRequired = required
        self.example = example
        limits = constraint?.expected
        shape = {
            if let pattern = constraint?.pattern { return .string(pattern: pattern) }
            return Value.shape
        }
        text = { $0[keyPath: field].settingText }
        decode = { node, section, decoding in
            guard let value = Value.decode(node, decoding) else { return }
            if let constraint, !constraint.test(value) {
                return decoding.mismatch(node, expected: constraint.expected)
            }
            section[keyPath: field] = value
        }
    }

    /// A key whose value lies in a range.
    public init<Value: SettingValue & Comparable>(
        _ name: String,
        _ field: any WritableKeyPath<Section, Value> & Sendable,
        in range: ClosedRange<Value>,
        doc: String
    ) {
        self.init(name, field, doc: doc)
        limits = Self.limits(range)
        shape = { Self.shape(range) }
        decode = { node, section, decoding in
            guard let value = Self.value(of: node, in: range, decoding) else { return }
            section[keyPath: field] = value
        }
    }

    /// A key whose value, when written, lies in a range.
    public init<Value: SettingValue & Comparable>(
        _ name: String,
        _ field: any WritableKeyPath<Section, Value?> & Sendable,
        in range: ClosedRange<Value>,
        example: String,
        doc: String
    ) {
        self.init(name, field, example: example, doc: doc)
        limits = Self.limits(range)
        shape = { Self.shape(range) }
        decode = { node, section, decoding in
            guard let value = Self.value(of: node, in: range, decoding) else { return }
            section[keyPath: field] = value
        }
    }

    /// A key with a list; each element must satisfy `constraint`, and is not shown in messages when it is `secret`.
    public init<Element: SettingValue>(
        _ name: String,
        _ field: any WritableKeyPath<Section, [Element]> & Sendable,
        count: ClosedRange<Int>? = nil,
        each constraint: Constraint<Element>? = nil,
        required: Bool = false,
        secret: Bool = false,
        example: String? = nil,
        doc: String
    ) {
        self.name = name
        self.doc = doc
        isRequired = required
        self.example = example
        limits = constraint.map { "each \($0.expected)" }
        shape = {
            .list(constraint?.pattern.map { .string(pattern: $0) } ?? Element.shape, count: count)
        }
        text = { $0[keyPath: field].settingText }
        decode = { node, section, decoding in
            decoding.isSecret = secret
            defer { decoding.isSecret = false }
            guard let elements = [Element].decode(node, decoding) else { return }
            section[keyPath: field] = elements
            guard case .sequence(let nodes) = node.content else { return }
            if let count, !count.contains(nodes.count) {
                let expected = nodes.isEmpty ? "at least one element" : "at most \(count.upperBound) elements"
                decoding.reject(node, "expected \(expected), found \(nodes.isEmpty ? "none" : String(nodes.count))")
            }
            guard let constraint, elements.count == nodes.count else { return }
            for (index, element) in elements.enumerated() where !constraint.test(element) {
                decoding.within("[\(index)]") { decoding.mismatch(nodes[index], expected: constraint.expected) }
            }
        }
    }

    /// The key as a key of a section that holds this one at `field`.
    func lifted<Outer>(_ field: any WritableKeyPath<Outer, Section> & Sendable) -> Key<Outer> {
        Key<Outer>(
            name: name,
            doc: doc,
            isRequired: isRequired,
            example: example,
            limits: limits,
            shape: shape,
            text: { [text] in text($0[keyPath: field]) },
            decode: { [decode] node, outer, decoding in decode(node, &outer[keyPath: field], decoding) }
        )
    }

    /// What it is when `section` holds the defaults.
    func described(_ section: Section) -> KeyDescription {
        KeyDescription(
            name: name,
            doc: doc,
            isRequired: isRequired,
            example: example,
            limits: limits,
            shape: shape(),
            text: text(section)
        )
    }

    private init(
        name: String,
        doc: String,
        isRequired: Bool,
        example: String?,
        limits: String?,
        shape: @escaping @Sendable () -> SettingShape,
        text: @escaping @Sendable (Section) -> SettingText?,
        decode: @escaping @Sendable (SettingNode, inout Section, Decoding) -> Void
    ) {
        self.name = name
        self.doc = doc
        self.isRequired = isRequired
        self.example = example
        self.limits = limits
        self.shape = shape
        self.text = text
        self.decode = decode
    }

    private static func limits<Value: SettingValue>(_ range: ClosedRange<Value>) -> String {
        let lower =
            range.lowerBound.settingText == .scalar("\"off\"") ? "off" : range.lowerBound.settingText?.flow ?? ""
        return "\(lower) to \(range.upperBound.settingText?.flow ?? "")"
    }

    private static func shape<Value: SettingValue>(_ range: ClosedRange<Value>) -> SettingShape {
        (range as? ClosedRange<Int>).map { .integer($0) } ?? Value.shape
    }

    private static func value<Value: SettingValue & Comparable>(
        of node: SettingNode,
        in range: ClosedRange<Value>,
        _ decoding: Decoding
    ) -> Value? {
        guard let value = Value.decode(node, decoding) else { return nil }
        if range.contains(value) { return value }
        decoding.reject(
            node,
            "\(node.isSubstituted ? node.found : node.text ?? "") is out of range; expected \(limits(range))"
        )
        return nil
    }
}
