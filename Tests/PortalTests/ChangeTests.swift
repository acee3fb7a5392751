// COLD. Accounts that change, what is sent in odd shapes, and signatures.
import Accounts
@testable import Portal
import Sessions
import Settings
import Testing

@Suite("Accounts that change")
struct ChangeTests {
    @Test("a disabled or removed account's sessions end")
    func disabled() async throws {
        for people in [Rig.people.replacing("roles: [admin]", with: "disabled: true"), "users: []"] {
            let rig = try Rig()
            let (ada, otto) = (Browser(rig), Browser(rig))
            await ada.login()
            await otto.login("otto")
            await otto.enter(rig.code())
            let record = try #require(await ada.session())
            let changes = await rig.portal.accountsChanged(try Rig.directory(people))
            #expect(changes.isComplete)
            #expect(changes.ended.contains { $0.key == record.key && $0.reason == .accountDisabled })
            #expect(await ada.session() == nil)
            #expect((await otto.session() == nil) == (people == "users: []"))
            #expect(rig.portal.review(record) == .end(.accountDisabled))
        }
    }

    @Test("other roles reach the sessions as new claims; they go on")
    func roles() async throws {
        let rig = try Rig()
        let ada = Browser(rig)
        await ada.login()
        let record = try #require(await ada.session())
        let people = Rig.people.replacing("roles: [admin]", with: "roles: [guest]")
        let changes = await rig.portal.accountsChanged(try Rig.directory(people))
        #expect(changes.refreshed == [record.key])
        #expect(changes.ended.isEmpty)
        let now = try #require(await ada.session())
        #expect(String(decoding: now.claims, as: UTF8.self).contains("guest"))
        #expect(rig.portal.review(now) == .current)
        if case .refresh = rig.portal.review(record) {} else { Issue.record("old claims pass for new ones") }
    }

    @Test("another password ends the sessions")
    func password() async throws {
        let rig = try Rig()
        let ada = Browser(rig)
        await ada.login()
        let record = try #require(await ada.session())
        let hash = try PasswordHash.make(Array("another horse battery".utf8), Rig.cost)
        let changes = await rig.portal.accountsChanged(try Rig.directory(Rig.people.replacing(Rig.hash, with: hash)))
        #expect(changes.ended.map(\.reason) == [.accountChanged])
        #expect(rig.portal.review(record) == .end(.accountChanged))
    }

    @Test("what cannot be stored is reported as not complete, and done the next time")
    func away() async throws {
        let rig = try Rig()
        let ada = Browser(rig)
        await ada.login()
        rig.store.setAway(true)
        let nobody = try Rig.directory("users: []")
        #expect(await rig.portal.accountsChanged(nobody).isComplete == false)
        rig.store.setAway(false)
        let record = try #require(await ada.session())
        #expect(rig.portal.review(record) == .end(.accountDisabled))
    }
}

@Suite("What is sent")
struct SubmissionTests {
    @Test(
        "bodies in odd shapes are refused, and nothing breaks",
        arguments: [
            ("application/json", "", 400), ("application/json", "{", 400), ("application/json", "[]", 400),
            ("application/json", #"{"username":"a","username":"b"}"#, 400),
            ("application/json", #"{"username":[]}"#, 400),
            ("application/json", #"{"username":"a\u0000","password":"x"}"#, 400), ("application/json", "null", 400),
            ("application/json", #"{"username":{"a":{"b":{"c":{"d":1}}}}}"#, 400), ("application/json", "{}", 400),
            ("application/json", #"{"username":"ada","password":1.5}"#, 400),
            ("application/x-www-form-urlencoded", "username=%", 400),
            ("application/x-www-form-urlencoded", "a=1&a=2", 400),
            ("application/x-www-form-urlencoded", "username=%ff", 400),
            ("application/x-www-form-urlencoded", "username=%00", 400),
            ("text/plain", #"{"username":"ada"}"#, 415), ("multipart/form-data; boundary=x", "--x", 415),
            ("", "x", 415),
        ]
    )
    func bodies(_ type: String, _ body: String, _ status: Int) async throws {
        let rig = try Rig()
        let request = PortalRequest(
            method: "POST",
            path: "/auth/login",
            host: "app.example.com",
            fields: [("content-type", type), ("accept", "application/json")],
            body: Array(body.utf8),
            now: rig.clock.now
        )
        let answer = await rig.portal.answer(request)
        #expect(answer.status == status)
        #expect(answer.value(of: "Content-Type") == "application/problem+json")
    }

    @Test("more than 16 KiB, and more fields than any form has, are refused")
    func large() async throws {
        let rig = try Rig()
        let browser = Browser(rig)
        let long = String(repeating: "a", count: PortalLimits.body)
        #expect(await browser.send("POST", "/auth/login", json: #"{"username":"\#(long)"}"#).status == 413)
        let many = (0...PortalLimits.fields).map { ("f\($0)", "") }
        #expect(await browser.send("POST", "/auth/login", form: many).status == 400)
        let name = String(repeating: "a", count: PortalLimits.name + 1)
        #expect(await browser.login(name).status == 400)
        #expect(await browser.login("ada", String(repeating: "a", count: PortalLimits.password + 1)).status == 400)
    }

    @Test("unknown paths are 404, other methods 405 with Allow")
    func paths() async throws {
        let browser = Browser(try Rig())
        for path in ["/auth/nothing", "/auth/login/", "/auth/login/x", "/auth/assets/nothing", "/authx"] {
            #expect(await browser.send("GET", path).status == 404)
        }
        for path in ["/auth", "/auth/"] { #expect(await browser.send("GET", path).location == "/auth/sessions") }
        let answer = await browser.send("PUT", "/auth/login")
        #expect(answer.status == 405)
        #expect(answer.value(of: "Allow") == "GET, HEAD, POST")
        #expect(
            await browser.send("GET", "/auth/assets/portal.0123.css").value(of: "Cache-Control")?.contains("immutable")
                == true
        )
        #expect(await browser.send("HEAD", "/auth/login").status == 200)
    }

    @Test(
        "Accept decides between page and JSON, else whether it is a navigation",
        arguments: [
            ("text/html", "", true), ("text/html,application/json;q=0.9", "", true), ("application/json", "", false),
            ("application/json,text/html;q=0.5", "", false), ("application/problem+json", "", false),
            ("*/*", "", false),
            ("*/*", "navigate", true), ("*/*", "cors", false), ("", "", false), ("", "navigate", true),
            ("text/html;q=0,application/json", "", false), ("text/html;q=0,*/*", "navigate", false),
        ]
    )
    func negotiation(_ accept: String, _ mode: String, _ wantsPage: Bool) {
        var fields: [(name: String, value: String)] = accept.isEmpty ? [] : [("accept", accept)]
        if !mode.isEmpty { fields.append(("sec-fetch-mode", mode)) }
        #expect(Negotiation.wantsPage(PortalRequest(path: "/", host: "h", fields: fields, now: 0)) == wantsPage)
    }

    @Test(
        "who says nothing of HTML gets a page where there is nothing else to have: for a form, or by sending one",
        arguments: [
            ("GET", "/auth/login", "", true), ("HEAD", "/auth/login/code", "", true),
            ("GET", "/auth/sessions", "", false),
            ("DELETE", "/auth/sessions/x", "", false), ("POST", "/auth/login", "", false),
            ("POST", "/auth/logout", "application/x-www-form-urlencoded; charset=utf-8", true),
            ("POST", "/auth/login", "application/json", false), ("POST", "/auth/login", "text/plain", false),
        ]
    )
    func openNegotiation(_ method: String, _ path: String, _ type: String, _ wantsPage: Bool) {
        var fields: [(name: String, value: String)] = [("accept", "*/*")]
        if !type.isEmpty { fields.append(("content-type", type)) }
        let request = PortalRequest(method: method, path: path, host: "h", fields: fields, now: 0)
        #expect(Visit(request, plan: PortalPlan()).wantsPage == wantsPage)
    }
}

@Suite("Signatures")
struct KeyRingTests {
    private let old = Array(repeating: UInt8(1), count: 32)
    private let new = Array(repeating: UInt8(2), count: 32)

    @Test("an old secret still verifies, a removed one does not, and the first one signs")
    func rotation() {
        let before = KeyRing([old])
        let during = KeyRing([new, old])
        let after = KeyRing([new])
        let signature = before.sign(.form, ["a"])
        #expect(during.verify(.form, ["a"], signature))
        #expect(!after.verify(.form, ["a"], signature))
        #expect(after.verify(.form, ["a"], during.sign(.form, ["a"])))
    }

    @Test("what was signed for one purpose, or with other fields, is nothing else")
    func separation() {
        let ring = KeyRing([old])
        let signature = ring.sign(.form, ["ab", "c"])
        #expect(!ring.verify(.flow, ["ab", "c"], signature))
        #expect(!ring.verify(.form, ["a", "bc"], signature))
        #expect(!ring.verify(.form, ["abc"], signature))
        #expect(!ring.verify(.form, ["ab", "c", ""], signature))
        for bad in ["", "x", signature + "A", String(signature.dropLast()), signature + "="] {
            #expect(!ring.verify(.form, ["ab", "c"], bad))
        }
    }

    @Test("without configured secrets two portals on one store share one")
    func shared() async throws {
        let clock = TestClock()
        let store = SwitchedStore(clock)
        let one = try Rig(store: store) { $0.secrets = [] }
        let two = try Rig(store: store) { $0.secrets = [] }
        let ring = try await one.portal.keys()
        #expect(try await two.portal.keys().verify(.form, ["a"], ring.sign(.form, ["a"])))
    }

    @Test("a browser's cookie is of one host, not to be altered, and ages")
    func flow() {
        let ring = KeyRing([old])
        let flow = BrowserFlow.make(now: 1000)
        let sealed = flow.sealed(ring, host: "a.example")
        #expect(sealed.utf8.count < 200)
        #expect(BrowserFlow.open(sealed, ring, host: "a.example", now: 1000) == flow)
        #expect(BrowserFlow.open(sealed, ring, host: "b.example", now: 1000) == nil)
        #expect(BrowserFlow.open(sealed, ring, host: "a.example", now: 1000 + BrowserFlow.lifetime + 1) == nil)
        #expect(BrowserFlow.open(sealed.replacing(".0.0.", with: ".0.1."), ring, host: "a.example", now: 1000) == nil)
        #expect(BrowserFlow.open("1" + sealed, ring, host: "a.example", now: 1000) == nil)
    }

    @Test("a device is known for one account and 180 days, and four accounts fit")
    func device() {
        let ring = KeyRing([old])
        var cookie: String?
        for name in ["a", "b", "c", "d", "e"] { cookie = KnownDevice.renewed(cookie, account: name, ring, now: 0) }
        #expect(KnownDevice.id(cookie, account: "a", ring, now: 1) == nil)
        let id = KnownDevice.id(cookie, account: "e", ring, now: 1)
        #expect(id != nil)
        #expect(KnownDevice.id(cookie, account: "f", ring, now: 1) == nil)
        #expect(KnownDevice.id(cookie, account: "e", ring, now: 180 * 86_400) == nil)
        let renewed = KnownDevice.renewed(cookie, account: "e", ring, now: 100)
        #expect(KnownDevice.id(renewed, account: "e", ring, now: 101) == id)
        #expect(KnownDevice.id(renewed, account: "b", ring, now: 101) != nil)
    }
}
