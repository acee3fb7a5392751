// COLD. The keys of the portal.

extension Constraint<String> {
    /// Segments of unreserved characters; not the root.
    static let pagePrefix = Constraint(
        expected: "a path such as /auth, of letters, digits, \".\", \"_\", \"-\" and \"~\", without a slash at the end",
        pattern: "^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){1,8}$"
    ) { text in
        let segments = text.split(separator: "/", omittingEmptySubsequences: false)
        guard text.utf8.count <= 128, (2...9).contains(segments.count), segments[0].isEmpty else { return false }
        return segments.dropFirst().allSatisfy { segment in
            !segment.isEmpty && !segment.hasPrefix(".")
                && segment.utf8.allSatisfy {
                    switch $0 {
                    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                    default: "._~-".utf8.contains($0)
                    }
                }
        }
    }

    /// RFC 5646, as far as pages need it.
    static let languageTag = Constraint(
        expected: "a language such as en or pt-BR",
        pattern: "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"
    ) { text in
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
        guard let first = parts.first, (2...3).contains(first.utf8.count), first.utf8.allSatisfy(isLetter) else {
            return false
        }
        return parts.count <= 4
            && parts.dropFirst().allSatisfy { part in
                (2...8).contains(part.utf8.count)
                    && part.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
            }
    }

    /// A path of this host.
    static let localPath = Constraint(expected: "a path such as /start", pattern: "^/([^/\\\\].*)?$") { text in
        text.hasPrefix("/") && !text.hasPrefix("//") && text.utf8.count <= 2048
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }
    }
}

extension Constraint<String?> {
    static let optionalRedirectTarget = Constraint(
        expected: Constraint<String>.redirectTarget.expected,
        pattern: Constraint<String>.redirectTarget.pattern
    ) { $0.map(Constraint<String>.redirectTarget.test) ?? true }
}

extension PortalSettings {
    /// The pages.
    public static let keys: [Key<PortalSettings>] = [
        Key(
            "prefix",
            \.prefix,
            must: .pagePrefix,
            doc: "Where the paths of login, logout and sessions begin; no route gets them."
        ),
        Key("title", \.title, must: .line, doc: "Name of the site, in the headings of pages."),
        Key(
            "logo",
            \.logo,
            example: "logo.svg",
            doc: "Image in place of mark and name: svg, png, jpeg, webp or gif, at most 256 KiB."
        ),
        Key(
            "templates",
            \.templates,
            example: "templates",
            must: .optionalFilePath,
            doc: "Folder with *.mustache and portal.css that replace built-in ones of the same name."
        ),
        Key(
            "strings",
            \.strings,
            example: "strings",
            must: .optionalFilePath,
            doc: "Folder with strings.<language>.yaml that replace texts or add languages."
        ),
        Key(
            "languages",
            \.languages,
            count: 0...64,
            each: .languageTag,
            example: "[en, de]",
            doc: "Languages that are offered, in this order; empty: all that there are."
        ),
        Key(
            "default_language",
            \.defaultLanguage,
            must: .languageTag,
            doc: "Language for readers whose languages there are not."
        ),
        Key(
            "after_login",
            \.afterLogin,
            must: .localPath,
            doc: "Where a login leads when nothing else was asked for."
        ),
        Key(
            "after_logout",
            \.afterLogout,
            example: "/goodbye",
            must: .optionalRedirectTarget,
            doc: "Where a logout leads; unset: to a page that says so."
        ),
    ]

    /// Folders lie beside the file.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        templates = templates.map { decoding.resolve($0) }
        strings = strings.map { decoding.resolve($0) }
        let isOwn = afterLogin == prefix || afterLogin.hasPrefix(prefix + "/")
        if isOwn, afterLogin != prefix + "/sessions", !decoding.hasError(at: marks["after_login"]) {
            decoding.report(
                "\(decoding.currentPath).after_login: \(Spelling.quoted(afterLogin)) is a page of the login itself",
                at: marks["after_login"]
            )
        }
    }
}
