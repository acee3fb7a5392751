// COLD. Paths of routes: brought into the form in which request targets are matched, or refused.

extension RoutePath: SettingValue {
    /// What is wrong with a path, or its canonical form.
    static func canonical(_ text: String, extra: (UInt8) -> Bool = { _ in false }) -> Result<String, FileProblem> {
        guard text.hasPrefix("/") else { return .failure(FileProblem("must begin with \"/\"")) }
        guard text.utf8.count <= 2048 else { return .failure(FileProblem("is longer than 2048 bytes")) }
        var out: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hex), let low = rest.popFirst().flatMap(hex) else {
                    return .failure(FileProblem("has a \"%\" without two hexadecimal digits"))
                }
                let value = high << 4 | low
                if value < 0x20 || value == 0x7f || "/\\;?#%".utf8.contains(value) || value == UInt8(ascii: ".") {
                    return .failure(FileProblem("has an escape that no request may have"))
                }
                append(value, &out, decoded: isUnreserved(value))
            case UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: ";"), UInt8(ascii: "\\"), 0...0x20, 0x7f:
                return .failure(FileProblem("has a character that the path of a request cannot have"))
            case _ where byte >= 0x80 || "\"<>^`{|}".utf8.contains(byte):
                append(byte, &out, decoded: extra(byte))
            default: out.append(byte)
            }
        }
        let canonical = String(decoding: out, as: UTF8.self)
        for segment in canonical.dropFirst().split(separator: "/", omittingEmptySubsequences: false).dropLast()
        where segment.isEmpty {
            return .failure(FileProblem("has \"//\""))
        }
        if canonical.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) {
            return .failure(FileProblem("has a segment \".\" or \"..\""))
        }
        return .success(canonical)
    }

    private static func append(_ byte: UInt8, _ out: inout [UInt8], decoded: Bool) {
        if decoded { return out.append(byte) }
        let digits = Array("0123456789ABCDEF".utf8)
        out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// The path in its canonical form; nil when no request can have it.
    public init?(checking text: String) {
        guard case .success(let canonical) = Self.canonical(text) else { return nil }
        self.init(canonical: canonical)
    }

    /// A path.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> RoutePath? {
        guard let text = String.decode(node, decoding) else { return nil }
        if text.contains("{") || text.contains("}") {
            decoding.reject(
                node,
                "the path \(Spelling.quoted(text)) has a \"{\"; named segments belong into path_pattern"
            )
            return nil
        }
        if text.split(separator: "/").contains(where: { $0 == "*" || $0 == "**" }) {
            decoding.reject(
                node,
                "the path \(Spelling.quoted(text)) has a segment \"*\"; a path is for everything below it, path_pattern has {name}"
            )
            return nil
        }
        switch canonical(text) {
        case .success(let canonical): return RoutePath(canonical: canonical)
        case .failure(let problem):
            decoding.reject(node, "the path \(Spelling.quoted(text)) \(problem.text)")
            return nil
        }
    }
    /// The path.
    public var settingText: SettingText? { .string(text) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: "^/") }

    /// Without a slash at its end, `/` excepted.
    var trimmed: RoutePath {
        text.utf8.count > 1 && text.hasSuffix("/") ? RoutePath(canonical: String(text.dropLast())) : self
    }
}

extension PathPattern: SettingValue {
    /// The pattern, or what is wrong with it.
    static func parse(_ text: String) -> Result<PathPattern, FileProblem> {
        var names: Set<String> = []
        var segments: [Segment] = []
        switch RoutePath.canonical(text, extra: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") }) {
        case .failure(let problem): return .failure(problem)
        case .success(let canonical):
            for part in RoutePath(canonical: canonical).segments {
                guard part.contains("{") || part.contains("}") else {
                    segments.append(.literal(part))
                    continue
                }
                let name = part.dropFirst().dropLast()
                guard part.hasPrefix("{"), part.hasSuffix("}"), (1...32).contains(name.utf8.count),
                    name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
                else { return .failure(FileProblem("has a segment that is not wholly a name in braces, such as {id}")) }
                guard names.insert(String(name)).inserted else {
                    return .failure(FileProblem("has the name {\(name)} twice"))
                }
                segments.append(.parameter(String(name)))
            }
            if names.isEmpty { return .failure(FileProblem("has no named segment; write it as path_exact")) }
            return .success(PathPattern(text: canonical, segments: segments))
        }
    }

    /// A pattern.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> PathPattern? {
        guard let text = String.decode(node, decoding) else { return nil }
        switch parse(text) {
        case .success(let pattern): return pattern
        case .failure(let problem):
            decoding.reject(node, "the pattern \(Spelling.quoted(text)) \(problem.text)")
            return nil
        }
    }
    /// As in the file.
    public var settingText: SettingText? { .string(text) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: "^/.*\\{[A-Za-z0-9_]+\\}") }
}
