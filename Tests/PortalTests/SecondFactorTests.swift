// COLD. The second factor: asked after the password, good once, and not to be guessed.
import Accounts
@testable import Portal
import Sessions
import Settings
import Testing

@Suite("Second factor")
struct SecondFactorTests {
    @Test("the password alone begins no session; the code does, at the page asked for")
    func code() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        let asked = await browser.login("otto", at: "/auth/login?return_to=/app")
        #expect(asked.status == 200)
        #expect(rig.pages.code?.account == "otto")
        #expect(rig.pages.code?.offersRecovery == true)
        #expect(browser.sessionCookie == nil)
        #expect(try await rig.store.count() == 0)
        let answer = await browser.enter(rig.code())
        #expect(answer.status == 303)
        #expect(answer.location == "/app")
        let session = try #require(await browser.session())
        #expect(session.method == "pwd+otp")
        #expect(session.strength == 2)
        #expect(browser.cookies["__Host-gw_code"] == nil)
        #expect(rig.audit.kinds == [.secondFactor, .login])
    }

    @Test("a code is good for one login")
    func replay() async throws {
        let rig = try Rig()
        let code = rig.code()
        let first = Browser(rig)
        await first.login("otto")
        #expect(await first.enter(code).status == 303)
        let second = Browser(rig)
        await second.login("otto")
        #expect(await second.enter(code).status == 401)
        #expect(rig.pages.code?.error == .wrongCode)
        #expect(rig.audit.events.last?.reason == "code_used_before")
        #expect(await second.enter(rig.code(ahead: 1)).status == 303)
    }

    @Test("five wrong codes, and one begins again with the password")
    func guessing() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        for _ in 0..<4 {
            #expect(await browser.enter("000000").status == 401)
            rig.clock.advance(1)
        }
        #expect(await browser.enter("000000").status == 400)
        #expect(rig.pages.login?.error == .expired)
        #expect(browser.cookies["__Host-gw_code"] == nil)
        #expect(await browser.session() == nil)
    }

    @Test("wrong codes slow the account down like wrong passwords, over many half-done logins")
    func throttled() async throws {
        let rig = try Rig()
        var statuses: [Int] = []
        for _ in 0..<8 {
            let browser = Browser(rig)
            let asked = await browser.login("otto")
            statuses.append(asked.status == 200 ? await browser.enter("000000").status : asked.status)
        }
        #expect(statuses.contains(429))
    }

    @Test("a half-done login is of one browser and five minutes")
    func bound() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        let page = try #require(rig.pages.code)
        let thief = Browser(rig)
        await thief.send("GET", "/auth/login")
        thief.jar["app.example.com"]?["__Host-gw_code"] = browser.cookies["__Host-gw_code"]
        let form = [("code", rig.code()), ("csrf", page.token)]
        #expect(await thief.send("POST", page.action, form: form).status == 400)
        #expect(await thief.send("POST", page.action, json: #"{"code":"\#(rig.code())"}"#).status == 400)
        await browser.login("otto")
        rig.clock.advance(301)
        #expect(await browser.enter(rig.code()).status == 400)
        #expect(await browser.session() == nil)
    }

    @Test("a recovery code takes the place of a code, once")
    func recovery() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        #expect(await browser.enter(Rig.recovery).status == 303)
        #expect(await browser.session()?.method == "pwd+recovery")
        let second = Browser(rig)
        await second.login("otto")
        #expect(await second.enter(Rig.recovery).status == 401)
        let locked = try Rig()
        locked.users.lock()
        let third = Browser(locked)
        await third.login("otto")
        #expect(await third.enter(Rig.recovery).status == 503)
        #expect(await third.session() == nil)
        #expect(await third.enter(locked.code()).status == 303)
    }

    @Test("a program may send both factors at once, or one after the other")
    func json() async throws {
        let rig = try Rig()
        let program = Browser(rig)
        let both = #"{"username":"otto","password":"correct horse battery","code":"\#(rig.code())"}"#
        #expect(await program.send("POST", "/auth/login", json: both).status == 200)
        #expect(await program.session()?.strength == 2)
        let other = Browser(rig)
        let asked = await other.send(
            "POST",
            "/auth/login",
            json: #"{"username":"otto","password":"correct horse battery"}"#
        )
        #expect(asked.status == 401)
        #expect(asked.member("code") == "second_factor_required")
        let wrong = await other.send("POST", "/auth/login/code", json: #"{"code":"000000"}"#)
        #expect(wrong.member("code") == "wrong_code")
        let code = rig.code(ahead: 1)
        #expect(await other.send("POST", "/auth/login/code", json: #"{"code":"\#(code)"}"#).status == 200)
        #expect(await other.session()?.strength == 2)
    }

    @Test("what cannot be checked at the moment is no failure of who logs in")
    func unavailable() async throws {
        let rig = try Rig()
        rig.users.lock()
        let both = #"{"username":"otto","password":"correct horse battery","code":"\#(Rig.recovery)"}"#
        for _ in 0..<8 { #expect(await Browser(rig).send("POST", "/auth/login", json: both).status == 503) }
        #expect(!rig.audit.kinds.contains(.throttled))
    }

    @Test("where a second factor is required, an account without one does not get in; where it is off, nobody is asked")
    func policy() async throws {
        let strict = try Rig { $0.secondFactor = .required }
        #expect(await Browser(strict).login().status == 403)
        #expect(strict.pages.login?.error == .noSecondFactor)
        #expect(try await strict.store.count() == 0)
        let off = try Rig { $0.secondFactor = .off }
        let browser = Browser(off)
        #expect(await browser.login("otto").status == 303)
        // But where a route wants it.
        #expect(await browser.login("otto", at: "/auth/login?step_up=2").status == 200)
        #expect(await browser.enter(off.code()).status == 303)
        #expect(await browser.session()?.strength == 2)
    }

    @Test("a half-done login is void when the password changes meanwhile")
    func changed() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        let hash = try PasswordHash.make(Array("another horse battery".utf8), Rig.cost)
        let people = Rig.people.replacing(Rig.hash, with: hash)
        _ = await rig.portal.accountsChanged(try Rig.directory(people))
        #expect(await browser.enter(rig.code()).status == 400)
        #expect(await browser.session() == nil)
    }
}
