// COLD. Logout and the list of sessions: what ends is over in the store before the browser hears of it.
@testable import Portal
import Sessions
import Settings
import Testing

@Suite("Logout and sessions")
struct LogoutTests {
    @Test("a logout ends the session, clears the cookie and says so; the old cookie is worth nothing")
    func logout() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login()
        let session = try #require(await browser.session())
        let old = browser.jar
        let answer = await browser.send("POST", "/auth/logout", form: [])
        #expect(answer.status == 303)
        #expect(answer.location == "/auth/logout")
        #expect(answer.ended == [Ended(key: session.key, record: session, reason: .logout)])
        #expect(answer.setCookie("__Host-gw_session")?.contains("Max-Age=0") == true)
        #expect(answer.value(of: "Clear-Site-Data") == #""cache", "storage""#)
        #expect(browser.sessionCookie == nil)
        await browser.follow(answer)
        #expect(rig.pages.signedOut != nil)
        browser.jar = old
        #expect(await browser.send("GET", "/auth/session").status == 401)
        #expect(rig.audit.kinds == [.login, .logout])
    }

    @Test("a link asks first, and what it shows ends the session")
    func confirm() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login()
        #expect(await browser.send("GET", "/auth/logout").status == 200)
        let page = try #require(rig.pages.confirm)
        #expect(page.account == "ada")
        #expect(await browser.session() != nil)
        #expect(await browser.send("POST", page.action, form: [("csrf", page.token)], fields: []).status == 303)
        #expect(await browser.session() == nil)
    }

    @Test("logging out everywhere ends all sessions of the account, and no other's")
    func everywhere() async throws {
        let rig = try Rig()
        let (one, two, other) = (Browser(rig), Browser(rig), Browser(rig))
        await one.login()
        await two.login()
        await other.login("otto")
        await other.enter(rig.code())
        let answer = await one.send("POST", "/auth/logout", form: [("everywhere", "true")])
        #expect(answer.ended.map(\.reason) == [.logoutEverywhere, .logoutEverywhere])
        #expect(await two.session() == nil)
        #expect(await other.session() != nil)
        await one.follow(answer)
        #expect(rig.pages.signedOut?.wasEverywhere == true)
    }

    @Test("while the store is away nothing is cleared, and nobody is told to be logged out")
    func away() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login()
        rig.store.setAway(true)
        for (method, target) in [("POST", "/auth/logout"), ("GET", "/auth/sessions")] {
            let answer = await browser.send(method, target, form: method == "POST" ? [] : nil)
            #expect(answer.status == 503)
            #expect(answer.setCookie("__Host-gw_session") == nil)
            #expect(answer.value(of: "Clear-Site-Data") == nil)
        }
        // The gate could not look it up either.
        for target in ["/auth/logout", "/auth/login", "/auth/session"] {
            let request = PortalRequest(
                path: target,
                host: "app.example.com",
                fields: [("cookie", "__Host-gw_session=\(browser.sessionCookie ?? "")")],
                now: rig.clock.now,
                hadCookie: true
            )
            let answer = await rig.portal.answer(request)
            #expect(answer.status == 503)
            #expect(answer.setCookie("__Host-gw_session") == nil)
        }
        rig.store.setAway(false)
        #expect(await browser.session() != nil)
    }

    @Test("without a session a logout clears what is left, as often as one likes")
    func idempotent() async throws {
        let browser = Browser(try Rig())
        browser.jar["app.example.com"] = ["__Host-gw_session": "garbage"]
        for _ in 0..<2 {
            let answer = await browser.send("POST", "/auth/logout", json: "{}")
            #expect(answer.status == 200)
            #expect(answer.text.contains(#""signed_out":true"#))
            #expect(answer.setCookie("__Host-gw_session")?.contains("Max-Age=0") == true)
        }
    }

    @Test("the session tells its own user, time left and token, and 401 with a login URL without it")
    func facts() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        let none = await browser.send("GET", "/auth/session")
        #expect(none.status == 401)
        #expect(none.value(of: "Content-Type") == "application/problem+json")
        #expect(none.member("login_url") == "/auth/login")
        await browser.login()
        rig.clock.advance(100)
        let answer = await browser.send("GET", "/auth/session")
        #expect(answer.value(of: "Content-Type") == "application/json")
        #expect(answer.member("user") == "ada")
        #expect(answer.member("name") == "Ada Lovelace")
        #expect(answer.text.contains(#""idle_seconds_left":1700,"absolute_seconds_left":28700"#))
        #expect(!answer.text.contains(browser.sessionCookie ?? "?"))
        let events = await browser.send("GET", "/auth/session/events")
        #expect(events.events)
        #expect(events.value(of: "Content-Type") == "text/event-stream")
        rig.clock.advance(1700)
        #expect(await browser.send("GET", "/auth/session").status == 401)
        #expect(await browser.send("GET", "/auth/session/events").events == false)
    }

    @Test("the list shows where one is logged in, newest first, and ends other devices")
    func list() async throws {
        let rig = try Rig()
        let (laptop, phone) = (Browser(rig), Browser(rig))
        await phone.login()
        rig.clock.advance(10)
        await laptop.login()
        await laptop.send("GET", "/auth/sessions")
        let page = try #require(rig.pages.sessions)
        #expect(page.rows.map(\.isCurrent) == [true, false])
        let handle = page.rows[1].handle
        let forged = await laptop.send("POST", page.action, form: [("handle", handle)], fields: [])
        #expect(forged.status == 403)
        let answer = await laptop.send("POST", page.action, form: [("handle", handle), ("csrf", page.token)])
        #expect(answer.location == "/auth/sessions?ended=1")
        #expect(answer.ended.map(\.reason) == [.revoked])
        #expect(await phone.session() == nil)
        await laptop.follow(answer)
        #expect(rig.pages.sessions?.ended == 1)
        #expect(rig.pages.sessions?.rows.count == 1)
    }

    @Test("a program lists and ends sessions as JSON, with the token or an own origin")
    func listJSON() async throws {
        let rig = try Rig()
        let (one, two) = (Browser(rig), Browser(rig))
        await one.login()
        await two.login()
        let list = await one.send("GET", "/auth/sessions", accept: "application/json")
        #expect(list.status == 200)
        let token = try #require(list.member("csrf_token"))
        let handle = try #require(await two.session()).key.text
        #expect(list.text.contains(handle))
        let target = "/auth/sessions/\(handle)"
        let accept = "application/json"
        #expect(await one.send("DELETE", target, fields: [], accept: accept).status == 403)
        let answer = await one.send("DELETE", target, fields: [("x-csrf-token", token)], accept: accept)
        #expect(answer.status == 200)
        #expect(answer.text == #"{"ended":1}"#)
        #expect(await two.session() == nil)
        #expect(await one.send("DELETE", target, accept: accept).status == 404)
        let own = try #require(await one.session()).key.text
        let last = await one.send("DELETE", "/auth/sessions/\(own)", accept: accept)
        #expect(last.setCookie("__Host-gw_session")?.contains("Max-Age=0") == true)
        #expect(await one.session() == nil)
    }

    @Test("of other people's sessions one does not learn that they are there")
    func others() async throws {
        let rig = try Rig()
        let (ada, otto) = (Browser(rig), Browser(rig))
        await ada.login()
        await otto.login("otto")
        await otto.enter(rig.code())
        let his = try #require(await otto.session()).key.text
        let unknown = SessionID.make().key.text
        let own = [(name: "origin", value: "https://app.example.com")]
        for handle in [his, unknown, "x", ""] {
            let answer = await ada.send("POST", "/auth/sessions", form: [("handle", handle)])
            #expect(answer.location == "/auth/sessions?ended=0")
            #expect(
                await ada.send("POST", "/auth/sessions", json: #"{"handle":"\#(handle)"}"#, fields: own).status == 404
            )
        }
        #expect(await otto.session() != nil)
    }

    @Test("without a session the list leads to the login and back")
    func listLogin() async throws {
        let browser = Browser(try Rig())
        #expect(await browser.send("GET", "/auth/sessions").location == "/auth/login?return_to=/auth/sessions")
        #expect(await browser.login(at: "/auth/login?return_to=/auth/sessions").location == "/auth/sessions")
        let program = Browser(browser.rig)
        #expect(await program.send("GET", "/auth/sessions", accept: "application/json").status == 401)
    }

    @Test("a page that was made for somebody else ends nothing; a program needs no token")
    func otherToken() async throws {
        let rig = try Rig()
        let (browser, other) = (Browser(rig), Browser(rig))
        await browser.login()
        await browser.send("GET", "/auth/sessions")
        let old = try #require(rig.pages.sessions)
        await other.login()
        let handle = try #require(await other.session()).key.text
        await browser.send("POST", "/auth/logout", form: [("csrf", old.token)])
        await browser.login("otto")
        await browser.enter(rig.code())
        for more in [[], [("everywhere", "true")]] {
            let answer = await browser.send("POST", "/auth/logout", form: [("csrf", old.token)] + more)
            #expect(answer.status == 403)
            #expect(rig.pages.error?.code == "stale_form")
            #expect(rig.pages.error?.way == .sessions("/auth/sessions"))
        }
        let revoked = await browser.send("POST", "/auth/sessions", form: [("handle", handle), ("csrf", old.token)])
        #expect(revoked.status == 403)
        #expect(await browser.session() != nil)
        #expect(
            await browser.send("POST", "/auth/logout", json: "{}", fields: [("origin", "https://app.example.com")])
                .status == 200
        )
        #expect(await browser.session() == nil)
    }

    @Test("what an address says of ended sessions is believed as far as a form can end them")
    func endedInAddress() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login()
        for (text, expected) in [("777", nil), ("-1", nil), ("x", nil), ("1", 1), ("0", 0)] as [(String, Int?)] {
            await browser.send("GET", "/auth/sessions?ended=\(text)")
            #expect(rig.pages.sessions?.ended == expected)
        }
    }
}
