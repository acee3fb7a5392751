// COLD. The configuration files that come along can be used as they are.
import Configuration
import Foundation
import Settings
import Testing

@Suite struct ExampleTests {
    private static let environment = [
        "TOKEN_SECRET": "0123456789abcdef0123456789abcdef", "JOBS_SECRET": "0123456789abcdef0123456789abcdef",
        "ASSERTION_KEY": "-----BEGIN PRIVATE KEY-----",
    ]

    private func example(_ name: String) throws -> GatewaySettings {
        let path = repository.appending(path: "config").appending(path: name).path
        let loaded = Configuration.load(path: path, environment: Self.environment)
        #expect(loaded.diagnostics.map(\.description) == [])
        return try #require(loaded.settings)
    }

    @Test func everyExampleLoads() throws {
        let folder = repository.appending(path: "config/examples").path
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
        #expect(names.count == 5)
        for name in names { _ = try example("examples/\(name)") }
    }

    @Test func smallOne() throws {
        let settings = try example("portcullis.yaml")
        #expect(settings.listeners.map(\.address) == [.loopback(8080)])
        #expect(settings.routes.map(\.auth) == [.public, .required])
        #expect(settings.issuers.first?.algorithms == [.RS256, .PS256, .ES256, .EdDSA, .HS256])
    }

    @Test func groupsAddUp() throws {
        let settings = try example("examples/services-by-host.yaml")
        func route(_ name: String) throws -> RouteSettings { try #require(settings.routes.first { $0.name == name }) }
        let close = try route("billing-close")
        #expect(close.rules.map(\.origin) == ["group internal", "group finance", "route billing-close"])
        #expect(close.rules.map { $0.roles.any } == [["employee", "contractor"], [], []])
        #expect(close.rules.map { $0.roles.all } == [[], ["finance"], ["accountant"]])
        #expect(close.auth == .required)
        #expect(close.match.hosts == [.exact("billing.internal.example.com")])
        #expect(close.group == "finance")
        let health = try route("wiki-health")
        #expect(health.auth == .public)
        #expect(!health.rules.contains { !$0.isEmpty })
        let shop = try route("shop")
        #expect(shop.auth == .optional)
        #expect(settings.routes.first?.name == "wiki", "in the order of the file")
    }

    @Test func pathOfTheGroupIsTaken() throws {
        let settings = try example("examples/public-site-with-admin.yaml")
        let admin = try #require(settings.routes.first { $0.name == "admin" })
        #expect(admin.match.path == .prefix("/admin"))
        #expect(settings.routes.filter { $0.rule.reportOnly }.map(\.name) == ["admin-users"])
    }

    @Test(arguments: ["portcullis.yaml.in", "portcullis-log.yaml.in"]) func templatesOfTheBenchmarks(
        _ name: String
    ) throws {
        var text = try String(contentsOf: repository.appending(path: "Tests/Benchmarks/\(name)"), encoding: .utf8)
        for (mark, value) in [("@HTTP@", "0"), ("@UPSTREAM@", "9000"), ("@ISS@", "iss"), ("@AUD@", "aud")] {
            text = text.replacingOccurrences(of: mark, with: value)
        }
        text = text.replacingOccurrences(of: " jwks.json", with: " issuer.jwks.json")
        let loaded = Configuration.load(
            text: text,
            fileName: name,
            baseDirectory: repository.appending(path: "config/examples").path,
            environment: [:]
        )
        #expect(loaded.diagnostics.map(\.description) == [])
        #expect(loaded.settings?.accessLog.isEnabled == (name != "portcullis.yaml.in"))
    }
}
