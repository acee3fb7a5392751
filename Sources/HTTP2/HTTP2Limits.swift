// COLD. How much one HTTP/2 connection may ask for: sizes, windows, and budgets against abuse.

/// A token bucket's size: how many at once, and how many come back in ten seconds.
public struct HTTP2Budget: Equatable, Sendable {
    /// The most that is tolerated at once.
    public var burst: Int
    /// What is tolerated for good, per ten seconds.
    public var perTenSeconds: Int

    /// A budget of `burst` that refills with `perTenSeconds`.
    public init(burst: Int, perTenSeconds: Int) {
        self.burst = burst
        self.perTenSeconds = perTenSeconds
    }

    /// A budget of `count` at once, and as many again in ten seconds.
    public init(_ count: Int) { self.init(burst: count, perTenSeconds: count) }
}

/// The limits of one connection.
///
/// Sizes are bytes. Over a budget the connection ends with GOAWAY and ENHANCE_YOUR_CALM.
public struct HTTP2Limits: Equatable, Sendable {
    /// Streams that the other side may have open at once; on connections to backends how many we open at most.
    public var concurrentStreams = 100
    /// Content of one stream that may be on its way to us, or wait here, at once.
    public var streamWindow = 65536
    /// The same for all streams together.
    public var connectionWindow = 1 << 20
    /// A field section, counted as RFC 9113 §6.5.2 says: names, values and 32 for each field.
    public var headerList = 32768
    /// Fields in a section.
    public var fields = 100
    /// The payload of a frame that is received; at least 16384.
    public var frame = 16384
    /// The table of the field compression, in each direction.
    public var headerTable = 4096
    /// CONTINUATION frames of one field section.
    public var continuations = 8
    /// Frames that wait to be sent because the other side does not read.
    public var outboundFrames = 1000
    /// Bytes waiting on one stream from which on it counts as full.
    public var queueHigh = 65536
    /// Bytes waiting on one stream at which one that was full is reported as drained.
    public var queueLow = 16384
    /// Bytes waiting on one stream that are never exceeded: more are refused.
    public var queueMost = 4 << 20
    /// Bytes that a connection may leave untaken until the patience with its streams is over: more end it.
    public var stalled = 256 << 10
    /// Whether `:scheme` may be https in clear text; only behind a hop that ends TLS.
    public var acceptsForeignScheme = false

    /// RST_STREAM received (Rapid Reset, CVE-2023-44487).
    public var resetsReceived = HTTP2Budget(500)
    /// RST_STREAM sent for errors of the other side (MadeYouReset, CVE-2025-8671).
    public var resetsProvoked = HTTP2Budget(500)
    /// SETTINGS received.
    public var settings = HTTP2Budget(50)
    /// PING received.
    public var pings = HTTP2Budget(50)
    /// DATA frames that hold no byte of content and do not end a stream.
    public var emptyData = HTTP2Budget(100)
    /// PRIORITY and PRIORITY_UPDATE received; each request adds two.
    public var priorities = HTTP2Budget(200)
    /// WINDOW_UPDATE received; each DATA frame sent adds three.
    public var windowUpdates = HTTP2Budget(1000)
    /// DATA frames that we must send with less than 256 bytes because no more is allowed.
    public var tinyWindows = HTTP2Budget(200)
    /// Frames of unknown types, and GOAWAY, received.
    public var unknownFrames = HTTP2Budget(100)
    /// Everything odd that is tolerated once, such as frames on streams that are gone.
    public var glitches = HTTP2Budget(1000)

    /// The limits for clients.
    public init() {}

    /// The limits for backends: more generous with fields and windows, and with what many clients' requests on one
    /// connection bring about; no client can use up the patience with a backend that others share.
    public static var upstream: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.headerList = 65536
        limits.fields = 200
        limits.streamWindow = 128 << 10
        limits.resetsReceived = HTTP2Budget(50_000)
        limits.resetsProvoked = HTTP2Budget(5000)
        limits.settings = HTTP2Budget(500)
        limits.pings = HTTP2Budget(1000)
        limits.emptyData = HTTP2Budget(5000)
        limits.windowUpdates = HTTP2Budget(10_000)
        limits.tinyWindows = HTTP2Budget(5000)
        limits.unknownFrames = HTTP2Budget(1000)
        limits.glitches = HTTP2Budget(100_000)
        return limits
    }
}
