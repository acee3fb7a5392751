// COLD. One login for several domains, and that nobody else can take it.
import Foundation
@testable import Portal
import Sessions
import Settings
import Testing

@Suite("Hand-off between sites")
struct HandoffTests {
    private func rig() throws -> Rig {
        try Rig {
            $0.loginHost = "login.example.com"
            $0.sites = [
                SitePlan(hosts: [.exact("login.example.com")]),
                SitePlan(hosts: [.exact("shop.example.org"), .wildcard(suffix: ".apps.example.net")]),
                SitePlan(hosts: [.exact("wiki.example.net")]),
            ]
        }
    }

    /// As far as the login form.
    private func start(_ browser: Browser, _ path: String = "/cart") async -> PortalAnswer {
        browser.host = "shop.example.org"
        let start = await browser.send("GET", "/auth/start?return_to=\(PercentCoding.encode(path))")
        return await browser.follow(start)
    }

    /// Sends the form that was shown last.
    private func submit(_ browser: Browser) async -> PortalAnswer {
        guard let page = browser.rig.pages.login else { return PortalAnswer(status: 0, note: "no form") }
        let form = [
            ("username", "ada"), ("password", "correct horse battery"), ("csrf", page.token),
            ("return_to", page.returnTo),
        ]
        return await browser.send("POST", page.action, form: form)
    }

    @Test("one login opens both hosts, and a logout on either ends both")
    func whole() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        let form = await start(browser)
        #expect(form.status == 200)
        #expect(browser.host == "login.example.com")
        #expect(rig.pages.login?.returnTo == "https://shop.example.org/cart")
        #expect(rig.pages.reader?.formOrigins.contains("https://shop.example.org") == true)
        let login = await submit(browser)
        #expect(login.location?.hasPrefix("https://shop.example.org/auth/handoff?code=") == true)
        let parent = try #require(await browser.session())
        rig.clock.advance(5)
        let handoff = await browser.follow(login)
        #expect(handoff.location == "/cart")
        let child = try #require(await browser.session())
        #expect(child.family == parent.family)
        #expect(child.key != parent.key)
        #expect(child.csrf != parent.csrf)
        #expect(child.method == "handoff:pwd")
        #expect(child.expires == parent.expires)
        #expect(child.authenticated == parent.authenticated)
        #expect(child.site == "shop.example.org")
        // The next site needs no form.
        browser.host = "wiki.example.net"
        var answer = await browser.send("GET", "/auth/start?return_to=/page")
        answer = await browser.follow(answer)
        answer = await browser.follow(answer)
        #expect(answer.location == "/page")
        #expect(await browser.session()?.family == parent.family)
        let logout = await browser.send("POST", "/auth/logout", form: [])
        #expect(logout.ended.count == 3)
        #expect(try await rig.store.count() == 0)
    }

    @Test("a code is good once, for thirty seconds, and while its login lasts")
    func once() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        _ = await start(browser)
        let login = await submit(browser)
        #expect(await browser.follow(login).status == 303)
        browser.jar["shop.example.org"]?["__Host-gw_session"] = nil
        #expect(await browser.follow(login).status == 400)
        #expect(rig.pages.error?.code == "handoff_expired")
        #expect(await browser.session() == nil)

        _ = await start(browser, "/two")
        browser.host = "shop.example.org"
        let again = await browser.follow(await browser.send("GET", "/auth/start?return_to=/late"))
        rig.clock.advance(30)
        #expect(await browser.follow(again).status == 400)
        #expect(rig.pages.error?.code == "handoff_expired")

        browser.host = "shop.example.org"
        let last = await browser.follow(await browser.send("GET", "/auth/start?return_to=/gone"))
        #expect(last.location?.contains("/auth/handoff?") == true)
        _ = await browser.send("POST", "/auth/logout", form: [])
        #expect(await browser.follow(last).status == 400)
        #expect(try await rig.store.count() == 0)
    }

    @Test("the list shows one login with all of its sites as one")
    func oneRow() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        _ = await start(browser)
        rig.clock.advance(1)
        await browser.follow(await submit(browser))
        await browser.send("GET", "/auth/sessions")
        let page = try #require(rig.pages.sessions)
        #expect(page.rows.map(\.isCurrent) == [true])
        #expect(page.rows.first?.site == "login.example.com, shop.example.org")
        let list = await browser.send("GET", "/auth/sessions", accept: "application/json")
        #expect(list.text.components(separatedBy: #""current":true"#).count == 2)
        #expect(list.text.components(separatedBy: #""current_login":true"#).count == 3)
    }

    @Test("a code is of no use in another browser or at another host")
    func bound() async throws {
        let rig = try rig()
        let victim = Browser(rig)
        _ = await start(victim)
        let login = await submit(victim)
        let location = try #require(login.location)

        let thief = Browser(rig)
        #expect(await thief.go(location).status == 400)
        #expect(rig.pages.error?.code == "cookies_refused")
        _ = await start(thief)
        #expect(await thief.go(location).status == 400)
        #expect(rig.pages.error?.code == "handoff_refused")

        victim.host = "wiki.example.net"
        _ = await victim.send("GET", "/auth/start?return_to=/")
        #expect(await victim.go(location.replacing("shop.example.org", with: "wiki.example.net")).status == 400)
        #expect(rig.pages.error?.code == "handoff_refused")
        #expect(await victim.go(location).status == 303)
    }

    @Test("nobody is logged in with an attacker's code: the state is the browser's own")
    func loginForgery() async throws {
        let rig = try rig()
        let attacker = Browser(rig)
        _ = await start(attacker)
        let code = try #require((await submit(attacker)).location)
        let victim = Browser(rig)
        _ = await start(victim)
        victim.host = "shop.example.org"
        #expect(await victim.go(code).status == 400)
        #expect(await victim.session() == nil)
    }

    @Test("a link to another site begins there, so that it is bound to the browser")
    func withoutState() async throws {
        let rig = try rig()
        let browser = Browser(rig, host: "login.example.com")
        await browser.login(at: "/auth/login?return_to=https%3A%2F%2Fshop.example.org%2Fcart")
        var answer = await browser.send("GET", "/auth/login?return_to=https%3A%2F%2Fshop.example.org%2Fcart")
        #expect(answer.location == "https://shop.example.org/auth/start?return_to=/cart")
        for _ in 0..<3 { answer = await browser.follow(answer) }
        #expect(answer.location == "/cart")
        #expect(browser.host == "shop.example.org")
    }

    @Test("hosts that are not written out, and other origins, get no code")
    func strangers() async throws {
        let rig = try rig()
        let browser = Browser(rig, host: "login.example.com")
        await browser.login()
        for target in [
            "https://evil.example/", "http://shop.example.org/", "https://x.apps.example.net/",
            "https://shop.example.org.evil.example/",
            "https://shop.example.org:8443/",
        ] {
            let answer = await browser.send("GET", "/auth/login?return_to=\(PercentCoding.encode(target))")
            #expect(answer.location == "/" || answer.status == 400)
        }
    }

    @Test("a site that keeps no cookies stops the browser with a page, not with another redirect")
    func cookiesRefused() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        _ = await start(browser)
        let login = await submit(browser)
        browser.jar["shop.example.org"] = nil
        #expect(await browser.follow(login).status == 400)
        #expect(rig.pages.error?.code == "cookies_refused")
    }

    @Test("a site that loses the session's cookie stops the browser at the third round")
    func loop() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        _ = await start(browser)
        var answer = await browser.follow(await submit(browser))
        var rounds = 0
        while answer.status == 303, rounds < 10 {
            browser.jar["shop.example.org"]?["__Host-gw_session"] = nil
            browser.host = "shop.example.org"
            answer = await browser.send("GET", "/auth/start?return_to=/cart")
            if answer.status == 303 { answer = await browser.follow(await browser.follow(answer)) }
            rounds += 1
        }
        #expect(answer.status == 400)
        #expect(rounds <= 3)
        #expect(rig.pages.error?.code == "login_loop")
    }

    @Test("a step-up on a site is done at the login host and handed over")
    func stepUp() async throws {
        let rig = try rig()
        let browser = Browser(rig)
        _ = await start(browser)
        _ = await browser.follow(await submit(browser))
        rig.clock.advance(600)
        let old = try #require(await browser.session())
        var answer = await browser.send("GET", "/auth/start?return_to=/admin&step_up=1")
        answer = await browser.follow(answer)
        #expect(rig.pages.login?.isStepUp == true)
        answer = await browser.follow(await submit(browser))
        #expect(answer.location == "/admin")
        let new = try #require(await browser.session())
        #expect(new.authenticated == rig.clock.now)
        #expect(new.family == old.family)
        #expect(answer.ended.map(\.key) == [old.key])
    }
}
