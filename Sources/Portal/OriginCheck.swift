// COLD. Whose page a request comes from, as the browser itself says: the first wall against forged requests.

/// Where a request with cookies comes from.
enum RequestSource: Sendable, Equatable {
    /// A page of this origin, or of one that the configuration allows.
    case own
    /// The browser does not say, or it is none.
    case unknown
    /// Any other page.
    case foreign

    /// By `Sec-Fetch-Site`, which pages cannot set, else by `Origin`.
    ///
    /// Several `Origin` fields, and `null`, are foreign. `same-site` is: other hosts of the domain are other parties.
    init(_ request: PortalRequest, allowed: [String]) {
        let origin = request.single("origin")
        let own = Origin.make(scheme: request.scheme, host: request.host)
        let isAllowed = origin.map { allowed.contains($0) } ?? false
        if request.has("origin"), origin == nil {
            self = .foreign
        } else if request.has("sec-fetch-site") {
            switch request.single("sec-fetch-site") {
            case "same-origin"?: self = .own
            case "none"?: self = origin == nil ? .unknown : (origin == own ? .own : .foreign)
            default: self = isAllowed ? .own : .foreign
            }
        } else if let origin {
            self = origin == own || isAllowed ? .own : .foreign
        } else {
            self = .unknown
        }
    }
}
