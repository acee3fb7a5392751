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
    /// Several fields of either name, and `null`, are foreign. `same-site` is: other hosts of the domain are other
    /// parties. The gate decides in the same way.
    init(_ request: PortalRequest, allowed: [String]) {
        let origin = request.single("origin")
        let own = Origin.make(scheme: request.scheme, host: request.host)
        let isOwn = origin.map { RequestSource.isSame($0, own, scheme: request.scheme) } ?? false
        let isAllowed = origin.map { allowed.contains($0) } ?? false
        if request.has("origin"), origin == nil {
            self = .foreign
        } else if request.has("sec-fetch-site") {
            switch request.single("sec-fetch-site").map({ $0.lowercased() }) {
            case "same-origin"?: self = .own
            // What the user did without a page.
            case "none"?: self = origin == nil || isOwn || isAllowed ? .own : .foreign
            case nil: self = .foreign
            default: self = isAllowed ? .own : .foreign
            }
        } else if origin != nil {
            self = isOwn || isAllowed ? .own : .foreign
        } else {
            self = .unknown
        }
    }

    /// The scheme to the letter, the host in any case of ASCII letters.
    private static func isSame(_ origin: String, _ own: String, scheme: String) -> Bool {
        func folded(_ byte: UInt8) -> UInt8 { 0x41...0x5a ~= byte ? byte | 0x20 : byte }
        return origin.hasPrefix(scheme + "://") && origin.utf8.map(folded) == own.utf8.map(folded)
    }
}
