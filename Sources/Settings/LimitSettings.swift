// COLD. Sizes, counts, deadlines and protocol choices of the client side.

/// Sizes and counts; each has a metric and an answer.
public struct LimitSettings: SettingsSection {
    /// Longest request line (414).
    public var requestLine = ByteCount.kibibytes(8)
    /// Longest head in all (431).
    public var headers = ByteCount.kibibytes(32)
    /// Longest single field, name and value (431); `Authorization` may be as long as `token` and its scheme.
    public var header = ByteCount.kibibytes(8)
    /// Most fields (431).
    public var fields = 100
    /// Longest token (401).
    public var token = ByteCount.kibibytes(16)
    /// Longest request body (413), for routes without their own; streamed, never buffered.
    public var body = ByteCount.mebibytes(10)
    /// Longest extension of one chunk (400).
    public var chunkExtension = ByteCount(256)
    /// Longest trailer section (431).
    public var trailers = ByteCount.kibibytes(8)
    /// Longest response head accepted from an upstream (502).
    public var responseHeaders = ByteCount.kibibytes(64)
    /// Bytes that wait in one direction of one connection before the other side is no longer read.
    public var buffer = ByteCount.kibibytes(64)
    /// Most client connections over all workers; more are closed at once.
    public var connections = 20_000
    /// Most TLS handshakes begun in a second on one listener, over all workers; 0: no limit.
    public var handshakesPerSecond = 0
    /// How long a TLS handshake waits at most, when many of its client's address came to nothing lately; off: not at all.
    public var handshakeDelay = Duration.milliseconds(100)
    /// Requests after which an HTTP/1 connection is closed.
    public var requestsPerConnection = 1000
    /// What one HTTP/2 connection may ask for.
    public var http2 = HTTP2LimitSettings()
    /// Revocations that may be made over the ops listener (507).
    public var revocations = 100_000
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// What one HTTP/2 connection may ask for; over a count, it ends with GOAWAY and ENHANCE_YOUR_CALM.
public struct HTTP2LimitSettings: SettingsSection {
    /// Requests that may be under way at once; more are refused, to be sent again.
    public var concurrentStreams = 100
    /// Bytes of one request's content that may be on their way or wait here.
    public var streamWindow = ByteCount.kibibytes(64)
    /// The same for all requests of a connection together.
    public var connectionWindow = ByteCount.mebibytes(1)
    /// Longest head, decompressed: names, values and 32 bytes for each field (431); one of eight times the size ends
    /// the connection.
    public var headerList = ByteCount.kibibytes(32)
    /// CONTINUATION frames of one head.
    public var continuations = 8
    /// Frames of ours that wait because the client does not read.
    public var outboundFrames = 1000
    /// Bytes that a connection may leave untaken for as long as timeouts.write; below it, its stalled streams are
    /// reset.
    public var stalled = ByteCount.kibibytes(256)
    /// RST_STREAM received (Rapid Reset) in ten seconds.
    public var resets = 500
    /// RST_STREAM sent because of the client's errors (MadeYouReset) in ten seconds.
    public var provokedResets = 500
    /// SETTINGS received in ten seconds.
    public var settings = 50
    /// PING received in ten seconds.
    public var pings = 50
    /// DATA received without content that does not end a request, in ten seconds.
    public var emptyData = 100
    /// PRIORITY and PRIORITY_UPDATE received in ten seconds; each request allows two more.
    public var priorities = 200
    /// WINDOW_UPDATE received in ten seconds; each DATA frame sent allows three more.
    public var windowUpdates = 1000
    /// DATA of less than 256 bytes that had to be sent because the client's window allows no more, in ten seconds.
    public var tinyWindows = 200
    /// Frames of unknown types, and GOAWAY, in ten seconds.
    public var unknownFrames = 100
    /// Frames for requests that are over, and whatever else is tolerated once, in ten seconds.
    public var oddities = 1000
    /// How long the end of a connection that failed is put off at most, when its client's address had many of them
    /// lately; off: not at all.
    public var endDelay = Duration.milliseconds(500)
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Deadlines of the client side; `.zero` (`off` in the file) means none where that is allowed.
public struct TimeoutSettings: SettingsSection {
    /// From accepting a connection to the end of its TLS handshake, a PROXY header included.
    public var handshake = Duration.seconds(10)
    /// From a request's first byte to the end of its head (408).
    public var headers = Duration.seconds(10)
    /// How long a body may arrive slower than `bodyRate` (408).
    public var bodyProgress = Duration.seconds(10)
    /// Bytes per second that a request body must make after `bodyProgress`.
    public var bodyRate = ByteCount.kibibytes(1)
    /// A whole exchange (504, or the connection is closed); off: none.
    public var request = Duration.seconds(300)
    /// A connection without a request.
    public var idle = Duration.seconds(75)
    /// A response or tunnel that has begun, without a byte in either direction; off: none.
    public var streamIdle = Duration.seconds(300)
    /// A tunnel, or a response without a length, from its beginning; off: none.
    public var streamAge = Duration.zero
    /// Silence of a client after which it is asked for a sign of life; off: never.
    public var keepalive = Duration.seconds(30)
    /// How long the sign of life may take.
    public var keepaliveAnswer = Duration.seconds(10)
    /// A client that does not read what waits for it.
    public var write = Duration.seconds(30)
    /// How long a refused client may go on sending before its connection is cut.
    public var linger = Duration.seconds(2)
    /// A turn of an event loop that takes longer is reported.
    public var loopStall = Duration.seconds(1)
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Choices of protocol and headers.
public struct HTTPSettings: SettingsSection {
    /// What happens to fields whose name has other characters than letters, digits and `-`.
    public enum UnusualNames: String, Sendable, CaseIterable {
        /// They are not forwarded, and counted.
        case drop
        /// The request gets 400.
        case reject
        /// They are forwarded, except names that fold to one that the gateway knows or protects.
        case allow
    }
    /// What happens to fields that ask a service to take the request for one with another method.
    public enum MethodOverride: String, Sendable, CaseIterable {
        /// They are not forwarded: the service sees the method that routes and rules have seen.
        case drop
        /// They are forwarded.
        case pass
    }
    /// What services are told about the client's connection.
    public enum ForwardedHeaders: String, Sendable, CaseIterable {
        /// `X-Forwarded-For`, `-Host`, `-Proto`.
        case xForwarded = "x_forwarded"
        /// `Forwarded` (RFC 7239).
        case forwarded
        /// Both.
        case both
        /// Nothing.
        case off
    }
    /// What happens to the `Server` field of responses.
    public enum ServerField: Sendable, Hashable {
        /// The upstream's is passed on.
        case pass
        /// Removed.
        case remove
        /// This text instead.
        case replace(String)
    }

    /// Fields with unusual names.
    public var unusualNames = UnusualNames.drop
    /// `X-HTTP-Method-Override`, `X-HTTP-Method` and `X-Method-Override`.
    public var methodOverride = MethodOverride.drop
    /// Which forwarding fields are sent to services.
    public var forwarded = ForwardedHeaders.xForwarded
    /// Pseudonym in `Via`, both directions; empty: no `Via`.
    public var via = "portcullis"
    /// `Server` in responses.
    public var server = ServerField.pass
    /// Field that carries the request's id; kept only from trusted proxies.
    public var requestIDHeader: HeaderName = "X-Request-Id"
    /// Whether `traceparent` is begun when the client sent none; it is passed on in any case.
    public var beginsTrace = true
    /// Protocols of `Upgrade` that may be tunnelled; `*` means all.
    ///
    /// `h2c` never is.
    public var upgrades = ["*"]
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
