// COLD. Names with a grammar as the file writes them: fields, claims, hosts, methods.

extension HeaderName: SettingValue {
    /// Letters, digits and `-`.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> HeaderName? {
        if let text = node.text, let name = HeaderName(checking: text) { return name }
        decoding.mismatch(node, expected: "a header name of letters, digits and \"-\"")
        return nil
    }
    /// The name.
    public var settingText: SettingText? { .string(text) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: "^[A-Za-z0-9-]{1,64}$") }

    /// Fields whose meaning the gateway itself depends on: no claim, id or assertion can be put there.
    static let essential: Set<HeaderName> = [
        "Authorization", "Connection", "Content-Length", "Content-Type", "Content-Encoding", "Cookie", "Expect",
        "Forwarded", "Host", "HTTP2-Settings", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Set-Cookie",
        "TE",
        "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Forwarded-Proto", "traceparent", "tracestate", "Date",
    ]
}

extension Constraint<HeaderName> {
    static let ownable = Constraint(expected: "a field that HTTP itself does not use") {
        !HeaderName.essential.contains($0)
    }
}

extension ClaimPath: SettingValue {
    /// A name, names with dots between, or a list of names.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> ClaimPath? {
        let path: ClaimPath
        if case .sequence = node.content {
            guard let names = [String].decode(node, decoding) else { return nil }
            path = ClaimPath(names: names)
        } else {
            guard let text = String.decode(node, decoding) else { return nil }
            path = ClaimPath(stringLiteral: text)
        }
        if (1...8).contains(path.names.count), !path.names.contains(where: \.isEmpty) { return path }
        decoding.mismatch(node, expected: "a claim such as sub or realm_access.roles")
        return nil
    }
    /// Text when it can be read back from text, or a list.
    public var settingText: SettingText? {
        ClaimPath(stringLiteral: text) == self ? .string(text) : .list(names.map { .string($0) })
    }
    /// Text or a list of texts.
    public static var shape: SettingShape {
        .either([.string(pattern: nil), .list(.string(pattern: nil), count: 1...8)])
    }
}

extension ClaimValue: SettingValue {
    /// Text, a whole number, or true or false.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> ClaimValue? {
        guard case .scalar(let scalar) = node.content, !node.isNull else {
            decoding.mismatch(node, expected: "text, a whole number, true or false")
            return nil
        }
        if scalar.isPlain, !scalar.isSubstituted {
            if let number = Int64(scalar.text) { return .integer(number) }
            if scalar.text == "true" || scalar.text == "false" { return .bool(scalar.text == "true") }
            if scalar.looksLikeNumberOrBoolean {
                decoding.mismatch(node, expected: "text (in quotes), a whole number, true or false")
                return nil
            }
        }
        return .string(scalar.text)
    }
    /// The value.
    public var settingText: SettingText? {
        switch self {
        case .string(let text): .string(text)
        case .integer(let number): .scalar(String(number))
        case .bool(let value): .scalar(value ? "true" : "false")
        }
    }
    /// A scalar.
    public static var shape: SettingShape { .either([.string(pattern: nil), .integer(nil), .boolean]) }
}

extension HostPattern: SettingValue {
    /// `api.example.com`, `*.example.com`, `[::1]`, `*`; nil for anything else, a port included.
    public init?(_ written: String) {
        var text = written.lowercased()
        if text == "*" {
            self = .any
            return
        }
        if text.hasPrefix("["), text.hasSuffix("]") {
            guard IPNumber(text: String(text.dropFirst().dropLast())) != nil else { return nil }
            self = .exact(text)
            return
        }
        if text.hasSuffix("."), text.utf8.count > 1 { text.removeLast() }
        if text.hasPrefix("*.") {
            let suffix = String(text.dropFirst())
            guard Self.isName(String(suffix.dropFirst())) else { return nil }
            self = .wildcard(suffix: suffix)
        } else {
            guard Self.isName(text) else { return nil }
            self = .exact(text)
        }
    }

    /// Labels of letters, digits, `-` and `_` with dots between; at most 253 bytes.
    static func isName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy {
                    switch $0 {
                    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                    default: false
                    }
                }
        }
    }

    /// Whether a resolver could take the name for a strange IPv4 address (`1.2.3`, `127.1`, `0x7f000001`).
    static func looksNumeric(_ text: String) -> Bool {
        guard let last = text.utf8.split(separator: UInt8(ascii: ".")).last else { return false }
        return (last.first.map { (0x30...0x39).contains($0) } ?? false)
            && (last.allSatisfy { (0x30...0x39).contains($0) } || last.starts(with: "0x".utf8))
    }

    /// A host pattern.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> HostPattern? {
        if let text = node.text, let pattern = HostPattern(text) { return pattern }
        var hint = ""
        if let text = node.text {
            if text.contains("://") {
                hint = "; leave out the scheme"
            } else if text.hasPrefix("*"), !text.hasPrefix("*."), HostPattern("*.\(text.dropFirst())") != nil {
                hint = "; write *.\(text.dropFirst())"
            } else if let colon = text.lastIndex(of: ":"), HostPattern(String(text[..<colon])) != nil {
                hint = "; leave out the port"
            } else if !text.utf8.allSatisfy({ $0 < 0x80 }) {
                hint = "; write the name in its ASCII form (xn--…)"
            }
        }
        decoding.mismatch(node, expected: "a host such as api.example.com or *.example.com", hint: hint)
        return nil
    }
    /// As in the file.
    public var settingText: SettingText? { .string(text) }
    /// Text.
    public static var shape: SettingShape {
        .string(pattern: "^(\\*|\\[[0-9a-fA-F:.]+\\]|(\\*\\.)?[A-Za-z0-9_.-]+)$")
    }
}
