// COLD. The keys of session cookies, and what their names promise.

extension SameSiteSettings: SettingChoice {}

extension Constraint<String> {
    /// RFC 6265bis §4.1.1.
    static let cookieName = Constraint(
        expected: "a cookie name of letters, digits, \"-\" and \"_\", at most 64",
        pattern: "^[A-Za-z0-9_-]{1,64}$"
    ) {
        (1...64).contains($0.utf8.count)
            && $0.utf8.allSatisfy {
                switch $0 {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }

    /// RFC 6265bis §4.1.1 `path-value`.
    static let cookiePath = Constraint(expected: "a path such as /", pattern: "^/[^;\\s]*$") {
        $0.hasPrefix("/") && $0.utf8.count <= 1024
            && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ";") }
    }
}

extension Constraint<String?> {
    static let optionalHost = Constraint(expected: "a host such as login.example.com, without port") {
        guard let text = $0 else { return true }
        if case .exact? = HostPattern(text) { return true }
        return false
    }
    static let cookieDomain = Constraint(expected: "a domain such as example.com, without a dot in front") {
        guard let text = $0 else { return true }
        return HostPattern.isName(text) && text.contains(".") && !HostPattern.looksNumeric(text)
    }
}

extension CookieSettings {
    /// The cookie.
    public static let keys: [Key<CookieSettings>] = [
        Key(
            "name",
            \.name,
            must: .cookieName,
            doc: "Its name. __Host- makes browsers tie it to TLS and to the one host; without it when domain, another "
                + "path or insecure is written, the default is gw_session."
        ),
        Key("same_site", \.sameSite, doc: "Whether a browser sends it with requests that other sites cause."),
        Key("path", \.path, must: .cookiePath, doc: "Its Path."),
        Key(
            "domain",
            \.domain,
            example: "example.com",
            must: .cookieDomain,
            doc: "Its Domain: every host below gets it; unset: only the host that set it."
        ),
        Key(
            "insecure",
            \.isInsecure,
            doc: "Send it over plain http. For development on loopback: anybody on the way can take it."
        ),
    ]

    /// RFC 6265bis §4.1.3: what the name promises.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        let place = decoding.currentPath
        if !marks.isWritten("name"), isInsecure || domain != nil || path != "/" { name = Self.plainName }
        let lower = name.lowercased()
        func reject(_ why: String) {
            decoding.report("\(place).name: \(Spelling.quoted(name)) \(why)", at: marks["name"])
        }
        if lower.hasPrefix("__host-") {
            if isInsecure { reject("is only for TLS; leave out __Host-, or insecure") }
            if domain != nil { reject("has no domain; leave out __Host-, or domain") }
            if path != "/" { reject("has the path /; leave out __Host-, or path") }
        } else if lower.hasPrefix("__secure-"), isInsecure {
            reject("is only for TLS; leave out __Secure-, or insecure")
        }
        if sameSite == .none, isInsecure {
            decoding.report("\(place).same_site: none is only for TLS; leave out insecure", at: marks["same_site"])
        }
        if isInsecure {
            decoding.report(
                "\(place).insecure: the cookie goes over plain http; anybody on the way can take it",
                at: marks["insecure"],
                severity: .warning
            )
        }
    }

    /// Whether browsers take a cookie of `domain` from `host`.
    static func domain(_ domain: String, covers host: HostPattern) -> Bool {
        let domain = domain.lowercased()
        return HostPattern.exact(domain).covers(host) || HostPattern.wildcard(suffix: ".\(domain)").covers(host)
    }
}
