// COLD. The keys of limits, timeouts and http.

extension LimitSettings {
    /// Sizes and counts.
    public static let keys: [Key<LimitSettings>] = [
        Key("request_line", \.requestLine, in: .kibibytes(1) ... .kibibytes(64), doc: "Longest request line (414)."),
        Key("headers", \.headers, in: .kibibytes(1) ... .kibibytes(256), doc: "Longest head in all (431)."),
        Key(
            "header",
            \.header,
            in: 256 ... .kibibytes(64),
            doc: """
                Longest single field, name and value (431); Authorization may be as long as token and its scheme, Cookie \
                as headers: beyond 8 KiB or 64 cookies none is a session.
                """
        ),
        Key("fields", \.fields, in: 8...1000, doc: "Most header fields (431)."),
        Key("token", \.token, in: 256 ... .kibibytes(64), doc: "Longest token (401)."),
        Key(
            "body",
            \.body,
            in: 0 ... .unlimited,
            doc:
                "Longest request body (413), for routes without their own body_limit. Bodies are streamed, never buffered."
        ),
        Key("chunk_extension", \.chunkExtension, in: 0 ... .kibibytes(4), doc: "Longest extension of one chunk (400)."),
        Key("trailers", \.trailers, in: 0 ... .kibibytes(64), doc: "Longest trailer section (431)."),
        Key(
            "response_headers",
            \.responseHeaders,
            in: .kibibytes(1) ... .kibibytes(256),
            doc: "Longest response head accepted from an upstream (502)."
        ),
        Key(
            "buffer",
            \.buffer,
            in: .kibibytes(4) ... .mebibytes(4),
            doc: "Bytes that wait in one direction of one connection before the other side is no longer read."
        ),
        Key(
            "connections",
            \.connections,
            in: 1...1_000_000,
            doc: "Most client connections over all workers; more are closed at once."
        ),
        Key(
            "handshakes_per_second",
            \.handshakesPerSecond,
            in: 0...1_000_000,
            doc: "Most TLS handshakes begun in a second on one listener, over all workers; more are closed at once. "
                + "0: no limit."
        ),
        Key(
            "handshake_delay",
            \.handshakeDelay,
            in: .zero ... .seconds(10),
            doc:
                "How long a TLS handshake waits at most, when many of its client's address came to nothing lately; trusted "
                + "proxies are exempt; off: not at all."
        ),
        Key(
            "requests_per_connection",
            \.requestsPerConnection,
            in: 1...1_000_000_000,
            doc: "Requests after which an HTTP/1 connection is closed."
        ),
        Key("http2", \.http2, doc: "What one HTTP/2 connection may ask for."),
        Key(
            "revocations",
            \.revocations,
            in: 0...1_000_000,
            doc: "Most revocations that are kept of those made over the ops listener (507)."
        ),
    ]

    /// A single field fits into the head.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        guard header > headers else { return }
        if marks.isWritten("header"), !decoding.hasError(at: marks["headers"]) {
            decoding.report(
                "limits.header: \(header.settingText?.flow ?? "") is more than headers (\(headers.settingText?.flow ?? ""))",
                at: marks["header"]
            )
        }
        header = headers
    }
}

extension TimeoutSettings {
    /// Deadlines.
    public static let keys: [Key<TimeoutSettings>] = [
        Key(
            "handshake",
            \.handshake,
            in: .milliseconds(100) ... .minutes(1),
            doc: "From accepting a connection to the end of its TLS handshake, a PROXY header included."
        ),
        Key(
            "headers",
            \.headers,
            in: .milliseconds(100) ... .minutes(10),
            doc: "From a request's first byte to the end of its head (408)."
        ),
        Key(
            "body_progress",
            \.bodyProgress,
            in: .milliseconds(100) ... .minutes(10),
            doc: "How long a body may arrive slower than body_rate (408)."
        ),
        Key(
            "body_rate",
            \.bodyRate,
            in: 0 ... .gibibytes(1),
            doc: "Bytes per second that a request body must make after body_progress."
        ),
        Key(
            "request",
            \.request,
            in: .zero ... .hours(24),
            doc: "A whole exchange (504, or the connection is closed); off: none."
        ),
        Key("idle", \.idle, in: .milliseconds(100) ... .hours(24), doc: "A connection without a request."),
        Key(
            "stream_idle",
            \.streamIdle,
            in: .zero ... .hours(24),
            doc: "A response or tunnel that has begun, without a byte in either direction; off: none."
        ),
        Key(
            "stream_age",
            \.streamAge,
            in: .zero ... .hours(168),
            doc: "A tunnel or a response without a length, from its beginning, for routes without their own; off: none."
        ),
        Key(
            "keepalive",
            \.keepalive,
            in: .zero ... .hours(2),
            doc:
                "Silence of a client after which it is asked for a sign of life: every connection by TCP keepalive, one "
                + "over HTTP/2 with open requests by PING as well; off: never."
        ),
        Key(
            "keepalive_answer",
            \.keepaliveAnswer,
            in: .seconds(1) ... .minutes(10),
            doc: "How long the sign of life may take, also of servers (see upstreams.keepalive)."
        ),
        Key(
            "write",
            \.write,
            in: .milliseconds(100) ... .minutes(10),
            doc: "A client that does not read what waits for it."
        ),
        Key(
            "linger",
            \.linger,
            in: .milliseconds(10) ... .seconds(30),
            doc: "How long a refused client may go on sending before its connection is cut."
        ),
        Key(
            "loop_stall",
            \.loopStall,
            in: .milliseconds(10) ... .minutes(1),
            doc: "A turn of an event loop that takes longer is reported."
        ),
    ]
}

extension HTTPSettings.UnusualNames: SettingChoice {}
extension HTTPSettings.MethodOverride: SettingChoice {}
extension HTTPSettings.ForwardedHeaders: SettingChoice {}

extension HTTPSettings.ServerField: SettingValue {
    /// `pass`, `remove`, or the text to send.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> HTTPSettings.ServerField? {
        guard let text = String.decode(node, decoding) else { return nil }
        switch text {
        case "pass": return .pass
        case "remove": return .remove
        default:
            let constraint = Constraint<String>.fieldValue
            if !text.isEmpty, constraint.test(text) { return .replace(text) }
            decoding.mismatch(node, expected: "pass, remove or the text to send")
            return nil
        }
    }
    /// The word or the text.
    public var settingText: SettingText? {
        switch self {
        case .pass: .scalar("pass")
        case .remove: .scalar("remove")
        case .replace(let text): .string(text)
        }
    }
    /// Text.
    public static var shape: SettingShape { .string(pattern: nil) }
}

extension HTTPSettings {
    /// Choices of protocol and headers.
    public static let keys: [Key<HTTPSettings>] = [
        Key(
            "unusual_names",
            \.unusualNames,
            doc:
                "Header names with other characters than letters, digits and \"-\": drop them, reject the request (400), or allow."
        ),
        Key(
            "method_override",
            \.methodOverride,
            doc:
                "X-HTTP-Method-Override and its kin, by which a service would see another method than routes and rules: drop "
                + "them, or pass them on."
        ),
        Key(
            "forwarded",
            \.forwarded,
            doc:
                "What services are told about the client's connection: X-Forwarded-*, Forwarded (RFC 7239), both or off."
        ),
        Key("via", \.via, must: .pseudonym, doc: "Pseudonym in Via, in both directions; \"\": no Via."),
        Key(
            "server",
            \.server,
            doc: "Server field of responses: pass on the service's, remove it, or send this text instead."
        ),
        Key(
            "request_id_header",
            \.requestIDHeader,
            must: .ownable,
            doc: "Field that carries the request's id; the client's is kept only from trusted proxies."
        ),
        Key(
            "begin_trace",
            \.beginsTrace,
            doc: "Begin a traceparent when the client sent none; one that is there is always passed on."
        ),
        Key(
            "upgrades",
            \.upgrades,
            count: 0...16,
            each: .protocolName,
            doc: "Protocols of Upgrade that may be tunnelled; \"*\": all. h2c never is."
        ),
    ]
}
