// COLD. The portal's own cookies out of a request, and cookies as they are set.

/// The cookies of a request (RFC 6265bis §5.7), of which a name that came twice is none: somebody planted one.
struct Cookies: Sendable {
    private var values: [String: String] = [:]

    /// Reads `Cookie`; beyond 8 KiB or 64 pairs (advisory D37) there are none.
    init(_ request: PortalRequest) {
        let lines = request.fields.filter { $0.name == "cookie" }.map(\.value)
        guard lines.reduce(0, { $0 + $1.utf8.count }) <= 8192 else { return }
        var twice: Set<String> = []
        var count = 0
        for pair in lines.flatMap({ $0.split(separator: ";") }) {
            count += 1
            guard count <= 64 else {
                values = [:]
                return
            }
            // One without a value is one of its name as well.
            let equals = pair.firstIndex(of: "=") ?? pair.endIndex
            let name = Cookies.trim(pair[..<equals])
            if values.updateValue(Cookies.trim(pair[equals...].dropFirst()), forKey: name) != nil {
                twice.insert(name)
            }
        }
        for name in twice { values[name] = nil }
    }

    /// The value of a cookie that came once and is not empty.
    subscript(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }

    private static func trim(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
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
