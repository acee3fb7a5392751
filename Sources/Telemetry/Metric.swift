// COLD. The names of everything that is counted: one line per metric or label value. No storage.

/// A metric without labels of its own, counted per worker.
public enum Counter: Int, CaseIterable, Sendable {
    case connectionsAccepted, connectionsShed
    case bytesIn, bytesOut
    case tokenCacheHits, tokenCacheMisses, tokenCacheEvictions
    case sessionCacheHits, sessionCacheMisses
    case assertionCacheHits, assertionsSigned
    case fieldsDropped, identityFieldsStripped
    case connectionsRefused, tlsHandshakes, tlsHandshakesFailed, tlsResumptions, upstreamHandshakesFailed
    case handshakesPutOff, http2EndsPutOff
    case http2ProtocolErrors, http2UpstreamErrors, streamsEndedWithCredential
    case accessLogDropped, loopStalls, invariantBroken

    /// Name in the exposition, without the prefix.
    var name: StaticString {
        switch self {
        case .connectionsAccepted: "connections_accepted_total"
        case .connectionsShed: "connections_shed_total"
        case .bytesIn: "received_bytes_total"
        case .bytesOut: "sent_bytes_total"
        case .tokenCacheHits: "token_cache_hits_total"
        case .tokenCacheMisses: "token_cache_misses_total"
        case .tokenCacheEvictions: "token_cache_evictions_total"
        case .sessionCacheHits: "session_cache_hits_total"
        case .sessionCacheMisses: "session_cache_misses_total"
        case .assertionCacheHits: "assertion_cache_hits_total"
        case .assertionsSigned: "assertions_signed_total"
        case .fieldsDropped: "fields_dropped_total"
        case .identityFieldsStripped: "identity_fields_stripped_total"
        case .connectionsRefused: "connections_refused_total"
        case .tlsHandshakes: "tls_handshakes_total"
        case .tlsHandshakesFailed: "tls_handshakes_failed_total"
        case .tlsResumptions: "tls_resumptions_total"
        case .upstreamHandshakesFailed: "upstream_tls_handshakes_failed_total"
        case .handshakesPutOff: "tls_handshakes_put_off_total"
        case .http2EndsPutOff: "http2_ends_put_off_total"
        case .http2ProtocolErrors: "http2_protocol_errors_total"
        case .http2UpstreamErrors: "http2_upstream_errors_total"
        case .streamsEndedWithCredential: "streams_ended_with_credential_total"
        case .accessLogDropped: "access_log_dropped_lines_total"
        case .loopStalls: "loop_stalls_total"
        case .invariantBroken: "invariant_broken_total"
        }
    }

    /// What it counts, for `# HELP`.
    var help: StaticString {
        switch self {
        case .connectionsAccepted: "Client connections accepted."
        case .connectionsShed: "Client connections closed at once because of a limit or for want of descriptors."
        case .bytesIn: "Bytes received from clients."
        case .bytesOut: "Bytes sent to clients."
        case .tokenCacheHits: "Tokens found in the cache of verified tokens."
        case .tokenCacheMisses: "Tokens that were not in the cache of verified tokens."
        case .tokenCacheEvictions: "Entries that left the cache of verified tokens to make room."
        case .sessionCacheHits: "Session cookies found in a worker's cache."
        case .sessionCacheMisses: "Session cookies that were looked up in the store."
        case .assertionCacheHits: "Signed assertions that were used again."
        case .assertionsSigned: "Signed assertions that were made."
        case .fieldsDropped: "Request fields dropped because of an unusual name."
        case .identityFieldsStripped: "Request fields removed because only the gateway may set them."
        case .connectionsRefused: "Client connections closed because what came before the first request was wrong."
        case .tlsHandshakes: "TLS handshakes with clients that succeeded."
        case .tlsHandshakesFailed: "TLS handshakes with clients that failed."
        case .tlsResumptions: "TLS handshakes with clients that resumed a session."
        case .upstreamHandshakesFailed: "TLS handshakes with upstream servers that failed."
        case .handshakesPutOff:
            "TLS handshakes with clients that had to wait, because many of their address came to nothing."
        case .http2EndsPutOff:
            "HTTP/2 connections of clients that failed and were told so later, because their address had many of them."
        case .http2ProtocolErrors: "HTTP/2 connections of clients that ended for a breach of the protocol."
        case .http2UpstreamErrors: "HTTP/2 connections to upstream servers that ended for a breach of the protocol."
        case .streamsEndedWithCredential: "Streams and tunnels ended because their credential expired or was revoked."
        case .accessLogDropped: "Access log lines dropped because the queue was full or the file could not be written."
        case .loopStalls: "Turns of an event loop that took longer than the watchdog allows."
        case .invariantBroken: "Situations that should be impossible; the connection was closed."
        }
    }
}

/// A quantity that goes up and down, held per worker and summed.
public enum Gauge: Int, CaseIterable, Sendable {
    case connectionsOpen, http2ConnectionsOpen, requestsActive, tunnelsOpen, upstreamConnectionsOpen,
        upstreamConnectionsIdle

    var name: StaticString {
        switch self {
        case .connectionsOpen: "connections_open"
        case .http2ConnectionsOpen: "http2_connections_open"
        case .requestsActive: "requests_active"
        case .tunnelsOpen: "tunnels_open"
        case .upstreamConnectionsOpen: "upstream_connections_open"
        case .upstreamConnectionsIdle: "upstream_connections_idle"
        }
    }

    var help: StaticString {
        switch self {
        case .connectionsOpen: "Client connections open now."
        case .http2ConnectionsOpen: "Client connections that speak HTTP/2, open now."
        case .requestsActive: "Requests that have begun and are not answered yet."
        case .tunnelsOpen: "Upgraded connections being relayed now."
        case .upstreamConnectionsOpen: "Connections to upstream servers open now, idle ones included."
        case .upstreamConnectionsIdle: "Connections to upstream servers waiting for a request."
        }
    }
}

/// A limit of the configuration that a request or connection ran into.
public enum LimitKind: Int, CaseIterable, Sendable {
    case requestLine, headers, header, fields, authorization, token, cookies, body, chunkExtension, trailers
    case connections, connectionsPerClient, requestsPerConnection, descriptors
    case upstreamConnections, upstreamQueue, responseHeaders, sessionLookups
    case handshakes
    case http2ResetsReceived, http2ResetsProvoked, http2Continuations, http2Settings, http2Pings, http2EmptyData
    case http2Priorities, http2WindowUpdates, http2TinyWindows, http2UnknownFrames, http2OutboundFrames
    case http2HeaderList, http2Stalled, http2Glitches

    /// The label value.
    public var name: StaticString {
        switch self {
        case .requestLine: "request_line"
        case .headers: "headers"
        case .header: "header"
        case .fields: "fields"
        case .authorization: "authorization"
        case .token: "token"
        case .cookies: "cookies"
        case .body: "body"
        case .chunkExtension: "chunk_extension"
        case .trailers: "trailers"
        case .connections: "connections"
        case .connectionsPerClient: "connections_per_client"
        case .requestsPerConnection: "requests_per_connection"
        case .descriptors: "descriptors"
        case .upstreamConnections: "upstream_connections"
        case .upstreamQueue: "upstream_queue"
        case .responseHeaders: "response_headers"
        case .sessionLookups: "session_lookups"
        case .handshakes: "handshakes"
        case .http2ResetsReceived: "http2_resets_received"
        case .http2ResetsProvoked: "http2_resets_provoked"
        case .http2Continuations: "http2_continuations"
        case .http2Settings: "http2_settings"
        case .http2Pings: "http2_pings"
        case .http2EmptyData: "http2_empty_data"
        case .http2Priorities: "http2_priorities"
        case .http2WindowUpdates: "http2_window_updates"
        case .http2TinyWindows: "http2_tiny_windows"
        case .http2UnknownFrames: "http2_unknown_frames"
        case .http2OutboundFrames: "http2_outbound_frames"
        case .http2HeaderList: "http2_header_list"
        case .http2Stalled: "http2_stalled"
        case .http2Glitches: "http2_glitches"
        }
    }
}

/// A deadline that passed.
public enum TimeoutKind: Int, CaseIterable, Sendable {
    case handshake, headers, bodyProgress, request, idle, streamIdle, streamAge, write, keepalive
    case upstreamConnect, upstreamFirstByte, upstreamIdle, upstreamKeepalive, resolve, drain, sessionLookup, portal

    /// The label value.
    public var name: StaticString {
        switch self {
        case .handshake: "handshake"
        case .headers: "headers"
        case .bodyProgress: "body_progress"
        case .request: "request"
        case .idle: "idle"
        case .streamIdle: "stream_idle"
        case .streamAge: "stream_age"
        case .write: "write"
        case .keepalive: "keepalive"
        case .upstreamConnect: "upstream_connect"
        case .upstreamFirstByte: "upstream_first_byte"
        case .upstreamIdle: "upstream_idle"
        case .upstreamKeepalive: "upstream_keepalive"
        case .resolve: "resolve"
        case .drain: "drain"
        case .sessionLookup: "session_lookup"
        case .portal: "portal"
        }
    }
}

/// Something that happened between the gateway and one upstream.
public enum UpstreamEvent: Int, CaseIterable, Sendable {
    case connect, connectFailure, reuse, retry, failure, badResponse, unavailable, timeout

    var name: StaticString {
        switch self {
        case .connect: "upstream_connects_total"
        case .connectFailure: "upstream_connect_failures_total"
        case .reuse: "upstream_reuses_total"
        case .retry: "upstream_retries_total"
        case .failure: "upstream_failures_total"
        case .badResponse: "upstream_bad_responses_total"
        case .unavailable: "upstream_unavailable_total"
        case .timeout: "upstream_timeouts_total"
        }
    }

    var help: StaticString {
        switch self {
        case .connect: "Connections to the upstream that were begun."
        case .connectFailure: "Connections to the upstream that could not be established."
        case .reuse: "Requests sent on a connection that had served one before."
        case .retry: "Requests sent again because the first connection was stale."
        case .failure: "Requests that failed after they had been sent (closed or reset early)."
        case .badResponse: "Responses that were refused because they could not be trusted."
        case .unavailable: "Requests answered with 503 because no server was available."
        case .timeout: "Requests that the upstream did not answer in time."
        }
    }
}

/// What became of the question who is asking and whether they may.
public enum AuthOutcome: Int, CaseIterable, Sendable {
    /// A credential was verified and the rule admits it.
    case accepted
    /// The route asks for no credential and none was verified.
    case anonymous
    /// No credential, or one that is not valid (401).
    case rejected
    /// A valid credential that the rule does not admit (403).
    case denied
    /// It could not be decided (503).
    case unavailable
    /// It would have been refused, but the rule only reports.
    case reportOnly

    /// The label value, also in the access log.
    public var name: StaticString {
        switch self {
        case .accepted: "accepted"
        case .anonymous: "anonymous"
        case .rejected: "rejected"
        case .denied: "denied"
        case .unavailable: "unavailable"
        case .reportOnly: "report_only"
        }
    }
}
