// COLD. The keys of limits.http2.

extension HTTP2LimitSettings {
    /// Sizes, and counts of what is of no use to anybody.
    public static let keys: [Key<HTTP2LimitSettings>] = [
        Key(
            "concurrent_streams",
            \.concurrentStreams,
            in: 1...10_000,
            doc: "Requests that may be under way at once; more are refused, to be sent again."
        ),
        Key(
            "stream_window",
            \.streamWindow,
            in: .kibibytes(16) ... .mebibytes(16),
            doc: "Bytes of one request's content that may be on their way or wait here."
        ),
        Key(
            "connection_window",
            \.connectionWindow,
            in: .kibibytes(64) ... .mebibytes(256),
            doc: "The same for all requests of a connection together."
        ),
        Key(
            "header_list",
            \.headerList,
            in: .kibibytes(1) ... .kibibytes(256),
            doc:
                "Longest head, decompressed: names, values and 32 bytes for each field (431); one of eight times the size ends the connection."
        ),
        Key(
            "continuations",
            \.continuations,
            in: 0...1000,
            doc: "CONTINUATION frames of one head."
        ),
        Key(
            "outbound_frames",
            \.outboundFrames,
            in: 100...100_000,
            doc: "Frames of ours that wait because the client does not read."
        ),
        Key(
            "stalled",
            \.stalled,
            in: .kibibytes(16) ... .mebibytes(64),
            doc:
                "Bytes that a connection may leave untaken for as long as timeouts.write; below it, its stalled streams are reset."
        ),
        Key(
            "resets",
            \.resets,
            in: 10...1_000_000,
            doc: "RST_STREAM received (Rapid Reset) in ten seconds."
        ),
        Key(
            "provoked_resets",
            \.provokedResets,
            in: 10...1_000_000,
            doc: "RST_STREAM sent because of the client's errors (MadeYouReset) in ten seconds."
        ),
        Key(
            "settings",
            \.settings,
            in: 5...1_000_000,
            doc: "SETTINGS received in ten seconds."
        ),
        Key(
            "pings",
            \.pings,
            in: 5...1_000_000,
            doc: "PING received in ten seconds; each DATA frame sent allows one more."
        ),
        Key(
            "empty_data",
            \.emptyData,
            in: 10...1_000_000,
            doc: "DATA received without content that does not end a request, in ten seconds."
        ),
        Key(
            "priorities",
            \.priorities,
            in: 10...1_000_000,
            doc: "PRIORITY and PRIORITY_UPDATE received in ten seconds; each request allows two more."
        ),
        Key(
            "window_updates",
            \.windowUpdates,
            in: 100...1_000_000,
            doc: "WINDOW_UPDATE received in ten seconds; each DATA frame sent allows three more."
        ),
        Key(
            "tiny_windows",
            \.tinyWindows,
            in: 10...1_000_000,
            doc:
                "DATA of less than 256 bytes that had to be sent because the client's window allows no more, and less than 1 KiB since the last one, in ten seconds."
        ),
        Key(
            "unknown_frames",
            \.unknownFrames,
            in: 10...1_000_000,
            doc: "Frames of unknown types, and GOAWAY, in ten seconds."
        ),
        Key(
            "oddities",
            \.oddities,
            in: 10...1_000_000,
            doc: "Frames for requests that are over, and whatever else is tolerated once, in ten seconds."
        ),
        Key(
            "end_delay",
            \.endDelay,
            in: .zero ... .seconds(10),
            doc:
                "How long the end of a connection that failed is put off at most, when its client's address had many of them "
                + "lately, so that it comes again less often; trusted proxies are exempt; off: not at all."
        ),
    ]
}
