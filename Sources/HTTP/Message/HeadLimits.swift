// COLD. How large a message's head may be.

/// Sizes in bytes and counts that a head may not exceed.
public struct HeadLimits: Sendable {
    /// The request line or status line, without its CRLF; over it 414.
    public var requestLine = 8192
    /// The whole head, with the empty line; over it 431.
    public var head = 32768
    /// The number of field lines.
    public var fields = 100
    /// One field line, without its CRLF.
    public var field = 8192
    /// The `Authorization` line, which may hold a large token.
    public var authorizationField = 16384 + 64
    /// One `Cookie` line: where it is longer than what is looked at, the request has no session.
    ///
    /// A browser sends it with every request, and nobody would tell it to forget a cookie if all were refused.
    public var cookieField = 32768
    /// Cookies of all `Cookie` fields together.
    ///
    /// Browsers keep up to 180 of a domain. Where there are more than are looked at, the request has no session.
    public var cookiePairs = 256
    /// Names in all `Connection` fields together.
    public var connectionOptions = 32
    /// The whole trailer section.
    public var trailers = 8192

    /// The limits for requests.
    public init() {}

    /// Limits for the responses of an upstream: twice as generous.
    public static var response: HeadLimits {
        var limits = HeadLimits()
        limits.head = 65536
        limits.field = 16384
        limits.fields = 200
        return limits
    }
}
