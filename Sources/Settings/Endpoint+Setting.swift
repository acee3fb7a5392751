// COLD. Addresses, networks, secrets and files as the file writes them.

extension Endpoint: SettingValue {
    /// `host:port`, `[IPv6]:port` or `unix:/path`.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst(5)
            guard path.hasPrefix("/"), path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
            self = .unix(path: String(path))
            return
        }
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":"), let number = IPNumber(text: host) else { return nil }
            self = .ip(number, host: host, port: port)
        } else if let number = IPNumber(text: host), number.isIPv4, !host.contains(":") {
            self = .ip(number, host: host, port: port)
        } else {
            guard HostPattern.isName(host), !HostPattern.looksNumeric(host) else { return nil }
            self = .name(host.lowercased(), port: port)
        }
    }

    /// An address; names are possible.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Endpoint? {
        if case .scalar(let scalar) = node.content, let endpoint = Endpoint(scalar.text) {
            return endpoint
        }
        var hint = ""
        if let text = node.text, Endpoint("\(text):80") != nil, !text.hasPrefix("unix:") {
            hint = "; the port is missing"
        } else if let text = node.text, text.contains("://") {
            hint = "; leave out the scheme"
        }
        decoding.mismatch(
            node,
            expected: "an address such as 127.0.0.1:8080, [::1]:8080, name:8080 or unix:/path",
            hint: hint
        )
        return nil
    }
    /// As in the file.
    public var settingText: SettingText? { .scalar(SettingText.quote(text)) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: "^(unix:/.+|[^\\s]+:[0-9]{1,5})$") }
}

extension Constraint<Endpoint> {
    static let listenable = Constraint(expected: "an IP address with a port such as 127.0.0.1:8080, or unix:/path") {
        if case .name = $0 { false } else { true }
    }
    static let reachable = Constraint(expected: "an address with a port other than 0") {
        switch $0 {
        case .ip(_, _, let port), .name(_, let port): port != 0
        case .unix: true
        }
    }
}

extension CIDR: SettingValue {
    /// `10.0.0.0/8`, `2001:db8::/32`, or one address.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> CIDR? {
        if let text = node.text, let network = CIDR(text) { return network }
        decoding.mismatch(
            node,
            expected: "a network such as 10.0.0.0/8 or 2001:db8::/32 without bits behind its prefix"
        )
        return nil
    }
    /// As in the file.
    public var settingText: SettingText? { .scalar(SettingText.quote(text)) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$") }
}

extension Secret: SettingValue {
    /// Most bytes of a secret's file.
    public static let maximumBytes = 65_536

    /// A secret as `${NAME}`, `file:path` (less its last line break) or the text itself; never echoed.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> Secret? {
        guard case .scalar(let scalar) = node.content, !scalar.text.isEmpty else {
            if case .scalar(let scalar) = node.content, let variable = scalar.variable {
                decoding.reject(node, "the environment variable \(variable) is empty")
                return nil
            }
            decoding.reject(node, "expected a secret: ${NAME} for an environment variable, or file:path")
            return nil
        }
        if let variable = scalar.variable { return Secret(Array(scalar.text.utf8), origin: .environment(variable)) }
        guard scalar.text.hasPrefix("file:") else {
            decoding.report(
                "\(decoding.currentPath): the secret itself is written here; better write ${NAME} or file:path",
                at: node.location,
                severity: .warning
            )
            return Secret(Array(scalar.text.utf8))
        }
        let written = String(scalar.text.dropFirst(5))
        let path = decoding.resolve(written)
        switch decoding.files.read(path, limit: maximumBytes) {
        case .failure(let problem):
            decoding.reject(node, "file \(Spelling.quoted(written)) \(problem.text)")
            return nil
        case .success(var bytes):
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            if bytes.isEmpty {
                decoding.reject(node, "file \(Spelling.quoted(written)) is empty")
                return nil
            }
            if decoding.files.isReadableByEverybody(path) {
                decoding.report(
                    "\(decoding.currentPath): everybody can read \(Spelling.quoted(written)); chmod 600 it",
                    at: node.location,
                    severity: .warning
                )
            }
            return Secret(bytes, origin: .file(path))
        }
    }
    /// Never the value.
    public var settingText: SettingText? { count == 0 ? nil : .scalar(SettingText.quote(description)) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: nil) }
}

extension FileReference: SettingValue {
    /// A path of a file that is there and can be read.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> FileReference? {
        guard let written = String.decode(node, decoding) else { return nil }
        guard !written.isEmpty, !written.utf8.contains(0) else {
            decoding.mismatch(node, expected: "the path of a file")
            return nil
        }
        let path = decoding.resolve(written)
        if let problem = decoding.files.problem(reading: path) {
            decoding.reject(node, "file \(Spelling.quoted(written)) \(problem.text)")
            return nil
        }
        return FileReference(path)
    }
    /// The path.
    public var settingText: SettingText? { .string(path) }
    /// Text.
    public static var shape: SettingShape { .string(pattern: nil) }
}
