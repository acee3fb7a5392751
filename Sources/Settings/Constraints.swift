// COLD. What texts in the configuration must look like.

extension Constraint<String> {
    /// Names of routes, upstreams and so on; also labels of metrics.
    static let name = Constraint(
        expected: "a name of letters, digits, \".\", \"_\" and \"-\", at most 64",
        pattern: "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
    ) { text in
        guard let first = text.utf8.first, text.utf8.count <= 64, first != UInt8(ascii: "."), first != UInt8(ascii: "-")
        else {
            return false
        }
        return text.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"): true
            default: false
            }
        }
    }

    /// Text that can be shown and compared: issuers, audiences, key ids.
    static let line = Constraint(expected: "text of 1 to 512 characters on one line", pattern: "^.{1,512}$") {
        (1...512).contains($0.utf8.count) && $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
    }

    /// Scopes and roles: the scope of a token is split at its spaces.
    static let word = Constraint(expected: "a name without spaces", pattern: "^[^\\s]{1,256}$") {
        (1...256).contains($0.utf8.count) && $0.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
    }

    /// A protocol that `Upgrade` names.
    static let protocolName = Constraint(
        expected: "a protocol such as websocket, or \"*\"",
        pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z/-]{1,64}$"
    ) { $0.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).allSatisfy { isToken(String($0)) } }

    /// A method: case counts, so lower case is a mistake.
    static let method = Constraint(
        expected: "a method in capitals such as GET",
        pattern: "^[!#$%&'*+.^_`|~0-9A-Z-]{1,64}$"
    ) {
        isToken($0) && !$0.utf8.contains { (0x61...0x7a).contains($0) }
    }

    /// A pseudonym in `Via`, or nothing.
    static let pseudonym = Constraint(
        expected: "a token, or \"\" for no Via",
        pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{0,64}$"
    ) {
        $0.isEmpty || isToken($0)
    }

    /// The value of a header field.
    static let fieldValue = Constraint(expected: "visible US-ASCII on one line, at most 1024 characters") {
        $0.utf8.count <= 1024 && $0.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f || $0 == 0x09 }
    }

    /// Where a redirect goes.
    static let redirectTarget = Constraint(
        expected: "a URL such as https://example.com/, or a path such as /new",
        pattern: "^(https?://[^/]|/([^/]|$))"
    ) { text in
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") })
        else {
            return false
        }
        if text.hasPrefix("/") { return !text.hasPrefix("//") }
        guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else { return false }
        let rest = text.dropFirst(scheme.count)
        return !rest.isEmpty && !rest.hasPrefix("/")
    }

    /// The target of a health check.
    static let requestTarget = Constraint(expected: "a path such as /healthz", pattern: "^/[^\\s#]*$") {
        $0.hasPrefix("/") && $0.utf8.count <= 2048
            && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }
    }

    /// `Host`: a name or an address, perhaps with a port.
    static let authority = Constraint(
        expected: "a host such as api.example.com or api.example.com:8443",
        test: isAuthority
    )

    /// A path in the file system.
    static let filePath = Constraint(expected: "the path of a file") {
        !$0.isEmpty && !$0.utf8.contains(0) && $0.utf8.count < 4096
    }

    static func isAuthority(_ text: String) -> Bool {
        if case .exact = HostPattern(text) { return true }
        switch Endpoint(text) {
        case .ip, .name: return true
        case .unix, nil: return false
        }
    }

    private static func isToken(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                switch $0 {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: "!#$%&'*+-.^_`|~".utf8.contains($0)
                }
            }
    }
}

extension Constraint<String?> {
    static let optionalFilePath = Constraint(expected: Constraint<String>.filePath.expected) {
        $0.map(Constraint<String>.filePath.test) ?? true
    }
}
