// COLD. Which cookies are ours, byte by byte, and which hosts have one session among them.
import Settings
import Testing

@testable import Portal

@Suite("Cookies and hosts")
struct SiteTests {
    @Test("cookies are split at bytes, never at characters")
    func cookies() {
        func values(_ lines: String...) -> [String] {
            CookiePairs(lines.map { ("cookie", $0) }).values(of: "id")
        }
        #expect(values("a=1; id=2;id = 3 ;\tid\t=\t4", "id=5") == ["2", "3", "4", "5"])
        #expect(values("id", "id=", "id=a=b") == ["", "", "a=b"])
        #expect(values("a=1\u{37e}id=2", "Id=3", "i\u{301}d=4", "id\u{301}=5") == [])
        #expect(values("id=\u{301}") == ["\u{301}"])
        #expect(values("", ";", " ; ;", "=id") == [])
        #expect(!CookiePairs([("cookie", "a=1;" + String(repeating: ";", count: 63))]).isExcessive)
        #expect(CookiePairs([("cookie", "a=1;" + String(repeating: ";", count: 64))]).isExcessive)
        #expect(CookiePairs([("cookie", String(repeating: "a", count: 8193))]).isExcessive)
        // A composed name is not a decomposed one.
        #expect(CookiePairs([("cookie", "e\u{301}=1")]).values(of: "\u{e9}") == [])
    }

    @Test("every host is a site of its own, but for cookies with a domain")
    func shares() {
        var plan = PortalPlan()
        #expect(plan.shares("a.example", "A.Example:8443"))
        #expect(plan.shares("[::1]", "[::1]:80"))
        for other in ("b.example a.example.b example x.a.example 127.0.0.1" as String).split(separator: " ") {
            #expect(!plan.shares("a.example", String(other)))
        }
        plan.cookie.domain = "Example.com"
        var net = CookiePlan()
        net.domain = "example.net"
        var strict = plan.cookie
        strict.domain = "example.com"
        strict.sameSite = .strict
        plan.sites = [
            SitePlan(hosts: [.exact("own.example.com")], cookie: CookiePlan()),
            SitePlan(hosts: [.wildcard(suffix: ".example.net")], cookie: net),
            SitePlan(hosts: [.exact("site.example.com")]),
            // To browsers it is the same cookie.
            SitePlan(hosts: [.exact("strict.example.com")], cookie: strict),
        ]
        for (a, b, isOne) in [
            ("example.com", "a.b.EXAMPLE.com.:81", true), ("a.example.com", "site.example.com", true),
            ("a.example.net", "b.example.net", true), ("a.example.com", "strict.example.com", true),
            ("a.example.com", "own.example.com", false),
            ("own.example.com", "example.com", false), ("a.example.com", "a.example.net", false),
            ("a.example.com", "evilexample.com", false), ("other.example", "another.example", false),
            ("other.example", "other.example:1", true), ("", "example.com", false),
        ] {
            #expect(plan.shares(a, b) == isOne, "\(a) \(b)")
        }
    }
}
