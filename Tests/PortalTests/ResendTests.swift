// COLD. Forms that were sent twice: the browser keeps the second answer only, and that must be a login.
@testable import Portal
import Sessions
import Testing

@Suite("Forms sent twice")
struct ResendTests {
    /// A code that was sent, and the browser as it was before the answer.
    private func sent(
        _ rig: Rig,
        _ code: String
    ) async throws -> (browser: Browser, page: SecondFactorPage, first: SessionRecord) {
        let browser = Browser(rig)
        await browser.login("otto", at: "/auth/login?return_to=/app")
        let page = try #require(rig.pages.code)
        let before = browser.jar
        #expect(await browser.enter(code).status == 303)
        let first = try #require(await browser.session())
        browser.jar = before
        return (browser, page, first)
    }

    private func form(_ page: SecondFactorPage, _ code: String) -> [(String, String)] {
        [("code", code), ("csrf", page.token), ("return_to", page.returnTo)]
    }

    @Test("of two clicks on a code's button the second is a login, and ends the first's session")
    func code() async throws {
        let rig = try Rig()
        let (browser, page, first) = try await sent(rig, rig.code())
        let answer = await browser.send("POST", page.action, form: form(page, rig.code()))
        #expect(answer.location == "/app")
        let second = try #require(await browser.session())
        #expect(second.key != first.key)
        #expect((second.family, second.method, second.strength) == (first.family, "pwd+otp", 2))
        #expect(answer.ended.map(\.key) == [first.key])
        #expect(try await rig.store.count() == 1)
    }

    @Test("the same for a recovery code, which is used up once")
    func recovery() async throws {
        let rig = try Rig()
        let (browser, page, _) = try await sent(rig, Rig.recovery)
        #expect(await browser.send("POST", page.action, form: form(page, Rig.recovery)).location == "/app")
        #expect(await browser.session()?.method == "pwd+recovery")
        #expect(try await rig.store.count() == 1)
    }

    @Test("three at once wait for each other: one session, and the last answer's")
    func together() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        let page = try #require(rig.pages.code)
        let (code, jar) = (rig.code(), browser.jar)
        var statuses: [Int] = []
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    let one = Browser(rig)
                    one.jar = jar
                    let fields = [("code", code), ("csrf", page.token)]
                    return await one.send("POST", page.action, form: fields).status
                }
            }
            for await status in group { statuses.append(status) }
        }
        #expect(statuses == [303, 303, 303])
        #expect(try await rig.store.count() == 1)
    }

    @Test("another code, another browser and a later one get nothing")
    func others() async throws {
        let rig = try Rig()
        let code = rig.code()
        var (browser, page, first) = try await sent(rig, code)
        #expect(await browser.send("POST", page.action, form: form(page, rig.code(ahead: 1))).status == 400)
        // There was one try.
        #expect(await browser.send("POST", page.action, form: form(page, code)).status == 400)
        #expect(try await rig.store.find(first.key) != nil)

        rig.clock.advance(60)
        (browser, page, first) = try await sent(rig, rig.code())
        let thief = Browser(rig)
        await thief.send("GET", "/auth/login")
        thief.jar["app.example.com"]?["__Host-gw_code"] = browser.cookies["__Host-gw_code"]
        let json = #"{"code":"\#(rig.code())"}"#
        #expect(await thief.send("POST", page.action, json: json).status == 400)
        #expect(try await rig.store.find(first.key) != nil)

        rig.clock.advance(60)
        let late = rig.code()
        (browser, page, first) = try await sent(rig, late)
        rig.clock.advance(Resends.seconds)
        #expect(await browser.send("POST", page.action, form: form(page, late)).status == 400)
        #expect(try await rig.store.find(first.key) != nil)
    }

    @Test("a session that was ended meanwhile does not come back")
    func ended() async throws {
        let rig = try Rig()
        let (browser, page, first) = try await sent(rig, rig.code())
        _ = try await rig.store.end(first.key, .logout)
        #expect(await browser.send("POST", page.action, form: form(page, rig.code())).status == 400)
        #expect(try await rig.store.count() == 0)
    }

    @Test("a click after the login went through leads where it leads")
    func late() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto", at: "/auth/login?return_to=/app")
        let page = try #require(rig.pages.code)
        let code = rig.code()
        await browser.enter(code)
        let answer = await browser.send("POST", page.action, form: form(page, code))
        #expect(answer.location == "/app")
        #expect(try await rig.store.count() == 1)
    }

    @Test("a wrong code that is sent twice is two tries, and the login goes on")
    func wrong() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        for _ in 0..<2 {
            #expect(await browser.enter("000000").status == 401)
            rig.clock.advance(1)
        }
        #expect(await browser.enter(rig.code()).status == 303)
    }

    @Test("a password's form that is sent twice leaves one session")
    func password() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.send("GET", "/auth/login")
        let page = try #require(rig.pages.login)
        let fields = [("username", "ada"), ("password", "correct horse battery"), ("csrf", page.token)]
        let before = browser.jar
        #expect(await browser.send("POST", page.action, form: fields).status == 303)
        browser.jar = before
        #expect(await browser.send("POST", page.action, form: fields).status == 303)
        #expect(await browser.session() != nil)
        #expect(try await rig.store.count() == 1)
        // Not so with a wrong password.
        browser.jar = before
        let wrong = [("username", "ada"), ("password", "wrong horse battery"), ("csrf", page.token)]
        #expect(await browser.send("POST", page.action, form: wrong).status == 401)
        #expect(try await rig.store.count() == 1)
        // Nor for another account in the same form.
        browser.jar = before
        let other = [("username", "otto"), ("password", "correct horse battery"), ("csrf", page.token)]
        #expect(await browser.send("POST", page.action, form: other).status == 200)
        #expect(try await rig.store.count() == 1)
    }

    @Test("the form for the code knows whose it is when it is shown again, and is not shown without a login")
    func shownAgain() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        for _ in 0..<2 {
            #expect(await browser.send("GET", "/auth/login/code?lang=de").status == 200)
            #expect(rig.pages.code?.account == "otto")
        }
        let kept = browser.jar
        #expect(await browser.enter(rig.code()).status == 303)
        browser.jar = kept
        browser.jar["app.example.com"]?["__Host-gw_session"] = nil
        #expect(await browser.send("GET", "/auth/login/code?lang=de").location == "/auth/login?lang=de")
    }

    @Test("a wrong recovery code is told at its own field")
    func wrongRecovery() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        await browser.login("otto")
        #expect(await browser.enter("aaaa-bbbb-cccc").status == 401)
        #expect((rig.pages.code?.error, rig.pages.code?.isRecovery) == (.wrongRecovery, true))
        rig.clock.advance(10)
        #expect(await browser.enter("000000").status == 401)
        #expect((rig.pages.code?.error, rig.pages.code?.isRecovery) == (.wrongCode, false))
    }
}
