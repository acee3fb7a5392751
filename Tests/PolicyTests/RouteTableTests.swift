// Which route is found for a request.
import Settings
import Testing

@testable import Policy

@Suite("Route table")
struct RouteTableTests {
    @Test("the most specific path wins, whatever the order in the file", arguments: [false, true])
    func precedence(reversed: Bool) throws {
        let all = [
            route("root", .prefix("/")), route("api", .prefix("/api")), route("v1", .prefix("/api/v1")),
            route("exact", .exact("/api/v1/x")), route("user", pattern("/users/{id}")),
            route("me", .exact("/users/me")),
            route("orders", pattern("/users/{id}/orders")), route("users", .prefix("/users")),
        ]
        let routes = reversed ? all.reversed() : all
        let table = RouteTable.build(routes).table
        for (path, name) in [
            ("/", "root"), ("/x", "root"), ("/apix", "root"), ("/api", "api"), ("/api/", "api"), ("/api/v2", "api"),
            ("/api/v1", "v1"), ("/api/v1/x", "exact"), ("/api/v1/x/", "v1"), ("/api/v1/xy", "v1"),
            ("/api/v1;p=1/x", "exact"),
            ("/api;p=1/y", "api"), ("/users/me", "me"), ("/users/7", "user"), ("/users/7/orders", "orders"),
            ("/users/me/orders", "orders"), ("/users/7/carts", "users"), ("/users/", "users"), ("/users", "users"),
            ("/users/7/", "users"),
        ] {
            #expect(routes[try table.find(path)].name == name, "\(path)")
        }
    }

    @Test("an exact host goes before the longest wildcard, that before any host")
    func hosts() throws {
        let routes = [
            route("any", .prefix("/")), route("wild", .prefix("/"), hosts: [.wildcard(suffix: ".example.com")]),
            route("deep", .prefix("/"), hosts: [.wildcard(suffix: ".a.example.com")]),
            route("exact", .prefix("/only"), hosts: [.exact("x.a.example.com")]),
        ]
        let table = RouteTable.build(routes).table
        for (host, path, name) in [
            ("other.org", "/", "any"), ("example.com", "/", "any"), ("b.example.com", "/", "wild"),
            ("B.EXAMPLE.com", "/", "wild"),
            ("x.a.example.com", "/", "deep"), ("X.a.Example.COM", "/only/1", "exact"), ("notexample.com", "/", "any"),
            (".example.com", "/", "any"), ("a.b.example.com", "/", "wild"),
        ] {
            #expect(routes[try table.find(path, host: host)].name == name, "\(host)\(path)")
        }
    }

    @Test("methods and headers decide at one place, and what does not fit falls back to a less specific one")
    func conditions() throws {
        var tenant = HeaderMatch()
        tenant.name = "X-Tenant"
        tenant.value = "a"
        let routes = [
            route("read", .prefix("/api"), methods: ["GET", "HEAD"]), route("other", .prefix("/api")),
            route("tenant", .prefix("/api"), methods: ["GET"], headers: [tenant]), route("root", .prefix("/")),
            route("purge", .exact("/cache"), methods: ["PURGE"]),
        ]
        let table = RouteTable.build(routes).table
        #expect(routes[try table.find("/api/x")].name == "read")
        #expect(routes[try table.find("/api/x", method: "POST")].name == "other")
        #expect(routes[try table.find("/api/x", fields: ["x-tenant: a"])].name == "tenant")
        #expect(routes[try table.find("/api/x", fields: ["X-Tenant: b"])].name == "read")
        #expect(routes[try table.find("/api/x", fields: ["X-Tenant: a", "X-Tenant: b"])].name == "read")
        #expect(routes[try table.find("/cache", method: "PURGE")].name == "purge")
        #expect(routes[try table.find("/cache", method: "purge")].name == "root")
        #expect(routes[try table.find("/cache")].name == "root")
    }

    @Test("without a route there is none")
    func none() throws {
        let table = RouteTable.build([route("a", .exact("/a"), hosts: [.exact("h")])]).table
        #expect(try table.find("/a") == 0)
        #expect(try table.find("/b") == -1)
        #expect(try table.find("/a", host: "i") == -1)
        #expect(try RouteTable.build([]).table.find("/") == -1)
    }

    @Test("two routes for the same requests are told, with both names")
    func conflicts() {
        let same = RouteTable.build([route("a", .prefix("/x")), route("b", .prefix("/x"))]).conflicts
        #expect(same.count == 1)
        #expect(same.first?.message.contains("\"b\"") == true && same.first?.message.contains("\"a\"") == true)
        let shared = RouteTable.build([
            route("a", .exact("/x"), methods: ["GET", "PUT"]), route("b", .exact("/x"), methods: ["GET"]),
        ])
        #expect(shared.conflicts.first?.message.contains("GET") == true)
        let fine = RouteTable.build([
            route("a", .exact("/x")), route("b", .prefix("/x")), route("c", .exact("/x"), methods: ["GET"]),
            route("d", .prefix("/x"), hosts: [.exact("h")]),
        ])
        #expect(fine.conflicts.isEmpty)
    }

    private func condition(_ name: HeaderName, _ value: String?, present: Bool = true) -> HeaderMatch {
        var match = HeaderMatch()
        match.name = name
        match.value = value
        match.present = present
        return match
    }

    @Test("conditions on headers: the narrower first, whatever the order in the file; what overlaps is told")
    func overlappingHeaders() throws {
        let all = [
            route("any", .prefix("/")), route("present", .prefix("/"), headers: [condition("A", nil)]),
            route("value", .prefix("/"), headers: [condition("A", "1")]),
            route("other", .prefix("/"), headers: [condition("B", "1")]),
            route("both", .prefix("/"), headers: [condition("A", "1"), condition("B", "2")]),
        ]
        for routes in [all, all.reversed()] {
            let (table, conflicts) = RouteTable.build(routes)
            for (fields, name) in [
                ([], "any"), (["A: 2"], "present"), (["A: 1"], "value"), (["A: 1", "A: 2"], "present"),
                (["B: 1"], "other"),
                (["A: 1", "B: 1"], "value"), (["A: 1", "B: 2"], "both"),
            ] {
                #expect(routes[try table.find("/x", fields: fields)].name == name, "\(fields)")
            }
            #expect(conflicts.count == 1)
            #expect(conflicts.first?.isCertain == false)
            #expect(conflicts.first?.message.contains("\"value\" is taken") == true)
        }
        let exclusive = RouteTable.build([
            route("a", .prefix("/"), headers: [condition("A", "1")]),
            route("b", .prefix("/"), headers: [condition("A", "2")]),
            route("c", .prefix("/"), headers: [condition("A", nil, present: false)]),
        ])
        #expect(exclusive.conflicts.isEmpty)
    }

    @Test("a field that does not go on is not there")
    func hiddenFields() throws {
        let table = RouteTable.build([
            route("with", .prefix("/"), headers: [condition("X-Tenant", "a")]), route("without", .prefix("/")),
            route("upgrade", .prefix("/"), headers: [condition("Upgrade", "websocket"), condition("B", nil)]),
        ]).table
        #expect(try table.find("/", fields: ["X-Tenant: a"]) == 0)
        #expect(try table.find("/", fields: ["X-Tenant: a", "Connection: x-tenant"]) == 1)
        #expect(try table.find("/", fields: ["B: 1", "Connection: upgrade", "Upgrade: websocket"]) == 2)
    }

    @Test("ten thousand routes give the answers that ten give")
    func many() throws {
        let few = (0..<10).map { route("r\($0)", .prefix(RoutePath(stringLiteral: "/s\($0)/api"))) }
        let many = (0..<10_000).map { route("r\($0)", .prefix(RoutePath(stringLiteral: "/s\($0)/api"))) }
        let small = RouteTable.build(few).table
        let large = RouteTable.build(many).table
        for path in ["/s3/api/x", "/s9/api", "/s3", "/s10000/api", "/"] {
            #expect(try small.find(path) == large.find(path))
        }
        #expect(try large.find("/s9999/api/y") == 9999)
    }

    @Test("random tables agree with a matcher that simply tries everything")
    func differential() throws {
        var generator = SeededGenerator(state: 42)
        let words = ["a", "b", "c"]
        for _ in 0..<60 {
            var routes: [RouteSettings] = []
            var seen: Set<String> = []
            for index in 0..<12 {
                let depth = Int.random(in: 0...3, using: &generator)
                let kind = Int.random(in: 0...2, using: &generator)
                let parts = (0..<depth).map { _ in
                    kind == 2 && Bool.random(using: &generator) ? "{p}" : words.randomElement(using: &generator) ?? "a"
                }
                let text = "/" + parts.joined(separator: "/")
                guard seen.insert("\(kind == 0 ? "p" : "e")\(text)").inserted else { continue }
                let path = RoutePath(stringLiteral: text)
                routes.append(
                    route(
                        "r\(index)",
                        kind == 0 ? .prefix(path) : kind == 1 || depth == 0 ? .exact(path) : pattern(text)
                    )
                )
            }
            let table = RouteTable.build(routes).table
            for _ in 0..<40 {
                let depth = Int.random(in: 0...4, using: &generator)
                let path =
                    "/" + (0..<depth).map { _ in words.randomElement(using: &generator) ?? "a" }.joined(separator: "/")
                #expect(try table.find(path) == Self.naive(routes, path), "\(path) in \(routes.map(\.match.path.text))")
            }
        }
    }

    /// Compares all candidates segment by segment: literal, then parameter, then the end of a prefix.
    private static func naive(_ routes: [RouteSettings], _ path: String) -> Int {
        let wanted =
            path == "/" ? [] : path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var best = (-1, [Int]())
        for (index, route) in routes.enumerated() {
            var segments: [PathPattern.Segment]
            var isPrefix = false
            switch route.match.path {
            case .prefix(let path):
                segments = path.segments.map { .literal($0) }
                isPrefix = true
            case .exact(let path): segments = path.segments.map { .literal($0) }
            case .pattern(let pattern): segments = pattern.segments
            }
            guard isPrefix ? segments.count <= wanted.count : segments.count == wanted.count else { continue }
            var rank: [Int] = []
            let fits = zip(segments, wanted).allSatisfy { segment, text in
                switch segment {
                case .literal(let literal):
                    rank.append(3)
                    return literal == text
                case .parameter:
                    rank.append(2)
                    return !text.isEmpty
                }
            }
            guard fits else { continue }
            rank.append(isPrefix ? 0 : 1)
            if best.0 < 0 || best.1.lexicographicallyPrecedes(rank) { best = (index, rank) }
        }
        return best.0
    }
}

/// Numbers that are the same in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 33
    }
}
