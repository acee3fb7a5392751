// COLD. The portal's pages: what they hold, in which language, that nothing escapes from a value, and own templates.
import Foundation
import Testing

@testable import Portal

@Suite("Pages")
struct PageTests {
    private func html(_ page: Page, _ accept: String = "en", lang: String? = nil) throws -> String {
        var reader = PageReader()
        (reader.acceptLanguage, reader.language) = (accept, lang)
        return String(decoding: try PageRenderer().render(page, for: reader).body, as: UTF8.self)
    }

    private func login(_ change: (inout LoginPage) -> Void = { _ in }) -> Page {
        var page = LoginPage()
        (page.action, page.token, page.returnTo) = ("/auth/login", "token-1", "/orders?id=1&x=2")
        change(&page)
        return .login(page)
    }

    @Test("the login form has its fields, labels and what password managers look for")
    func loginForm() throws {
        let text = try html(login())
        for part in [
            "<html lang=\"en\" dir=\"ltr\">", "<form method=\"post\" action=\"/auth/login\">",
            "name=\"csrf\" value=\"token-1\"", "name=\"return_to\" value=\"/orders?id=1&amp;x=2\"",
            "<label for=\"username\">", "autocomplete=\"username\"", "<label for=\"password\">",
            "autocomplete=\"current-password\"", "type=\"password\"",
        ] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(!text.contains("name=\"remember\""))
        #expect(!text.contains("<script"))
        #expect(
            try html(login { $0.offersRemember = true }).contains("name=\"remember\" type=\"checkbox\" value=\"1\"")
        )
    }

    @Test("the field that is to be filled in has the focus, and an error is tied to it")
    func focus() throws {
        func focused(_ text: String) -> String? {
            text.split(separator: "<input ").first { $0.prefix { $0 != ">" }.contains(" autofocus") }
                .map { String($0.prefix { $0 != " " }) }
        }
        #expect(focused(try html(login())) == "id=\"username\"")
        let wrong = try html(
            login {
                $0.account = "ada"
                $0.error = .wrongCredentials
            }
        )
        #expect(focused(wrong) == "id=\"password\"")
        #expect(wrong.contains("id=\"problem\" role=\"alert\""))
        #expect(wrong.contains("aria-invalid=\"true\" aria-describedby=\"problem\""))
        #expect(wrong.contains("<title>Problem: "))
        #expect(!wrong.contains("value=\"ada\" autocomplete=\"current-password\""))
    }

    @Test("a step-up fixes the account's name")
    func stepUp() throws {
        let text = try html(
            login {
                $0.account = "ada"
                $0.isStepUp = true
            }
        )
        #expect(text.contains("required readonly"))
        #expect(text.contains("name=\"step_up\" value=\"1\""))
    }

    @Test("the code field is for one-time codes, and recovery codes have a form of their own")
    func secondFactor() throws {
        var page = SecondFactorPage()
        (page.action, page.account, page.token, page.restart) = ("/auth/login/code", "ada", "t", "/auth/login")
        #expect(try html(.secondFactor(page)).contains("inputmode=\"numeric\" autocomplete=\"one-time-code\""))
        #expect(try !html(.secondFactor(page)).contains("<details"))
        page.offersRecovery = true
        #expect(try html(.secondFactor(page)).contains("id=\"recovery\""))
        #expect(try html(.secondFactor(page)).contains("shows for ada."))
    }

    @Test("my sessions: the own one is apart, times are relative and absolute, each has its form")
    func sessions() throws {
        var page = SessionsPage()
        (page.action, page.logoutAction, page.account) = ("/auth/sessions", "/auth/logout", "ada")
        (page.token, page.now, page.ended) = ("t", 1_795_456_339, 2)
        func row(_ handle: String, _ isCurrent: Bool) -> SessionsPage.Row {
            SessionsPage.Row(
                handle: handle,
                device: "Firefox on Linux",
                address: "192.0.2.7",
                site: "app.example.com",
                created: page.now - 7200,
                lastSeen: page.now - 300,
                ends: page.now + 1500,
                hasSecondFactor: isCurrent,
                isCurrent: isCurrent
            )
        }
        page.rows = [row("other", false), row("mine", true)]
        let text = try html(.sessions(page))
        #expect(text.contains("<time datetime=\"2026-11-23T17:47:19Z\">5 minutes ago</time>"))
        #expect(text.contains("23 November 2026, 17:47 UTC"))
        #expect(text.contains("in 25 minutes"))
        #expect(text.contains("value=\"other\""))
        #expect(!text.contains("value=\"mine\""))
        #expect(text.contains("2 sessions were ended."))
        #expect(text.contains("name=\"everywhere\" value=\"true\""))
        let german = try html(.sessions(page), "de")
        #expect(german.contains("vor 5 Minuten"))
        #expect(german.contains("23. November 2026, 17:47 UTC"))
    }

    @Test("devices are named in the reader's language, and each button has a name of its own")
    func devices() throws {
        var page = SessionsPage()
        (page.action, page.logoutAction, page.home, page.now) = (
            "/auth/sessions", "/auth/logout", "/app?a=b", 1_795_456_339
        )
        page.rows = ["Firefox on Linux", "Browser on Windows", "Unknown device", "", "curl/8.5.0"].flatMap { device in
            (0..<2).map { _ in
                SessionsPage.Row(
                    handle: "h",
                    device: device,
                    address: "192.0.2.7",
                    site: "app.example.com",
                    created: page.now,
                    lastSeen: page.now,
                    ends: page.now,
                    hasSecondFactor: false,
                    isCurrent: false
                )
            }
        }
        let text = try html(.sessions(page), lang: "de")
        for name in ["Firefox auf Linux", "Browser auf Windows", "Unbekanntes Gerät", "curl/8.5.0"] {
            #expect(text.contains("<h3><bdi>\(name)</bdi></h3>"))
        }
        let labels = text.split(separator: "aria-label=\"").map { String($0.prefix { $0 != "\"" }) }
            .filter { $0.hasPrefix("Sitzung beenden") }
        #expect(labels.count == 10)
        #expect(Set(labels).count == 10)
        #expect(
            labels[0] == "Sitzung beenden: Firefox auf Linux, 192.0.2.7, angemeldet am 23. November 2026, 17:52:19 UTC"
        )
        // The service's own address is not the portal's to change.
        #expect(text.contains("href=\"/app?a=b\""))
        #expect(text.contains("action=\"/auth/sessions?lang=de\""))
        page.ended = 0
        #expect(try html(.sessions(page)).contains("This session had ended already."))
    }

    @Test(
        "how long to wait is said in whole sentences",
        arguments: [(1, "in einer Sekunde"), (2, "in 2 Sekunden"), (100, "in 2 Minuten")]
    )
    func wait(seconds: Int, words: String) throws {
        var page = ErrorPage()
        (page.status, page.code, page.waitSeconds) = (429, "throttled", seconds)
        #expect(try html(.error(page), "de").contains("Ein neuer Versuch lohnt sich \(words)."))
    }

    @Test("every problem that the portal knows has its own words in English and in German")
    func words() throws {
        for language in ["en", "de"] {
            var problems: [String] = []
            var warnings: [String] = []
            let strings = try #require(PageLanguages.read(PageOptions(), &problems, &warnings).strings[language])
            #expect(problems.isEmpty)
            #expect(strings.missing(from: PageLanguages.english).isEmpty)
            #expect(strings.problems(against: PageLanguages.english, file: "").isEmpty)
            for problem in PortalProblem.allCases {
                #expect(strings.texts["error.\(problem.rawValue).title"] != nil, "\(language) \(problem)")
                #expect(strings.texts["error.\(problem.rawValue).text"] != nil, "\(language) \(problem)")
            }
            for error in FormError.allCases { #expect(strings.texts["problem.\(error.rawValue)"] != nil) }
        }
        #expect(Set(PageLanguages.english.texts.keys).count > 100)
    }

    @Test("an error page says what, how long to wait, and the number to give")
    func errorPage() throws {
        var page = ErrorPage()
        (page.status, page.code, page.requestID, page.waitSeconds) = (429, "throttled", "req-1", 240)
        page.retry = "/auth/login"
        let text = try html(.error(page), "de")
        #expect(text.contains("Zu viele Versuche"))
        #expect(text.contains("in 4 Minuten"))
        #expect(text.contains("<code>req-1</code>"))
        page.code = "no_such_code"
        page.detail = "Something <odd>."
        #expect(try html(.error(page)).contains("Something &lt;odd&gt;."))
    }

    @Test(
        "the language follows the browser's wishes",
        arguments: [
            ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.5", "de"), ("fr, de;q=0.3, en;q=0.7", "en"),
            ("en;q=0, *;q=0.5", "de"), ("DE-de;q=1.0", "de"), ("fr", "en"), ("de;q=0", "en"), ("*", "en"),
            ("de;q=2, en", "en"), ("en;q=0.5,de;q=0.501", "de"), ("<script>", "en"), (";;;,,,", "en"),
            (String(repeating: "x,", count: 5000) + "de", "en"),
        ]
    )
    func language(accept: String, expected: String) throws {
        #expect(try html(login(), accept).contains("<html lang=\"\(expected)\""))
    }

    @Test("a language that was asked for wins and is carried on; one that there is not, is ignored")
    func chosenLanguage() throws {
        let text = try html(login(), "en", lang: "de")
        #expect(text.contains("<html lang=\"de\""))
        #expect(text.contains("action=\"/auth/login?lang=de\""))
        #expect(text.contains("href=\"/auth/login?lang=en&amp;return_to=%2Forders%3Fid%3D1%26x%3D2\""))
        #expect(try html(login(), "de", lang: "fr").contains("<html lang=\"de\""))
        #expect(try html(login(), "de", lang: "\"><script>").contains("<html lang=\"de\""))
    }

    // MARK: Nothing gets out of a value

    static let payloads = [
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onfocus='alert(1)",
        "\" autofocus onfocus=\"x",
        "</style><script>", "</title><script>", "{{t.login.title}}", "{account}", "javascript:alert(1)", "`onload=x`",
        // A mark behind or in front of a quote makes both one Character.
        "\"\u{301} onfocus=alert(1) x", "\u{600}\" onfocus=alert(1)", "<\u{338}b>", "\u{0}\u{1b}[2J\u{202e}gnp.exe",
        "a\r\nSet-Cookie: x=1", "&lt;already&gt;", "-->", "]]>",
    ]

    @Test("no value gets out of its place, on any page", arguments: payloads)
    func escaping(payload: String) throws {
        let renderer = try PageRenderer()
        for page in Self.pages(with: payload) {
            var reader = PageReader()
            reader.formOrigins = [payload]
            let result = renderer.render(page, for: reader)
            let text = String(decoding: result.body, as: UTF8.self)
            let plain = String(decoding: renderer.render(Self.same(page), for: PageReader()).body, as: UTF8.self)
            // Tags and attributes are those of the same page with harmless values, none more.
            #expect(Self.skeleton(text) == Self.skeleton(plain), "\(page)")
            #expect(!text.contains("href=\"javascript:") && !text.contains("action=\"javascript:"), "\(page)")
            #expect(!text.unicodeScalars.contains { $0.value == 0 || $0.value == 0x1b || $0.value == 0x202e })
            #expect(!result.policy.contains("\n") && result.policy.hasSuffix("base-uri 'none'"))
            #expect(result.policy == renderer.render(page, for: PageReader()).policy)
        }
    }

    /// Every tag with the names of its attributes.
    ///
    /// Goes over scalars, as a browser does.
    static func skeleton(_ html: String) -> [String] {
        let scalars = Array(html.unicodeScalars)
        var tags: [String] = []
        var index = 0
        while index < scalars.count {
            guard scalars[index] == "<" else {
                index += 1
                continue
            }
            var tag = ""
            var quote: Unicode.Scalar?
            while index < scalars.count {
                let scalar = scalars[index]
                index += 1
                if let open = quote {
                    if scalar == open { quote = nil }
                } else if scalar == "\"" || scalar == "'" {
                    quote = scalar
                } else if scalar == ">" {
                    break
                } else {
                    tag.unicodeScalars.append(scalar)
                }
            }
            tags.append(tag)
        }
        return tags
    }

    static func same(_ page: Page) -> Page {
        switch page {
        case .login: pages(with: "harmless")[0]
        case .secondFactor: pages(with: "harmless")[1]
        case .sessions: pages(with: "harmless")[2]
        case .signedOut: pages(with: "harmless")[3]
        case .error: pages(with: "harmless")[4]
        case .confirm: pages(with: "harmless")[5]
        }
    }

    /// One page of each kind, with `text` in every place.
    static func pages(with text: String) -> [Page] {
        let link =
            "/x?"
            + text.filter { !$0.isWhitespace && $0 != "\\" }.unicodeScalars.filter { $0.value > 32 }.map(String.init)
            .joined()
        var login = LoginPage()
        (login.action, login.account, login.returnTo, login.token) = (link, text, text, text)
        (login.error, login.isStepUp, login.offersRemember) = (.wrongCredentials, true, true)
        var factor = SecondFactorPage()
        (factor.action, factor.restart, factor.account) = (link, link, text)
        (factor.returnTo, factor.token, factor.offersRecovery) = (text, text, true)
        var sessions = SessionsPage()
        (sessions.action, sessions.logoutAction, sessions.home) = (link, link, link)
        (sessions.account, sessions.token) = (text, text)
        sessions.rows = [true, false].map { isCurrent in
            SessionsPage.Row(
                handle: text,
                device: text,
                address: text,
                site: text,
                created: .min,
                lastSeen: .max,
                ends: 0,
                hasSecondFactor: false,
                isCurrent: isCurrent
            )
        }
        var out = SignedOutPage()
        (out.login, out.home) = (link, link)
        var error = ErrorPage()
        (error.code, error.detail, error.requestID, error.retry) = (text, text, text, link)
        var confirm = ConfirmPage()
        (confirm.action, confirm.account, confirm.token) = (link, text, text)
        (confirm.returnTo, confirm.cancel) = (text, link)
        return [
            .login(login), .secondFactor(factor), .sessions(sessions), .signedOut(out), .error(error),
            .confirm(confirm),
        ]
    }

    @Test(
        "a link is a path of this site or a web address, nothing else",
        arguments: ["javascript:x", "//evil.example", "/\\evil.example", "data:text/html,x", "\tjavascript:x", "", "x"]
    )
    func links(target: String) throws {
        var page = SignedOutPage()
        (page.login, page.home) = (target, target)
        #expect(try !html(.signedOut(page)).contains("class=\"button\""))
    }

    @Test("the policy lets nothing in but the style sheet by its hash, and forms out to the sites")
    func policy() throws {
        var reader = PageReader()
        reader.formOrigins = ["https://app.example.org", "https://x.example; script-src *", "*", "https://"]
        let result = try PageRenderer().render(login(), for: reader)
        let parts = result.policy.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(parts[0] == "default-src 'none'")
        #expect(parts[1].hasPrefix("style-src 'sha256-"))
        #expect(
            parts[2...] == [
                "img-src 'self' data:", "form-action 'self' https://app.example.org", "frame-ancestors 'none'",
                "base-uri 'none'",
            ]
        )
        let text = String(decoding: result.body, as: UTF8.self)
        let style = try #require(text.split(separator: "<style>").last?.split(separator: "</style>").first)
        let digest = Data(PageDigest.sha256(Array(style.utf8))).base64EncodedString()
        #expect(parts[1] == "style-src 'sha256-\(digest)'")
        #expect(!text.contains(" style="))
    }
}
