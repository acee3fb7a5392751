// COLD. One request on its way through the portal: what it asks for, from where, and in which form it wants the answer.
internal import Sessions

/// A request with what every flow needs to know of it.
struct Visit: Sendable {
    let request: PortalRequest
    let query: Submission
    let cookies: Cookies
    /// Whose page it comes from.
    let source: RequestSource
    /// Whether the answer is a page.
    let wantsPage: Bool
    /// `https://app.example.com`.
    let origin: String
    /// `app.example.com`: what cookies are bound to.
    let site: String

    init(_ request: PortalRequest, plan: PortalPlan) {
        self.request = request
        query = Submission.query(request.query)
        cookies = Cookies(request)
        source = RequestSource(request, allowed: plan.origins)
        wantsPage = Negotiation.wantsPage(request, asksForForm: plan.isForm(request))
        origin = Origin.make(scheme: request.scheme, host: request.host)
        site = Origin.name(request.host)
    }

    var now: Int64 { request.now }
    /// `HEAD` is answered as `GET`; the gateway leaves the body out.
    var method: String { request.method == "HEAD" ? "GET" : request.method }
    /// The live session of this browser here.
    var session: SessionRecord? { request.session.flatMap { $0.isLive(at: now) ? $0 : nil } }

    /// Whether a script makes the request, which another page would tell nothing; as the gate decides it.
    var isScript: Bool {
        guard let mode = request.single("sec-fetch-mode") else {
            // Web views of Android put the name of their app there.
            return request.single("x-requested-with")?.lowercased() == "xmlhttprequest"
        }
        return mode.lowercased() != "navigate"
    }
    /// Whether the page came over plain http from a host whose cookies go over https alone: the browser kept none.
    var isOverPlainHTTP: Bool {
        request.scheme == "https"
            && request.single("origin")?.lowercased() == Origin.make(scheme: "http", host: request.host)
    }

    /// Origins of the sites that a login here can be handed to: on this request's scheme and port.
    func siblings(_ plan: PortalPlan) -> [String] {
        guard site == plan.loginHost else { return [] }
        return plan.siblings.filter { $0 != site }.map {
            Origin.sibling($0, of: request.host, scheme: request.scheme)
        }
    }

    /// Where the answer to a form of the portal's may lead that ends at a page of a service: for `form-action`.
    ///
    /// Browsers hold the whole chain of redirects against it, and a service may lead on to any other origin. Scripts
    /// there are none, and what pages show is escaped: that they hold no form but ours does not rest on this.
    func formOrigins(_ plan: PortalPlan) -> [String] {
        ["https:"] + (request.scheme == "http" ? ["http:"] : []) + siblings(plan)
    }

    /// The same for the forms that log out.
    func logoutOrigins(_ plan: PortalPlan, returnTo: String? = nil) -> [String] {
        guard let target = returnTo ?? plan.afterLogout else { return [] }
        return formOrigins(plan) + (Origin.of(target).map { [$0] } ?? [])
    }

    /// The flow that this browser's cookie holds.
    func flow(_ ring: KeyRing, _ plan: PortalPlan) -> BrowserFlow? {
        own(.flow, plan).flatMap { BrowserFlow.open($0, ring, host: site, now: now) }
    }

    var reader: PageReader {
        var reader = PageReader()
        reader.acceptLanguage = request.single("accept-language") ?? ""
        reader.language = query["lang"]
        return reader
    }
}

/// HTML or JSON.
enum Negotiation {
    /// Whether the client wants a page: it prefers HTML in `Accept`, or leaves it open and navigates.
    ///
    /// Of one that says nothing of either: only when it sends a form, or `asksForForm`.
    static func wantsPage(_ request: PortalRequest, asksForForm: Bool = false) -> Bool {
        if request.single("content-type").map(Submission.mediaType) == "application/json" { return false }
        let accept = request.fields.filter { $0.name == "accept" }.map(\.value).joined(separator: ",")
        let html = max(
            quality(of: "text/html", in: accept) ?? -1,
            quality(of: "application/xhtml+xml", in: accept) ?? -1
        )
        let json = max(
            quality(of: "application/json", in: accept) ?? -1,
            quality(of: "application/problem+json", in: accept) ?? -1
        )
        if html > 0 || json > 0 { return html >= json }
        if html == 0 { return false }
        if let mode = request.single("sec-fetch-mode") { return mode == "navigate" }
        guard request.method == "POST" else { return asksForForm }
        return request.single("content-type").map(Submission.mediaType) == "application/x-www-form-urlencoded"
    }

    /// The quality of a type that is named in `accept`; nil when it is not.
    private static func quality(of type: String, in accept: String) -> Double? {
        for range in accept.split(separator: ",").prefix(64) {
            let parts = range.split(separator: ";").map { $0.lowercased().filter { $0 != " " && $0 != "\t" } }
            guard parts.first == type else { continue }
            for part in parts.dropFirst() where part.hasPrefix("q=") { return Double(part.dropFirst(2)) ?? 0 }
            return 1
        }
        return nil
    }
}

/// What a login is wanted for.
struct LoginWish: Sendable, Equatable {
    /// Where it leads.
    var target: ReturnTarget
    /// What the target's site bound to its browser; nil: the target is of this site.
    var state: String?
    /// 0: a login; 1: a fresh one of the same account; 2: one with a second factor.
    var stepUp = 0
    /// Whether the form came without its cookie before.
    var isSecondTry = false

    /// Out of query and form; a target that is not allowed becomes the default.
    init(_ visit: Visit, _ form: Submission? = nil, plan: PortalPlan) {
        let text = form?[FormField.returnTo] ?? visit.query[FormField.returnTo]
        target =
            text.flatMap { ReturnTarget.check($0, origin: visit.origin, sites: visit.siblings(plan), plan: plan) }
            ?? .local(plan.afterLogin)
        // 43 characters of base64url, or none.
        state = visit.query["state"].flatMap { SessionKey(text: $0) == nil ? nil : $0 }
        let steps = [form?[FormField.stepUp], visit.query[FormField.stepUp]].map { $0.flatMap { Int($0) } ?? 0 }
        stepUp = min(max(steps[0], steps[1], 0), 2)
        isSecondTry = visit.query.isOn(FormField.secondTry)
    }

    /// For `return_to`; empty when it is the default.
    func returnTo(_ plan: PortalPlan) -> String { target == .local(plan.afterLogin) ? "" : target.text }

    /// The path of a login page with all of this.
    func location(_ rest: String, _ plan: PortalPlan, withTarget: Bool = true) -> String {
        var fields: [String] = []
        if withTarget, !returnTo(plan).isEmpty { fields.append("return_to=" + PercentCoding.encode(target.text)) }
        if let state { fields.append("state=\(state)") }
        if stepUp > 0 { fields.append("step_up=\(stepUp)") }
        if isSecondTry, !withTarget { fields.append("\(FormField.secondTry)=1") }
        return plan.path(rest) + (fields.isEmpty ? "" : "?" + fields.joined(separator: "&"))
    }
}
