// HOT. The field names this gateway has an opinion about.

/// The fields that are told apart; every other name is `other`.
public enum FieldID: UInt8, Sendable, CaseIterable {
    case other
    case accept, acceptEncoding, acceptLanguage, age, authorization, cacheControl, connection, contentEncoding
    case contentLength, contentRange, contentType, cookie, date, etag, expect, expires, forwarded, from, host
    case http2Settings, ifMatch, ifModifiedSince, ifNoneMatch, ifRange, ifUnmodifiedSince, keepAlive, lastModified
    case location, maxForwards, origin, pragma, proxy, proxyAuthenticate, proxyAuthenticationInfo, proxyAuthorization
    case proxyConnection, range, referer, retryAfter, server, setCookie, strictTransportSecurity, te, traceparent
    case tracestate, trailer, transferEncoding, upgrade, userAgent, vary, via, wwwAuthenticate
    case secWebSocketKey, secWebSocketVersion, secWebSocketProtocol, secWebSocketExtensions, secWebSocketAccept
    case xForwardedFor, xForwardedHost, xForwardedProto, xForwardedPort
    /// Any other `x-forwarded-…`, and `x-envoy-…`.
    case xForwardedOther
    case xForwarded, xRealIP, xClientIP, xClusterClientIP, trueClientIP, cfConnectingIP
    case xHTTPMethod, xHTTPMethodOverride, xMethodOverride
    /// `x-original-…` and `x-rewrite-url`.
    case xOriginalURL
    case xRequestID

    /// The name in lower case; empty for the families `other`, `xForwardedOther` and `xOriginalURL`.
    public var name: StaticString {
        switch self {
        case .other, .xForwardedOther, .xOriginalURL: ""
        case .accept: "accept"
        case .acceptEncoding: "accept-encoding"
        case .acceptLanguage: "accept-language"
        case .age: "age"
        case .authorization: "authorization"
        case .cacheControl: "cache-control"
        case .connection: "connection"
        case .contentEncoding: "content-encoding"
        case .contentLength: "content-length"
        case .contentRange: "content-range"
        case .contentType: "content-type"
        case .cookie: "cookie"
        case .date: "date"
        case .etag: "etag"
        case .expect: "expect"
        case .expires: "expires"
        case .forwarded: "forwarded"
        case .from: "from"
        case .host: "host"
        case .http2Settings: "http2-settings"
        case .ifMatch: "if-match"
        case .ifModifiedSince: "if-modified-since"
        case .ifNoneMatch: "if-none-match"
        case .ifRange: "if-range"
        case .ifUnmodifiedSince: "if-unmodified-since"
        case .keepAlive: "keep-alive"
        case .lastModified: "last-modified"
        case .location: "location"
        case .maxForwards: "max-forwards"
        case .origin: "origin"
        case .pragma: "pragma"
        case .proxy: "proxy"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthenticationInfo: "proxy-authentication-info"
        case .proxyAuthorization: "proxy-authorization"
        case .proxyConnection: "proxy-connection"
        case .range: "range"
        case .referer: "referer"
        case .retryAfter: "retry-after"
        case .server: "server"
        case .setCookie: "set-cookie"
        case .strictTransportSecurity: "strict-transport-security"
        case .te: "te"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .trailer: "trailer"
        case .transferEncoding: "transfer-encoding"
        case .upgrade: "upgrade"
        case .userAgent: "user-agent"
        case .vary: "vary"
        case .via: "via"
        case .wwwAuthenticate: "www-authenticate"
        case .secWebSocketKey: "sec-websocket-key"
        case .secWebSocketVersion: "sec-websocket-version"
        case .secWebSocketProtocol: "sec-websocket-protocol"
        case .secWebSocketExtensions: "sec-websocket-extensions"
        case .secWebSocketAccept: "sec-websocket-accept"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedHost: "x-forwarded-host"
        case .xForwardedProto: "x-forwarded-proto"
        case .xForwardedPort: "x-forwarded-port"
        case .xForwarded: "x-forwarded"
        case .xRealIP: "x-real-ip"
        case .xClientIP: "x-client-ip"
        case .xClusterClientIP: "x-cluster-client-ip"
        case .trueClientIP: "true-client-ip"
        case .cfConnectingIP: "cf-connecting-ip"
        case .xHTTPMethod: "x-http-method"
        case .xHTTPMethodOverride: "x-http-method-override"
        case .xMethodOverride: "x-method-override"
        case .xRequestID: "x-request-id"
        }
    }

    /// Whether the field says where a request came from or what it was before another hop changed it: believed of
    /// trusted proxies only.
    @inline(__always)
    public var isForwarding: Bool {
        switch self {
        case .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedOther,
            .xForwarded, .xRealIP, .xClientIP, .xClusterClientIP, .trueClientIP, .cfConnectingIP, .xOriginalURL:
            true
        default: false
        }
    }

    /// Whether the field asks a service to take the request for one with another method.
    @inline(__always)
    public var isMethodOverride: Bool {
        switch self {
        case .xHTTPMethod, .xHTTPMethodOverride, .xMethodOverride: true
        default: false
        }
    }
}
