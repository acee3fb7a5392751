// COLD. Requests that other sites' pages make change nothing.
@testable import Portal
import Sessions
import Testing

@Suite("Forged requests")
struct ForgeryTests {
    struct Case: Sendable, CustomStringConvertible {
        var fields: [(name: String, value: String)]
        var source: RequestSource
        var description: String { fields.map { "\($0.name): \($0.value)" }.joined(separator: ", ") }
        init(_ source: RequestSource, _ fields: (name: String, value: String)...) {
            self.fields = fields
            self.source = source
        }
    }

    static let cases = [
        Case(.unknown),
        Case(.own, ("origin", "https://app.example.com")),
        Case(.own, ("sec-fetch-site", "same-origin")),
        Case(.own, ("sec-fetch-site", "same-origin"), ("origin", "https://app.example.com")),
        Case(.own, ("origin", "https://spa.example.net")),
        Case(.own, ("origin", "https://spa.example.net"), ("sec-fetch-site", "cross-site")),
        Case(.foreign, ("origin", "null")),
        Case(.foreign, ("origin", "")),
        Case(.foreign, ("origin", "http://app.example.com")),
        Case(.foreign, ("origin", "https://app.example.com:8443")),
        Case(.foreign, ("origin", "https://app.example.com.evil.example")),
        Case(.foreign, ("origin", "https://evil.example")),
        Case(.foreign, ("origin", "https://app.example.com"), ("origin", "https://evil.example")),
        Case(.foreign, ("sec-fetch-site", "cross-site")),
        Case(.foreign, ("sec-fetch-site", "same-site")),
        Case(.foreign, ("sec-fetch-site", "cross-site"), ("origin", "https://app.example.com")),
        Case(.foreign, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")),
        Case(.foreign, ("sec-fetch-site", "odd")),
        Case(.foreign, ("sec-fetch-site", "none"), ("origin", "https://evil.example")),
        Case(.own, ("sec-fetch-site", "none")),
        Case(.own, ("sec-fetch-site", "none"), ("origin", "https://app.example.com")),
        Case(.own, ("sec-fetch-site", "none"), ("origin", "https://spa.example.net")),
        Case(.own, ("sec-fetch-site", "Same-Origin")),
        Case(.own, ("origin", "https://APP.example.com")),
        Case(.foreign, ("origin", "HTTPS://app.example.com")),
        Case(.foreign, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")),
        Case(.foreign, ("origin", "https://app.example.com"), ("origin", "https://app.example.com")),
    ]

    private func rig() throws -> Rig { try Rig { $0.origins = ["https://spa.example.net"] } }

    @Test("what the browser says of the page is believed, in this order", arguments: cases)
    func source(_ test: Case) {
        let request = PortalRequest(path: "/", host: "App.example.com:443", fields: test.fields, now: 0)
        #expect(RequestSource(request, allowed: ["https://spa.example.net"]) == test.source)
    }

    @Test("a login form of another site is refused with any token", arguments: cases)
    func loginForm(_ test: Case) async throws {
        let browser = Browser(try rig())
        await browser.send("GET", "/auth/login")
        let token = browser.rig.pages.login?.token ?? ""
        let form = [("username", "ada"), ("password", "correct horse battery")]
        let bare = await browser.send("POST", "/auth/login", form: form, fields: test.fields)
        #expect(bare.status == 403)
        let full = await browser.send("POST", "/auth/login", form: form + [("csrf", token)], fields: test.fields)
        #expect(full.status == (test.source == .foreign ? 403 : 303))
    }

    @Test("a JSON login of another site is refused", arguments: cases)
    func loginJSON(_ test: Case) async throws {
        let browser = Browser(try rig())
        let answer = await browser.send(
            "POST",
            "/auth/login",
            json: #"{"username":"ada","password":"correct horse battery"}"#,
            fields: test.fields
        )
        #expect(answer.status == (test.source == .foreign ? 403 : 200))
    }

    @Test("a logout of another site is refused; without a word of the browser it needs the token", arguments: cases)
    func logout(_ test: Case) async throws {
        let browser = Browser(try rig())
        await browser.login()
        let session = try #require(await browser.session())
        let bare = await browser.send("POST", "/auth/logout", form: [], fields: test.fields)
        #expect(bare.status == (test.source == .own ? 303 : 403))
        #expect((await browser.session() == nil) == (test.source == .own))
        guard test.source != .own else { return }
        #expect(
            await browser.send("POST", "/auth/logout", form: [("csrf", "x" + session.csrf)], fields: test.fields).status
                == 403
        )
        #expect(
            await browser.send("POST", "/auth/logout", form: [("csrf", session.csrf)], fields: test.fields).status
                == 303
        )
    }

    @Test("another site cannot take the cookie of a browser that sent none along")
    func clearing() async throws {
        let browser = Browser(try rig())
        let answer = await browser.send("POST", "/auth/logout", form: [], fields: [("origin", "https://evil.example")])
        #expect(answer.status == 403)
        #expect(answer.setCookie("__Host-gw_session") == nil)
        #expect(answer.value(of: "Clear-Site-Data") == nil)
    }

    @Test("a form's token is of one browser, one form and four hours")
    func tokens() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        await browser.send("GET", "/auth/login")
        let token = try #require(rig.pages.login?.token)
        let other = Browser(rig)
        await other.send("GET", "/auth/login")
        let form = [("username", "ada"), ("password", "correct horse battery"), ("csrf", token)]
        #expect(await other.send("POST", "/auth/login", form: form).status == 403)
        #expect(rig.pages.login?.error == .staleForm)
        for bad in ["", "1." + token, token + "A", String(token.dropLast()), "99999999999" + token.drop { $0 != "." }] {
            let form = [("username", "ada"), ("password", "correct horse battery"), ("csrf", bad)]
            #expect(await browser.send("POST", "/auth/login", form: form).status == 403)
        }
        rig.clock.advance(4 * 3600)
        #expect(await browser.send("POST", "/auth/login", form: form).status == 403)
        rig.clock.advance(-1)
        #expect(await browser.send("POST", "/auth/login", form: form).status == 303)
    }

    @Test("a cookie that came twice is none")
    func tossing() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        await browser.send("GET", "/auth/login")
        let token = try #require(rig.pages.login?.token)
        let answer = await browser.send(
            "POST",
            "/auth/login",
            form: [("username", "ada"), ("password", "correct horse battery"), ("csrf", token)],
            fields: [("origin", "https://app.example.com"), ("cookie", "__Host-gw_flow=planted")]
        )
        #expect(answer.status == 403)
        #expect(rig.pages.login?.error == .staleForm)
        #expect(try await rig.store.count() == 0)
    }

    @Test("every page keeps others out, and lets its own forms say where they come from")
    func fields() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        for target in ["/auth/login", "/auth/logout", "/auth/nothing"] {
            let answer = await browser.send("GET", target)
            #expect(answer.value(of: "Content-Security-Policy") != nil)
            #expect(answer.value(of: "X-Content-Type-Options") == "nosniff")
            #expect(answer.value(of: "Referrer-Policy") == "same-origin")
            #expect(answer.value(of: "Cache-Control") == "no-store")
            #expect(answer.value(of: "Cross-Origin-Opener-Policy") == "same-origin")
        }
    }
}
