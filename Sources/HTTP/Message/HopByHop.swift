// HOT. Which fields end at this hop, and which ones `Connection` may not take away.

/// Fields that are meant for one connection only (RFC 9110 §7.6.1), and the gateway's own additions to that list.
public enum HopByHop {
    /// Whether the field never reaches the next hop as it was received.
    ///
    /// Beside the hop-by-hop fields these are `Host`, `Content-Length` and `Expect`, which are written anew, and
    /// `Trailer`, which holds only if trailers are passed on.
    @inline(__always)
    public static func drops(_ id: FieldID) -> Bool {
        switch id {
        case .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .http2Settings,
            .proxyAuthenticate, .proxyAuthenticationInfo, .proxyAuthorization, .host, .contentLength, .expect:
            true
        default:
            false
        }
    }

    /// Whether a message whose `Connection` names the field is refused: dropping it would change what the message
    /// means to the next hop (Connection: X-User and its kin).
    public static func isEssential(_ id: FieldID) -> Bool {
        switch id {
        case .host, .contentLength, .transferEncoding, .authorization, .cookie, .setCookie, .xRequestID, .contentType,
            .contentEncoding, .contentRange, .cacheControl, .date, .expect, .location, .maxForwards,
            .origin, .range, .via, .wwwAuthenticate, .traceparent, .tracestate, .proxyAuthorization:
            true
        default:
            id.isForwarding || id.isMethodOverride
        }
    }

    /// Whether a trailer section may not carry the field (RFC 9110 §6.5.1): framing, routing, credentials, and what
    /// says how to read the content.
    public static func isForbiddenInTrailers(_ id: FieldID) -> Bool {
        if drops(id) { return true }
        return switch id {
        case .authorization, .cookie, .setCookie, .xRequestID, .contentType, .contentEncoding,
            .contentRange, .cacheControl, .maxForwards, .origin, .proxy, .range, .wwwAuthenticate, .traceparent,
            .tracestate,
            .location, .retryAfter, .vary, .age, .expires, .pragma, .from, .ifMatch, .ifNoneMatch, .ifModifiedSince,
            .ifUnmodifiedSince, .ifRange, .via:
            true
        default:
            id.isForwarding || id.isMethodOverride
        }
    }
}
