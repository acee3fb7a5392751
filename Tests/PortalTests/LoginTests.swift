// COLD. Name and password: what begins, what is refused, and that nobody learns more than that.
import Accounts
@testable import Portal
import Sessions
import Settings
import Testing

@Suite("Login")
struct LoginTests {
    @Test("a login sets a new session's cookie and leads back to where it began")
    func login() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        let answer = await browser.login(at: "/auth/login?return_to=/app%3Fa%3D1")
        #expect(answer.status == 303)
        #expect(answer.location == "/app?a=1")
        #expect(answer.value(of: "Cache-Control") == "no-store")
        let cookie = try #require(answer.setCookie("__Host-gw_session"))
        #expect(cookie.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure"))
        #expect(cookie.utf8.count < 200)
        let session = try #require(await browser.session())
        #expect(session.account == "ada")
        #expect(session.method == "pwd")
        #expect(session.strength == 1)
        #expect(session.expires == rig.clock.now + 8 * 3600)
        #expect(session.idle == 1800)
        #expect(session.site == "app.example.com")
        #expect(session.device.contains("Firefox"))
        #expect(session.address == "192.0.2.7")
        #expect(answer.began == session.key)
        #expect(rig.audit.kinds == [.login])
    }

    @Test("a name in any case and the e-mail address lead to the same account")
    func names() async throws {
        let rig = try Rig()
        for name in ["ADA", " ada ", "Ada@Example.com"] {
            let browser = Browser(rig)
            #expect(await browser.login(name).status == 303)
            #expect(await browser.session()?.account == "ada")
        }
    }

    @Test("an id that the client brings is never adopted, and a second login ends the first")
    func fixation() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        let planted = SessionID.make()
        browser.jar["app.example.com"] = ["__Host-gw_session": planted.cookieValue]
        await browser.login()
        let first = try #require(browser.sessionCookie)
        #expect(first != planted.cookieValue)
        #expect(try await rig.store.find(planted.key) == nil)
        let old = try #require(await browser.session())
        let answer = await browser.login(at: "/auth/login?step_up=1")
        #expect(answer.status == 303)
        #expect(browser.sessionCookie != first)
        #expect(try await rig.store.find(old.key) == nil)
        #expect(answer.ended == [Ended(key: old.key, record: old, reason: .replaced)])
    }

    @Test("a wrong password, an unknown name, a disabled account and an account without a password look the same")
    func enumeration() async throws {
        let people = Rig.people + "\n  - name: empty"
        var seen: [(Int, [String], String)] = []
        var pages: [LoginPage] = []
        for (user, password) in [
            ("ada", "wrong horse battery"), ("nobody", "correct horse battery"), ("gone", "correct horse battery"),
            ("empty", "correct horse battery"),
        ] {
            let rig = try Rig(people: people)
            let answer = await Browser(rig).login(user, password)
            seen.append((answer.status, answer.fields.map(\.name), answer.text))
            var page = try #require(rig.pages.login)
            #expect(page.error == .wrongCredentials)
            #expect(page.account == user)
            page.account = ""
            page.token = ""
            pages.append(page)
            #expect(rig.audit.kinds == [.failure])
            let json = await Browser(rig).send("POST", "/auth/login", json: #"{"username":"\#(user)","password":"x"}"#)
            #expect(json.status == 401)
            #expect(json.member("code") == "wrong_credentials")
            #expect(!json.text.contains(user))
        }
        #expect(seen.allSatisfy { $0.0 == 401 && $0.1 == seen[0].1 && $0.2 == seen[0].2 })
        #expect(pages.allSatisfy { $0 == pages[0] })
    }

    @Test("a program gets its session and token as JSON, and problems as problem JSON")
    func json() async throws {
        let rig = try Rig()
        let program = Browser(rig)
        let body = #"{"username":"ada","password":"correct horse battery"}"#
        let answer = await program.send("POST", "/auth/login", json: body)
        #expect(answer.status == 200)
        #expect(answer.value(of: "Content-Type") == "application/json")
        #expect(answer.member("user") == "ada")
        #expect(answer.text.contains(#""roles":["admin"]"#))
        #expect(answer.member("csrf_token") == (await program.session())?.csrf)
        #expect(!answer.text.contains(try #require(program.sessionCookie)))
        let refused = await program.send("POST", "/auth/login", json: #"{"username":"ada","password":"no"}"#)
        #expect(refused.status == 401)
        #expect(refused.value(of: "Content-Type") == "application/problem+json")
        #expect(refused.member("login_url") == "/auth/login")
        #expect(refused.member("request_id") == "r-1")
    }

    @Test("too many failures are answered 429 with Retry-After, and the right password does not help")
    func throttled() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        for _ in 0..<6 { await browser.login("ada", "wrong horse battery") }
        let answer = await browser.login()
        #expect(answer.status == 429)
        #expect(Int(answer.value(of: "Retry-After") ?? "").map { $0 >= 1 } == true)
        #expect(rig.pages.login?.error == .throttled)
        #expect((rig.pages.login?.waitSeconds ?? 0) >= 1)
        #expect(rig.audit.kinds.contains(.throttled))
        #expect(await browser.session() == nil)
    }

    @Test("a guesser elsewhere does not lock out the owner on a known device")
    func knownDevice() async throws {
        let rig = try Rig()
        let owner = Browser(rig)
        #expect(await owner.login().status == 303)
        owner.jar["app.example.com"]?["__Host-gw_session"] = nil
        for index in 0..<60 {
            let guesser = Browser(rig)
            guesser.address = "198.51.100.\(index)"
            await guesser.login("ada", "wrong horse battery")
        }
        let stranger = Browser(rig)
        stranger.address = "203.0.113.9"
        #expect(await stranger.login().status == 429)
        #expect(await owner.login().status == 303)
    }

    @Test("a browser that keeps no cookies gets a page that says so, at the second try")
    func noCookies() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        browser.keepsCookies = false
        #expect(await browser.login().status == 403)
        let page = try #require(rig.pages.login)
        #expect(page.error == .staleForm)
        let form = [("username", "ada"), ("password", "correct horse battery"), ("csrf", page.token)]
        #expect(await browser.send("POST", page.action, form: form).status == 400)
        #expect(rig.pages.error?.code == "cookies_refused")
        #expect(rig.pages.error?.retry == "/auth/login")
    }

    @Test("a form whose cookie a logout in another tab cleared is shown afresh, and then works")
    func clearedCookie() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.send("GET", "/auth/login?return_to=/app")
        let old = try #require(rig.pages.login)
        browser.jar = [:]
        func send(_ page: LoginPage, _ password: String = "correct horse battery") async -> PortalAnswer {
            let fields = [("username", "ada"), ("password", password), ("return_to", page.returnTo)]
            return await browser.send("POST", page.action, form: fields + [("csrf", page.token)])
        }
        #expect(await send(old).status == 403)
        let fresh = try #require(rig.pages.login)
        #expect((fresh.error, fresh.account, fresh.returnTo) == (.staleForm, "ada", "/app"))
        // The cookie came back: should it be lost again, that is a new story.
        #expect(await send(fresh, "wrong horse battery").status == 401)
        #expect(rig.pages.login?.action == "/auth/login")
        #expect(await send(fresh).location == "/app")
    }

    @Test("a browser that keeps the form's cookie but not the session's is stopped at its third round")
    func loop() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        for _ in 1...3 {
            #expect(await browser.login(at: "/auth/login?return_to=/app").status == 303)
            browser.jar["app.example.com"]?["__Host-gw_session"] = nil
        }
        let answer = await browser.send("GET", "/auth/login?return_to=/app")
        #expect(answer.status == 400)
        #expect(rig.pages.error?.code == "login_loop")
        rig.clock.advance(31)
        #expect(await browser.send("GET", "/auth/login?return_to=/app").status == 200)
    }

    @Test("who is logged in already goes on at once, but not in circles")
    func already() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login()
        // People open login pages, too.
        for _ in 0..<7 {
            let answer = await browser.send("GET", "/auth/login?return_to=/app")
            #expect(answer.location == "/app")
        }
        #expect(await browser.send("GET", "/auth/login?return_to=/app").status == 400)
        #expect(await browser.send("GET", "/auth/login?return_to=/other").location == "/other")
    }

    @Test("a busy hashing pool and a store that is away are answered 503 with Retry-After")
    func unavailable() async throws {
        let closed = HashingPool(threads: 1, queue: 1)
        closed.close()
        let busy = try Rig(hashing: closed)
        let refused = await Browser(busy).login()
        #expect(refused.status == 503)
        #expect(refused.value(of: "Retry-After") == "1")
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.send("GET", "/auth/login")
        rig.store.setAway(true)
        let answer = await browser.login()
        #expect(answer.status == 503)
        #expect(answer.setCookie("__Host-gw_session") == nil)
        rig.store.setAway(false)
        #expect(await browser.login().status == 303)
    }

    @Test("without an audit log that works nobody logs in, where that is asked for")
    func auditDenies() async throws {
        let strict = try Rig { $0.auditDenies = true }
        strict.audit.fill()
        #expect(await Browser(strict).login().status == 503)
        #expect(try await strict.store.count() == 0)
        let lax = try Rig()
        lax.audit.fill()
        #expect(await Browser(lax).login().status == 303)
    }

    @Test("the oldest login of an account ends when there are too many")
    func limit() async throws {
        let rig = try Rig { $0.maximumPerAccount = 2 }
        let first = Browser(rig)
        await first.login()
        rig.clock.advance(1)
        let second = Browser(rig)
        await second.login()
        rig.clock.advance(1)
        let answer = await Browser(rig).login()
        #expect(answer.ended.map(\.reason) == [.limit])
        #expect(await first.session() == nil)
        #expect(await second.session() != nil)
    }

    @Test("a hash of another cost is made anew at login")
    func rehash() async throws {
        let rig = try Rig { $0.argon2.iterations = 2 }
        #expect(await Browser(rig).login().status == 303)
        #expect(rig.users.rehashed.count == 1)
    }

    @Test("staying logged in is offered where configured, and lasts as long")
    func remember() async throws {
        let rig = try Rig { $0.rememberMe = 86_400 * 30 }
        let browser = Browser(rig)
        let answer = await browser.login(more: [("remember", "1")])
        #expect(rig.pages.login?.offersRemember == true)
        #expect(answer.setCookie("__Host-gw_session")?.contains("Max-Age=2592000") == true)
        #expect(await browser.session()?.expires == rig.clock.now + 86_400 * 30)
        let plain = try Rig()
        #expect(
            await Browser(plain).login(more: [("remember", "1")]).setCookie("__Host-gw_session")?.contains("Max-Age")
                == false
        )
    }

    @Test("for development, cookies go without Secure and without __Host-")
    func insecure() async throws {
        let rig = try Rig {
            $0.cookie.isInsecure = true
            $0.cookie.name = "gw_session"
        }
        let browser = Browser(rig, host: "localhost:8080")
        browser.scheme = "http"
        let answer = await browser.login()
        #expect(answer.status == 303)
        #expect(answer.setCookie("gw_session")?.contains("Secure") == false)
        #expect(answer.fields.allSatisfy { $0.name != "Set-Cookie" || !$0.value.hasPrefix("__Host-") })
    }

    @Test("a step-up asks the one who is logged in, whoever is typed, and keeps the login's family")
    func stepUp() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login()
        let old = try #require(await browser.session())
        rig.clock.advance(600)
        let answer = await browser.login("otto", at: "/auth/login?return_to=/admin&step_up=1")
        #expect(rig.pages.login?.isStepUp == true)
        #expect(rig.pages.login?.account == "ada")
        #expect(answer.location == "/admin")
        let new = try #require(await browser.session())
        #expect(new.account == "ada")
        #expect(new.family == old.family)
        #expect(new.key != old.key)
        #expect(new.authenticated == rig.clock.now)
        #expect(rig.audit.kinds == [.login, .stepUp])
        #expect(await browser.send("GET", "/auth/login?step_up=2").status == 403)
    }
}
