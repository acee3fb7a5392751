// COLD. The keys of forward, redirect and respond.

extension ForwardSettings.Authorization: SettingChoice {}

extension ForwardSettings.Host: SettingValue {
    /// `preserve`, `upstream`, or a host.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> ForwardSettings.Host? {
        switch node.text {
        case "preserve": return .preserve
        case "upstream": return .upstream
        case let text? where Constraint<String>.isAuthority(text) && text != "*": return .name(text)
        default:
            decoding.mismatch(node, expected: "preserve, upstream, or a host such as api.internal")
            return nil
        }
    }
    /// The word or the host.
    public var settingText: SettingText? {
        switch self {
        case .preserve: .scalar("preserve")
        case .upstream: .scalar("upstream")
        case .name(let name): .string(name)
        }
    }
    /// Text.
    public static var shape: SettingShape { .string(pattern: nil) }
}

extension ForwardSettings {
    /// Forwarding.
    public static let keys: [Key<ForwardSettings>] = [
        Key("upstream", \.upstream, required: true, example: "api", must: .name, doc: "Name of the upstream."),
        Key(
            "strip_prefix",
            \.stripPrefix,
            example: "/api",
            doc: "Removed from the path; the route's path must begin with it."
        ),
        Key(
            "replace_prefix",
            \.replacePrefix,
            example: "/v2",
            doc: "Put in its place; alone, it replaces what the route's path or path_exact says."
        ),
        Key(
            "host",
            \.host,
            doc:
                "Host of the request to the service: the client's (preserve), the address of the upstream's first server (upstream), or this one."
        ),
        Key("authorization", \.authorization, doc: "The client's Authorization field: keep or strip."),
        Key(
            "timeout",
            \.timeout,
            in: .zero ... .hours(24),
            example: "30s",
            doc: "Time to the response's first byte; unset: the upstream's first_byte_timeout; off: none."
        ),
        Key(
            "request_timeout",
            \.requestTimeout,
            in: .zero ... .hours(24),
            example: "300s",
            doc: "Time for the whole exchange; unset: timeouts.request; off: none."
        ),
        Key(
            "stream_age",
            \.streamAge,
            in: .zero ... .hours(168),
            example: "1h",
            doc: "Time for a tunnel or a response without a length; unset: timeouts.stream_age; off: none."
        ),
        Key(
            "body_limit",
            \.bodyLimit,
            in: 0 ... .unlimited,
            example: "10MiB",
            doc: "Longest request body; unset: limits.body."
        ),
        Key(
            "encoded_slashes",
            \.encodedSlashes,
            doc: "Whether %2F may be in the path; it is kept as it is and never taken for a separator."
        ),
        Key("upgrade", \.upgrade, doc: "Whether Upgrade (WebSocket) is passed on; see http.upgrades."),
    ]

    /// Prefixes have no slash at their end.
    public mutating func finish(_: SettingNode, _: Decoding) {
        stripPrefix = stripPrefix?.trimmed
        replacePrefix = replacePrefix?.trimmed
    }
}

extension Constraint<Int> {
    static let redirect = Constraint(expected: "301, 302, 303, 307 or 308") { [301, 302, 303, 307, 308].contains($0) }
}

extension RedirectSettings {
    /// Sending the client elsewhere.
    public static let keys: [Key<RedirectSettings>] = [
        Key("status", \.status, must: .redirect, doc: "The status."),
        Key(
            "location",
            \.location,
            required: true,
            example: "https://www.example.com/",
            must: .redirectTarget,
            doc: "A URL or an absolute path; never made from what the client sent."
        ),
        Key("keep_path", \.keepsPath, doc: "Append the request's path and query; location has none of its own then."),
    ]

    /// A path behind a query or a fragment would be a part of it.
    public func finish(_: SettingNode, _ decoding: Decoding) {
        guard keepsPath, !decoding.hasError(at: marks["location"]),
            location.utf8.contains(where: { $0 == 0x3f || $0 == 0x23 })
        else { return }
        decoding.report(
            "\(decoding.currentPath).location: has a query or a fragment, behind which keep_path cannot put the request's path",
            at: marks["location"]
        )
    }
}

/// The fields of a fixed answer: a mapping of names to values.
struct HeaderFields: SettingValue, Equatable {
    var fields: [HeaderField] = []

    static func decode(_ node: SettingNode, _ decoding: Decoding) -> HeaderFields? {
        if node.isNull { return HeaderFields() }
        guard case .mapping(let members) = node.content else {
            decoding.mismatch(node, expected: "a mapping of header names to values")
            return nil
        }
        var fields: [HeaderField] = []
        for member in members {
            decoding.within(member.key) {
                guard let name = HeaderName(checking: member.key), !framing.contains(name) else {
                    return decoding.report(
                        "\(decoding.currentPath): expected a header name of letters, digits and \"-\" that the gateway does not set itself",
                        at: member.location
                    )
                }
                guard let value = String.decode(member.value, decoding) else { return }
                guard Constraint<String>.fieldValue.test(value) else {
                    return decoding.mismatch(member.value, expected: Constraint<String>.fieldValue.expected)
                }
                if fields.contains(where: { $0.name == name }) {
                    return decoding.report("\(decoding.currentPath): the field is there twice", at: member.location)
                }
                fields.append(HeaderField(name: name, value: value))
            }
        }
        return HeaderFields(fields: fields)
    }
    var settingText: SettingText? {
        .mapping(fields.map { SettingText.Entry(key: $0.name.text, value: .string($0.value)) })
    }
    static var shape: SettingShape { .dictionary }

    private static let framing: Set<HeaderName> = [
        "Connection", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Server", "TE", "Trailer",
        "Transfer-Encoding",
        "Upgrade",
    ]
}

extension RespondSettings {
    var fields: HeaderFields {
        get { HeaderFields(fields: headers) }
        set { headers = newValue.fields }
    }

    /// A fixed answer.
    public static let keys: [Key<RespondSettings>] = [
        Key("status", \.status, in: 200...599, doc: "The status."),
        Key("body", \.body, must: .body, doc: "The content; empty: none, as it must be with 204, 205 and 304."),
        Key("content_type", \.contentType, must: .fieldValue, doc: "Content-Type, when there is a body."),
        Key("headers", \.fields, doc: "More fields, by name."),
    ]

    /// What has no content by its status gets none (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
    public func finish(_: SettingNode, _ decoding: Decoding) {
        guard [204, 205, 304].contains(status), !body.isEmpty else { return }
        decoding.report(
            "\(decoding.currentPath).body: a response with the status \(status) has no content",
            at: marks["body"]
        )
    }
}

extension Constraint<String> {
    static let body = Constraint(expected: "at most 64 KiB of text") { $0.utf8.count <= 65_536 }
}
