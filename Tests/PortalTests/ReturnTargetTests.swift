// COLD. Nobody is led away from the site by a return target (advisory D31).
@testable import Portal
import Settings
import Testing

@Suite("Return targets")
struct ReturnTargetTests {
    private var plan: PortalPlan { PortalPlan() }
    private let origin = "https://app.example.com"
    private let sites = ["https://shop.example.org", "https://shop.example.org:8443"]

    private func check(_ text: String) -> ReturnTarget? {
        ReturnTarget.check(text, origin: origin, sites: sites, plan: plan)
    }

    @Test(
        "paths of this host are returned to as they are",
        arguments: [
            "/", "/app", "/app/", "/a/b?c=d&e=%2F%2Fevil.example", "/a?next=https://evil.example/", "/a#part",
            "/search?q=a%0Ab", "/~ada/x.y-z_1", "/@ada", "/a:b", "/a//b", "/%E4%BD%A0", "/a%20b", "/auth/sessions",
            "/authors", "/.well-known/x", "/a/.b/..c",
        ]
    )
    func local(_ text: String) { #expect(check(text) == .local(text)) }

    /// Ways to write two slashes at the front, a scheme, or a host.
    static var hostile: [String] {
        let slashes = [
            "//", "///", "////", "/\\", "\\/", "\\\\", "/\t/", "/\n/", "/\r/", "/\r\n/", "/ /", "/%2f", "/%2F", "/%5c",
            "/%5C", "/%09/", "/%0a/", "/%0d/", "/%0d%0a/", "/%00/", "/.//", "/..//", "/./\\", "/%2e//", "/%2e%2e//",
            "/%2E%2e/%2f", "/a/..//", "/\u{2028}/", "/\u{FF0F}", "/\u{0}/", "/\u{7f}/", "\t//", " //", "\n//", "\r\n//",
            "/%7f/", "/%1f", "/x\\..\\", "/x%5c..%5c", "%2f%2f", "%2F/", "/%zz", "/%%2f",
        ]
        let hosts = ["evil.example", "evil.example/path", "user@evil.example", "evil.example:80", "2130706433"]
        let schemes = [
            "http://", "https://", "HTTPS://", "https:", "https:/", "https:///", "https:\\\\", "http:\\", "ftp://",
            "//",
            "javascript:", "JaVaScRiPt:", "java\tscript:", "data:text/html,", "vbscript:", "file:///", "blob:https://",
            "https://app.example.com@", "https://app.example.com:443@", "https://app.example.com.",
            "https://app.example.com%40",
            "https://app.example.com:8443.", "https://app.example.com\\@", "https://app.example.com%2f@",
            "https://app.example.comx.",
            "https://shop.example.org@", "https://shop.example.org.", "https://shop.example.org\\.",
            "https://shop.example.org%00.",
            "https://shop.example.org:80@", "https://shop.example.org:84430/", "http://shop.example.org/",
            "https://x.shop.example.org/",
            "https://SHOP.example.org@", "https://\u{0455}hop.example.org/", "https://shop.example.org\u{3002}",
            "view-source:https://",
            "https://shop.example.org//", "https://shop.example.org/\\", "https://shop.example.org/%2f",
            "https://shop.example.org/%09/",
            "https://shop.example.org/..//", "https://app.example.com//", "https://app.example.com/%5c",
        ]
        var all: [String] = []
        for host in hosts { all += (slashes + schemes).map { $0 + host } }
        all += [
            "", "app", "./a", "../a", "?a", "#a", " /a", "\u{feff}/a", "/a\u{0}", "/a b", "/ä", "/a\r\nSet-Cookie:x=1",
            "/a\\b",
        ]
        all += [
            "/auth", "/auth/", "/auth/login", "/auth/logout", "/AUTH/login", "/%61uth/login", "/auth/login?return_to=/",
        ]
        all += ["//auth/login", "/auth/./login", "/auth//login", "/auth/sessions/x", "/auth/handoff?code=x", "/aut%68"]
        all += ["/%", "/%2", "/a%", "/a%2", "/a%g0"]
        all += ["/" + String(repeating: "a", count: 8192)]
        return all
    }

    @Test("several hundred ways out lead nowhere")
    func waysOut() {
        #expect(Self.hostile.count > 450)
        for text in Self.hostile {
            let found = check(text)
            // `%5c` and the like in a site's path are refused with it; what is left must be one of the origins.
            #expect(found == nil, "\(text.debugDescription) leads to \(String(describing: found))")
        }
    }

    @Test("the portal's own paths are none under a prefix in capitals either")
    func capitals() {
        var plan = PortalPlan()
        plan.prefix = "/Anmeldung"
        for text in [
            "/Anmeldung", "/Anmeldung/login", "/anmeldung/logout", "/ANMELDUNG/start", "/Anmeldung/sessions/x",
        ] {
            #expect(ReturnTarget.local(text, plan: plan) == nil, "\(text)")
        }
        for text in ["/Anmeldung/sessions", "/Anmeldungen", "/auth/login"] {
            #expect(ReturnTarget.local(text, plan: plan) == text)
        }
    }

    @Test("a site's own URL is returned to, byte for byte its origin")
    func otherSites() {
        #expect(check("https://shop.example.org") == .site(origin: "https://shop.example.org", path: "/"))
        #expect(check("https://shop.example.org/a?b=c") == .site(origin: "https://shop.example.org", path: "/a?b=c"))
        #expect(check("https://shop.example.org:8443/a") == .site(origin: "https://shop.example.org:8443", path: "/a"))
        #expect(check("https://app.example.com/a") == .local("/a"))
        #expect(check("https://shop.example.org/auth/login") == nil)
    }

    @Test("a target of 8 KiB is the longest, and one of which a request line and a form can be made")
    func longest() {
        let path = "/" + String(repeating: "a", count: 8191)
        #expect(check(path) == .local(path))
        #expect(check(path + "a") == nil)
        let coded = "/?" + String(repeating: "=", count: (plan.codedTarget - 4) / 3)
        #expect(check(coded) == .local(coded))
        #expect(check(coded + "==") == nil)
        var small = plan
        small.codedTarget = 1000
        #expect(ReturnTarget.local("/" + String(repeating: "a", count: 999), plan: small) != nil)
        #expect(ReturnTarget.local("/" + String(repeating: "a", count: 1000), plan: small) == nil)
    }

    @Test("another site gets no more of a path than a hand-off can keep")
    func handedPath() {
        let path = "/" + String(repeating: "a", count: 2047)
        #expect(check("https://shop.example.org" + path) == .site(origin: "https://shop.example.org", path: path))
        #expect(check("https://shop.example.org" + path + "a") == .site(origin: "https://shop.example.org", path: "/"))
    }

    @Test("the gate sends browsers to the login with a target, or without one that would lead away")
    func loginLocation() {
        #expect(plan.loginLocation(target: "/a?b=c&d", host: "h") == "/auth/login?return_to=/a%3Fb%3Dc%26d")
        #expect(
            plan.loginLocation(target: "/a?q=C:\\b\\", host: "h") == "/auth/login?return_to=/a%3Fq%3DC%3A%255Cb%255C"
        )
        #expect(plan.loginLocation(target: "/\\evil.example?a", host: "h") == "/auth/login")
        #expect(plan.loginLocation(target: "//evil.example", host: "h") == "/auth/login")
        #expect(plan.loginLocation(target: "/auth/login", host: "h", stepUp: 1) == "/auth/login?step_up=1")
        var several = plan
        several.loginHost = "login.example.com"
        several.sites = [SitePlan(hosts: [.exact("login.example.com"), .exact("shop.example.org")])]
        #expect(several.loginLocation(target: "/a", host: "shop.example.org:8443") == "/auth/start?return_to=/a")
        #expect(several.loginLocation(target: "/a", host: "login.example.com") == "/auth/login?return_to=/a")
    }
}
