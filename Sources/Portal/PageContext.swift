// COLD. A page's model as the names that templates know; every value is escaped here, once.
import Mustache
import Sessions

/// Words by path, `{{t.login.title}}`, with the page's own values filled in.
struct PageWords: MustacheParent {
    let strings: PageStrings
    let values: [String: String]
    var path = ""

    func child(named name: String) -> Any? {
        let key = path.isEmpty ? name : "\(path).\(name)"
        if let text = strings.text(key, values) { return PageText.escaped(text) }
        return strings.hasSection(key) ? PageWords(strings: strings, values: values, path: key) : nil
    }
}

/// Builds what a template is given.
struct PageContext {
    /// The words.
    let strings: PageStrings
    /// Language that the query asked for; carried on by forms and links.
    let chosen: String?
    /// Where the portal's own paths begin.
    private let prefix: String
    /// Names and what they stand for: escaped text, flags, rows.
    private(set) var names: [String: Any] = [:]
    /// Values for `{name}` in words, not escaped.
    private var values: [String: String] = [:]
    /// The first heading, not escaped.
    private(set) var heading = ""
    private var isProblem = false
    /// Where the same page is in another language, with what it was asked for: a path, or empty for this very one.
    private var address = ""
    /// What a link there carries on beside it, `&name=value`.
    private var carried = ""

    /// The context of a page.
    init(_ page: Page, _ strings: PageStrings, chosen: String?, title: String, prefix: String) {
        self.strings = strings
        self.prefix = prefix
        self.chosen = chosen
        switch page {
        case .login(let page): fill(page)
        case .secondFactor(let page): fill(page)
        case .sessions(let page): fill(page)
        case .signedOut(let page): fill(page)
        case .error(let page): fill(page)
        case .confirm(let page): fill(page)
        }
        put("title", title)
        put("page_title", word(isProblem ? "page.title_problem" : "page.title", ["heading": heading, "title": title]))
        put("heading", heading)
        names["t"] = PageWords(strings: strings, values: values)
    }

    /// Adds a text.
    mutating func put(_ name: String, _ text: String?) {
        if let text { names[name] = PageText.escaped(text) }
    }

    /// A link to the same page in another language.
    func link(in language: String) -> String {
        (address.isEmpty ? "?lang=\(language)" : PageText.link(address, language: language)) + carried
    }

    /// Adds what is safe as it is.
    mutating func put(_ name: String, raw: Any) { names[name] = raw }

    private func word(_ key: String, _ values: [String: String] = [:]) -> String { strings.text(key, values) ?? "" }

    /// Adds a link, unless it is empty or not one that may stand in a page.
    ///
    /// Only own pages are told the language.
    private mutating func link(_ name: String, _ target: String) {
        let path = target.prefix { $0 != "?" && $0 != "#" }
        let isOwn = path == prefix || path.hasPrefix(prefix + "/")
        put(name, PageText.link(target).map { PageText.link($0, language: isOwn ? chosen : nil) })
    }

    private mutating func fill(_ page: LoginPage) {
        heading = word(page.isStepUp ? "login.step_up_title" : "login.title")
        names["gate"] = "half"
        link("action", page.action)
        link("cancel", page.cancel)
        put("csrf", page.token)
        put("return_to", page.returnTo)
        put("account", page.account)
        names["is_step_up"] = page.isStepUp
        carry(page.returnTo, at: page.action)
        names["offers_remember"] = page.offersRemember
        names["remember"] = page.remember
        // The field that is to be filled in next has the focus.
        names["focus_account"] = page.account.isEmpty
        names["focus_password"] = !page.account.isEmpty
        names["is_wrong"] = page.error == .wrongCredentials
        problem(page.error, wait: page.waitSeconds)
    }

    private mutating func fill(_ page: SecondFactorPage) {
        heading = word("second_factor.title")
        names["gate"] = "half"
        values["account"] = page.account
        link("action", page.action)
        link("restart", page.restart)
        put("csrf", page.token)
        put("return_to", page.returnTo)
        put("account", page.account)
        names["offers_recovery"] = page.offersRecovery
        carry(page.returnTo, at: page.action)
        names["is_wrong"] = page.error == .wrongCode
        names["is_wrong_recovery"] = page.error == .wrongRecovery
        names["is_recovery"] = page.isRecovery
        problem(page.error, wait: page.waitSeconds)
    }

    private mutating func fill(_ page: SessionsPage) {
        heading = word("sessions.title")
        names["gate"] = "up"
        values["account"] = page.account
        link("action", page.action)
        link("logout_action", page.logoutAction)
        link("home", page.home)
        put("csrf", page.token)
        put("account", page.account)
        put("ended", page.ended.map { $0 == 0 ? word("sessions.gone") : strings.text("sessions.ended", count: $0) })
        var labels: [String: Int] = [:]
        if let current = page.rows.first(where: \.isCurrent) {
            names["current"] = row(current, now: page.now, &labels)
        }
        let others = page.rows.filter { !$0.isCurrent }.map { row($0, now: page.now, &labels) }
        names["rows"] = others
        names["has_rows"] = !others.isEmpty
        names["is_truncated"] = page.isTruncated
    }

    private func row(_ row: SessionsPage.Row, now: Int64, _ labels: inout [String: Int]) -> [String: Any] {
        func time(_ second: Int64) -> [String: Any] {
            let words = PageTime.words(of: second, now: now, in: strings)
            return [
                "iso": words.iso, "relative": PageText.escaped(words.relative),
                "absolute": PageText.escaped(words.absolute),
            ]
        }
        let device = device(row.device)
        let since = PageTime.words(of: row.created, now: now, in: strings)
        var label = word(
            "sessions.end_label",
            ["device": device, "created": since.relative, "address": row.address, "exact": since.exact]
        )
        // Two of the same second: who listens must still tell them apart.
        let same = labels[label, default: 0] + 1
        labels[label] = same
        if same > 1 { label += " (\(same))" }
        return [
            "handle": PageText.escaped(row.handle), "device": PageText.escaped(device),
            "address": PageText.escaped(row.address), "site": PageText.escaped(row.site),
            "created": time(row.created), "last_seen": time(row.lastSeen), "ends": time(row.ends),
            "has_second_factor": row.hasSecondFactor, "end_label": PageText.escaped(label),
        ]
    }

    /// A device as sessions hold it (`Firefox on Linux`), in the reader's language.
    private func device(_ name: String) -> String {
        if name.isEmpty || name == DeviceName.unknown { return word("session.unknown_device") }
        guard let middle = name.firstRange(of: " on ") else { return name }
        let (browser, system) = (String(name[..<middle.lowerBound]), String(name[middle.upperBound...]))
        let named = browser == "Browser" ? word("session.browser") : browser
        return word("session.device", ["browser": named, "system": system])
    }

    private mutating func fill(_ page: SignedOutPage) {
        heading = word("signed_out.title")
        names["gate"] = "down"
        names["was_everywhere"] = page.wasEverywhere
        link("login", page.login)
        link("home", page.home)
    }

    private mutating func fill(_ page: ErrorPage) {
        let side = page.status >= 500 ? "error.server" : "error.client"
        // Codes are names of texts: one that is not, shows the words for all of its kind.
        let known = strings.texts["error.\(page.code).title"] != nil
        let key = known ? "error.\(page.code)" : side
        heading = word("\(key).title")
        isProblem = true
        names["gate"] = "down"
        put("status", String(page.status))
        put("text", known || page.detail.isEmpty ? word("\(key).text") : page.detail)
        put("code", page.code)
        if !page.requestID.isEmpty { put("request_id", page.requestID) }
        put("wait", page.waitSeconds.map { word("error.wait", ["when": PageTime.ahead($0, in: strings)]) })
        link("retry", page.retry)
        switch page.way {
        case .login(let target)?: link("login", target)
        case .sessions(let target)?: link("sessions", target)
        case nil: break
        }
        if !page.note.isEmpty { put("note", page.note) }
    }

    private mutating func fill(_ page: ConfirmPage) {
        heading = word("confirm.title")
        names["gate"] = "up"
        values["account"] = page.account
        link("action", page.action)
        link("cancel", page.cancel)
        put("csrf", page.token)
        put("return_to", page.returnTo)
        put("account", page.account)
        carry(page.returnTo, at: page.action)
    }

    /// The form's own path and query: they know of the site and of the step that the login is for, and lead to the form
    /// whatever it was that answered with it.
    private mutating func carry(_ target: String, at action: String) {
        address = PageText.link(action) ?? ""
        if !target.isEmpty { carried += "&return_to=\(PageText.percentEncoded(target))" }
    }

    private mutating func problem(_ error: FormError?, wait: Int?) {
        guard let error else { return }
        isProblem = true
        let span = PageTime.span(wait ?? 1, in: strings)
        put("problem", word("problem.\(error.rawValue)", ["wait": span]))
    }
}
