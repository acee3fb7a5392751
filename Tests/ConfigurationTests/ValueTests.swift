// COLD. What is written and what comes out of it: quantities, switches, groups, spelling.
import Settings
import Testing

@testable import Configuration

@Suite struct ValueTests {
    private func routes(_ text: String) throws -> [String: RouteSettings] {
        let loaded = load(withRoutes(text))
        #expect(loaded.errors.map(\.description) == [])
        let settings = try #require(loaded.settings)
        return Dictionary(uniqueKeysWithValues: settings.routes.map { ($0.name, $0) })
    }

    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("1h", .seconds(3600)),
        ("off", .zero), ("'off'", .zero), ("false", .zero), ("0s", .zero),
    ]) func durations(_ text: String, _ value: Duration) throws {
        let settings = try #require(
            load("timeouts: { request: \(text) }\nroutes: [{name: a, auth: public, respond: {}}]").settings
        )
        #expect(settings.timeouts.request == value)
    }

    @Test(arguments: ["30", "30 s", "1.5s", "-1s", "30S", "s", "99999999999999999999s", "1h30m", "''", "[]"])
    func noDurations(_ text: String) {
        #expect(
            load("timeouts: { request: \(text) }\nroutes: [{name: a, auth: public, respond: {}}]").errors.count == 1
        )
    }

    @Test(arguments: [
        ("512", 512), ("512B", 512), ("8KiB", 8192), ("10MiB", 10 << 20), ("1GiB", 1 << 30), ("unlimited", Int.max),
        ("0", 0),
    ]) func sizes(_ text: String, _ value: Int) throws {
        let settings = try #require(
            load("limits: { body: \(text) }\nroutes: [{name: a, auth: public, respond: {}}]").settings
        )
        #expect(settings.limits.body.bytes == value)
    }

    @Test(arguments: ["10MB", "10 MiB", "1k", "-1", "9999999999GiB", "1.5MiB", "many", "~"]) func noSizes(
        _ text: String
    ) {
        #expect(load("limits: { body: \(text) }\nroutes: [{name: a, auth: public, respond: {}}]").errors.count == 1)
    }

    @Test func switches() throws {
        let text = """
            token_cache: off
            access_log: { path: off }
            ops: false
            routes: [{name: a, auth: public, respond: {}}]
            """
        let settings = try #require(load(text).settings)
        #expect(!settings.tokenCache.isEnabled && !settings.accessLog.isEnabled && !settings.ops.isEnabled)
    }

    @Test func environment() {
        func text(_ written: String) -> String {
            let result = Substituted(written, environment: ["A": "1", "B_2": "two", "E": ""])
            return result.problems.isEmpty ? result.text : "! \(result.problems.count)"
        }
        #expect(text("x${A}y${B_2}z") == "x1ytwoz")
        #expect(text("${A:-9}${C:-9}${E:-9}${C:-}") == "19")
        #expect(text("$A $ $$ 5$") == "$A $ $$ 5$")
        #expect(text("$${A}") == "${A}")
        #expect(text("${C}${D}") == "! 2")
        #expect(text("${") == "! 1")
        #expect(text("${}${a-b}${1}") == "! 3")
        #expect(Substituted("${A}", environment: ["A": "${A}"]).text == "${A}", "replaced once")
        #expect(Substituted("${A}", environment: ["A": "1"]).variable == "A")
        #expect(Substituted("${A} ", environment: ["A": "1"]).variable == nil)
    }

    @Test func structureCannotComeFromTheEnvironment() throws {
        let loaded = load(
            "http: { via: \"${V}\" }\nroutes: [{name: a, auth: public, respond: { body: \"${V}\" }}]",
            environment: ["V": "x\", server: \"y"]
        )
        #expect(loaded.errors.count == 1, "no token")
    }

    @Test func strictestWins() throws {
        let routes = try routes(
            """
            groups:
              - name: open
                auth: optional
                routes:
                  - { name: silent, respond: {} }
                  - { name: strict, match: { path: /s }, auth: required, respond: {} }
                  - { name: asks, match: { path: /a }, roles: [x], respond: {} }
                  - { name: public, match: { path: /p }, auth: public, weaken: true, respond: {} }
              - name: rules
                roles: [admin]
                routes:
                  - { name: implied, match: { path: /i }, respond: {} }
                  - { name: alone, match: { path: /w }, weaken: true, scopes: [x], respond: {} }
                groups:
                  - name: inner
                    weaken: true
                    auth: public
                    routes: [{ name: innerpublic, match: { path: /x }, respond: {} }]
            routes:
              - { name: default, match: { path: /d }, respond: {} }
            """
        )
        let auth = routes.mapValues(\.auth)
        #expect(auth["silent"] == .optional)
        #expect(auth["strict"] == .required)
        #expect(auth["asks"] == .required)
        #expect(auth["public"] == .public)
        #expect(auth["implied"] == .required)
        #expect(auth["alone"] == .required)
        #expect(auth["innerpublic"] == .public)
        #expect(auth["default"] == .required)
        #expect(routes["implied"]?.rules.map(\.origin) == ["group rules", "route implied"])
        #expect(routes["alone"]?.rules.map(\.origin) == ["route alone"])
        #expect(routes["innerpublic"]?.rules.map(\.origin) == ["group inner", "route innerpublic"])
        for route in routes.values where route.auth == .public {
            #expect(!route.rules.contains { !$0.isEmpty })
        }
    }

    @Test func pathsAreCanonical() throws {
        let routes = try routes(
            """
            routes:
              - { name: a, match: { path: /api/ }, forward: { upstream: api, strip_prefix: /api/ } }
              - { name: b, match: { path_exact: /api/ }, forward: { upstream: api } }
              - { name: c, match: { path: "/%7euser/%c3%a9" }, forward: { upstream: api } }
              - { name: d, match: { path: /bücher }, forward: { upstream: api } }
            """
        )
        #expect(routes["a"]?.match.path == .prefix("/api"))
        #expect(routes["b"]?.match.path == .exact("/api/"))
        #expect(routes["c"]?.match.path == .prefix("/~user/%C3%A9"))
        #expect(routes["d"]?.match.path == .prefix("/b%C3%BCcher"))
    }

    @Test func marksPointIntoTheFile() throws {
        let text = withRoutes(
            "limits:\n  body: 1MiB\nroutes:\n  - name: a\n    issuers: [main]\n    forward: { upstream: api }\n"
        )
        let settings = try #require(load(text).settings)
        #expect(settings.limits.marks["body"] == SourceLocation(line: 4, column: 9))
        #expect(settings.routes[0].rule.marks["issuers[0]"] == SourceLocation(line: 7, column: 15))
        #expect(settings.routes[0].marks.section == SourceLocation(line: 6, column: 5))
    }

    @Test(arguments: [
        ("wokers", "workers"), ("listener", "listeners"), ("requestLine", "request_line"), ("time-outs", "timeouts"),
        ("isuers", "issuers"), ("rotues", "routes"), ("x", nil), ("completely_else", nil),
    ]) func spelling(_ word: String, _ meant: String?) {
        #expect(Spelling.nearest(to: word, among: GatewaySettings.keys.map(\.name) + ["request_line"]) == meant)
    }

    @Test func quotedTextIsShortAndHarmless() {
        #expect(Spelling.quoted("a\u{1b}[31m\nb\u{202e}") == "\"a\u{fffd}[31m\u{fffd}b\u{fffd}\"")
        #expect(Spelling.quoted(String(repeating: "x", count: 1000)).count == 51)
    }
}
