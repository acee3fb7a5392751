// COLD. Sizes, times and other quantities as the file writes them.

/// A number and the unit behind it, such as `30s`; nil when the text is something else.
private func quantity(_ node: SettingNode) -> (number: Int, unit: String)? {
    guard case .scalar(let scalar) = node.content else { return nil }
    let digits = scalar.text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty, digits.count <= 15, let number = Int(digits) else { return nil }
    return (number, String(scalar.text.dropFirst(digits.count)))
}

extension ByteCount: SettingValue {
    private static let units: [(name: String, shift: Int)] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)]

    /// `512B`, `8KiB`, `10MiB`, `1GiB`, a plain number of bytes, or `unlimited`.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> ByteCount? {
        if node.text == "unlimited" { return .unlimited }
        if let (number, unit) = quantity(node) {
            if unit.isEmpty { return ByteCount(number) }
            if let shift = units.first(where: { $0.name == unit })?.shift {
                if number <= Int.max >> (shift + 1) { return ByteCount(number << shift) }
            } else if let near = units.first(where: { $0.name.lowercased().first == unit.lowercased().first }) {
                decoding.mismatch(node, expected: "a size", hint: "; write \(number)\(near.name)")
                return nil
            }
        }
        decoding.mismatch(node, expected: "a size such as 512B, 8KiB or 10MiB")
        return nil
    }

    /// In the largest unit without remainder.
    public var settingText: SettingText? {
        if self == .unlimited { return .scalar("unlimited") }
        for unit in Self.units where bytes != 0 && bytes & (1 << unit.shift - 1) == 0 {
            return .scalar("\(bytes >> unit.shift)\(unit.name)")
        }
        return .scalar("0B")
    }

    /// A number with a unit.
    public static var shape: SettingShape {
        .either([.integer(0...Int.max), .string(pattern: "^([0-9]+(B|KiB|MiB|GiB)|unlimited)$")])
    }
}

extension Duration: SettingValue {
    private static let units: [(name: String, milliseconds: Int)] = [
        ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// `500ms`, `30s`, `5m`, `24h`, or `off` (zero).
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Duration? {
        if node.isOff { return .zero }
        if let (number, unit) = quantity(node) {
            if let factor = units.first(where: { $0.name == unit })?.milliseconds, number <= 1_000_000_000_000 / factor
            {
                return .milliseconds(number * factor)
            }
            if unit.isEmpty {
                decoding.mismatch(
                    node,
                    expected: "a duration with its unit",
                    hint: "; write \(number)s if seconds are meant"
                )
                return nil
            }
        }
        decoding.mismatch(node, expected: "a duration such as 500ms, 30s, 5m or 24h")
        return nil
    }

    /// In the largest unit without remainder; `off` for zero.
    public var settingText: SettingText? {
        let count = milliseconds
        for unit in Self.units where count != 0 && count % unit.milliseconds == 0 {
            return .scalar("\(count / unit.milliseconds)\(unit.name)")
        }
        return .scalar("\"off\"")
    }

    /// A number with a unit.
    public static var shape: SettingShape {
        .either([.string(pattern: "^([0-9]+(ms|s|m|h)|off)$"), .boolean])
    }
}

extension WorkerCount: SettingValue {
    /// `auto`, or 1…256.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> WorkerCount? {
        if node.text == "auto" { return .automatic }
        if let text = node.text, let number = Int(text), (1...256).contains(number) { return .fixed(number) }
        decoding.mismatch(node, expected: "auto or a number from 1 to 256")
        return nil
    }
    /// The word or the number.
    public var settingText: SettingText? {
        switch self {
        case .automatic: .scalar("auto")
        case .fixed(let count): .scalar(String(count))
        }
    }
    /// A word or a number.
    public static var shape: SettingShape { .either([.choice(["auto"]), .integer(1...256)]) }
}

extension StatusRange: SettingValue {
    /// `200` or `200-299`.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> StatusRange? {
        let parts = (node.text ?? "").split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { $0.utf8.count == 3 ? Int($0) : nil }.filter { (100...599).contains($0) }
        if numbers.count == parts.count, parts.count <= 2, let first = numbers.first, let last = numbers.last,
            first <= last
        {
            return StatusRange(first...last)
        }
        decoding.mismatch(node, expected: "a status such as 204 or a range such as 200-299")
        return nil
    }
    /// One number or two.
    public var settingText: SettingText? {
        .scalar(range.count == 1 ? String(range.lowerBound) : "\(range.lowerBound)-\(range.upperBound)")
    }
    /// A number, or two with a dash.
    public static var shape: SettingShape {
        .either([.integer(100...599), .string(pattern: "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$")])
    }
}

/// Permissions of a unix socket, in octal.
struct FileMode: SettingValue, Equatable {
    var bits: UInt32

    static func decode(_ node: SettingNode, _ decoding: Decoding) -> FileMode? {
        if let text = node.text, (3...4).contains(text.utf8.count), let bits = UInt32(text, radix: 8), bits <= 0o777 {
            return FileMode(bits: bits)
        }
        decoding.mismatch(node, expected: "permissions in octal such as \"0660\"")
        return nil
    }
    var settingText: SettingText? { .scalar("\"0\(String(bits, radix: 8))\"") }
    static var shape: SettingShape { .either([.string(pattern: "^0?[0-7]{3}$"), .integer(0...777)]) }
}

extension ListenerSettings {
    var fileMode: FileMode {
        get { FileMode(bits: mode) }
        set { mode = newValue.bits }
    }
}

extension OpsSettings {
    var fileMode: FileMode {
        get { FileMode(bits: mode) }
        set { mode = newValue.bits }
    }
}
