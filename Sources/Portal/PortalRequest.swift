// COLD. What comes into the portal and what goes out: values only, no socket and no parser of HTTP.
public import Sessions

/// A request for a path below the portal's prefix.
public struct PortalRequest: Sendable {
    /// In capitals.
    public var method: String
    /// Canonical, decoded once: `/auth/login`.
    public var path: String
    /// Behind the `?`, without it; as it came.
    public var query: String
    /// The authority as the client sent it: `app.example.com`, perhaps with a port; checked for its form.
    public var host: String
    /// `https` or `http`, as the client sees it.
    public var scheme: String
    /// Names in lower case, in the order of arrival.
    public var fields: [(name: String, value: String)]
    /// The whole body; the gateway stops reading at ``PortalLimits/body`` and one more byte.
    public var body: [UInt8]
    /// The client's address, IPv4 or IPv6 in text.
    public var clientAddress: String
    /// Whether that is this machine.
    public var isLoopback: Bool
    /// For logs and error pages.
    public var requestID: String
    /// Unix seconds.
    public var now: Int64
    /// The live session of the cookie, if there is one.
    public var session: SessionRecord?
    /// Whether a session cookie came, good or not.
    public var hadCookie: Bool
    /// Whether the cookie must not be cleared although it is no session's: the browser may have a newer one by now.
    public var keepsCookie = false

    /// A request.
    public init(
        method: String = "GET",
        path: String,
        query: String = "",
        host: String,
        scheme: String = "https",
        fields: [(name: String, value: String)] = [],
        body: [UInt8] = [],
        clientAddress: String = "",
        isLoopback: Bool = false,
        requestID: String = "",
        now: Int64,
        session: SessionRecord? = nil,
        hadCookie: Bool = false
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.host = host
        self.scheme = scheme
        self.fields = fields
        self.body = body
        self.clientAddress = clientAddress
        self.isLoopback = isLoopback
        self.requestID = requestID
        self.now = now
        self.session = session
        self.hadCookie = hadCookie
    }

    /// The value of a field that came exactly once.
    func single(_ name: String) -> String? {
        var found: String?
        for field in fields where field.name == name {
            if found != nil { return nil }
            found = field.value
        }
        return found
    }

    /// Whether a field came at all.
    func has(_ name: String) -> Bool { fields.contains { $0.name == name } }
}

/// An answer of the portal.
public struct PortalAnswer: Sendable {
    /// The status.
    public var status: Int
    /// Fields in the order they are sent; no value holds CR, LF or NUL.
    public var fields: [(name: String, value: String)]
    /// The body; left out by the gateway for HEAD.
    public var body: [UInt8]
    /// Whether it is the stream of events of the session: the gateway keeps it open.
    public var events = false
    /// Sessions that ended: told to all workers before the answer is sent.
    public var ended: [Ended] = []
    /// The session that began, if one did.
    public var began: SessionKey?
    /// Code for the access log, snake_case.
    public var note: String
    /// Whether the request was refused because another site's page made it.
    public var isCrossSite: Bool { note == PortalProblem.crossSite.rawValue }

    /// An answer.
    public init(status: Int, note: String, fields: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.note = note
        self.fields = fields
        self.body = body
    }

    /// Adds a field; bytes that would end it are left out.
    mutating func add(_ name: String, _ value: String) {
        let isClean = value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
        fields.append(
            (name, isClean ? value : String(value.unicodeScalars.filter { $0.value >= 0x20 && $0 != "\u{7f}" }))
        )
    }

    /// The first value of a field, by its name in any case.
    public func value(of name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// Bounds of what the portal reads.
public enum PortalLimits {
    /// Most bytes of a body.
    public static let body = 16_384
    /// Most fields of a form, a query or a JSON object.
    public static let fields = 32
    /// Most bytes of a return target.
    public static let target = 8192
    /// Most bytes of a path that is handed over to another site: it waits in the store.
    static let handedTarget = 2048
    /// Bytes of a request line that are no return target: method, path of the form, state, language.
    static let beside = 1024
    /// Most bytes of a login name.
    public static let name = 256
    /// Most bytes of a password.
    public static let password = 1024
    /// Seconds that a form is good for.
    static let form: Int64 = 4 * 3600
    /// Seconds between password and second factor.
    static let halfLogin: Int64 = 300
    /// Seconds for which gateways on one store tell each other that a recovery code was used: ten years.
    static let recovery: Int64 = 10 * 365 * 86_400
    /// Codes that may be tried for one password.
    static let codeAttempts = 5
    /// Seconds that a hand-off code is good for.
    static let handoff: Int64 = 30
    /// Days that a device is known for.
    static let deviceDays: Int64 = 180
    /// Seconds in which redirects are counted by the loop breaker.
    static let loopWindow: Int64 = 30
    /// Redirects to one target in that time that are one too many.
    static let loopSame = 3
    /// The same where the browser is logged in: people open login pages, too, and browsers follow 20 redirects at most.
    static let loopLoggedIn = 8
    /// The same for all targets together: many tabs may be restored at once.
    static let loopAny = 50
    /// Most session cookies of one request that a logout looks at.
    static let doubtedCookies = 64
    /// Rows of the list of sessions.
    static let rows = 200
}
