// COLD. The portal's own cookies out of a request, and cookies as they are set.

/// The pairs of all Cookie fields of a request, read as the gate reads them: byte by byte (RFC 6265bis §5.7).
///
/// Never by characters: to those U+037E is a `;`, and an `=` with a combining mark behind it is no `=`. A cookie that
/// the gate takes for a service's would be one of ours here.
public struct CookiePairs: Sendable {
    private var pairs: [(name: [UInt8], value: [UInt8])] = []
    /// Whether there is more than any browser sends: beyond 8 KiB or 64 pairs (advisory D37) none of it counts.
    public let isExcessive: Bool

    /// Reads `Cookie`.
    public init(_ fields: [(name: String, value: String)]) {
        var bytes = 0
        for field in fields where field.name == "cookie" {
            var rest = Array(field.value.utf8)[...]
            bytes += rest.count
            while !rest.isEmpty {
                let pair = rest.prefix { $0 != 0x3b }
                rest = rest.dropFirst(pair.count + 1)
                // One without a value is one of its name as well.
                let name = pair.prefix { $0 != 0x3d }
                pairs.append((CookiePairs.trim(name), CookiePairs.trim(pair.dropFirst(name.count + 1))))
            }
        }
        isExcessive = bytes > 8192 || pairs.count > 64
    }

    /// All values of a name, in the order they came.
    public func values(of name: String) -> [String] {
        pairs.filter { $0.name.elementsEqual(name.utf8) }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private static func trim(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        let rest = bytes.drop(while: isBlank)
        guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return [] }
        return Array(rest[...last])
    }
}

/// The cookies of a request, of which a name that came twice is none: somebody planted one.
struct Cookies: Sendable {
    private let pairs: CookiePairs

    init(_ request: PortalRequest) { pairs = CookiePairs(request.fields) }

    /// Whether there are more than are looked at.
    var areExcessive: Bool { pairs.isExcessive }

    /// The value of a cookie that came once and is not empty.
    subscript(_ name: String) -> String? {
        guard !pairs.isExcessive else { return nil }
        let values = pairs.values(of: name)
        return values.count == 1 && !values[0].isEmpty ? values[0] : nil
    }

    /// All values of a cookie that came, even if too many did: what is to be ended counts, not who somebody is.
    func all(_ name: String) -> [String] { pairs.values(of: name) }
}

extension Visit {
    /// The value of one of the portal's own cookies.
    func own(_ cookie: OwnCookie, _ plan: PortalPlan) -> String? { cookies[plan.ownCookie(cookie, at: site).name] }
}

extension PortalAnswer {
    /// Sets one of the portal's own cookies; empty: clears it.
    mutating func set(_ own: OwnCookie, _ value: String, seconds: Int64? = nil, _ visit: Visit, _ plan: PortalPlan) {
        add("Set-Cookie", plan.ownCookie(own, at: visit.site).line(value, seconds: seconds))
    }

    /// Sets the session's cookie; empty: clears it.
    mutating func setSession(_ value: String, seconds: Int64? = nil, _ visit: Visit, _ plan: PortalPlan) {
        add("Set-Cookie", plan.cookie(at: visit.site).line(value, seconds: seconds))
    }

    /// Sets what is remembered of the browser.
    mutating func set(_ flow: BrowserFlow, _ ring: KeyRing, _ visit: Visit, _ plan: PortalPlan) {
        var fresh = flow
        fresh.issued = visit.now
        set(.flow, fresh.sealed(ring, host: visit.site), seconds: BrowserFlow.lifetime, visit, plan)
    }
}
