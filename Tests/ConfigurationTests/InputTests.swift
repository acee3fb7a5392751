// COLD. Bytes that are no reasonable configuration: refused with a place, never a crash, never for long.
import Foundation
import Settings
import Testing

@testable import Configuration

@Suite struct InputTests {
    /// How long this thread has worked: what runs beside it does not count.
    private var worked: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    private func said(_ bytes: [UInt8]) -> [String] {
        Configuration.load(bytes: bytes, fileName: "f", baseDirectory: ".", environment: [:]).diagnostics.map(
            \.description
        )
    }
    private let small = "routes: [{name: a, auth: public, respond: {}}]\n"

    @Test func notUTF8() {
        #expect(said(Array("workers: 1\nlog: ü".utf8) + [0xff, 0x0a]) == ["f:2:7: is not UTF-8 from here on"])
        #expect(said([0xc0, 0x80]) == ["f:1:1: is not UTF-8 from here on"])
        #expect(said(Array("a: b".utf16).flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }).count == 1)
    }

    @Test func controlCharacters() {
        let said = said(Array("workers: 1\nlog: \u{0}\n".utf8))
        #expect(said.count == 1 && said[0].hasPrefix("f:2:6: YAML: "), "\(said)")
    }

    @Test func tooLarge() {
        let text = "# " + String(repeating: "x", count: Configuration.maximumBytes)
        #expect(said(Array(text.utf8)) == ["f: is larger than 1 MiB"])
    }

    @Test func byteOrderMarkAndCarriageReturns() {
        #expect(said([0xef, 0xbb, 0xbf] + Array(small.utf8)) == [])
        #expect(said(Array("workers: 2\r\nroutes:\r\n  - {name: a, auth: public, respond: {}}\r\n".utf8)) == [])
        #expect(
            said(Array("workers: 2\r\nroutes:\r\n  - {name: a, auth: publik, respond: {}}\r\n".utf8)).first?.hasPrefix(
                "f:3:21:"
            ) == true
        )
    }

    @Test(arguments: ["[", "{a: ", "- ", "? ", "- a: "]) func deepNesting(_ unit: String) {
        for count in [40, 2000, 100_000] {
            let said = said(Array("routes:\n  \(String(repeating: unit, count: count))".utf8))
            #expect(!said.isEmpty && said.count < 50)
        }
        var text = "routes:\n"
        for depth in 1..<1200 { text += String(repeating: " ", count: depth) + "a:\n" }
        #expect(said(Array(text.utf8)).isEmpty == false)
    }

    @Test func aliasBombs() {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<40 {
            let inner = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(inner)]\n"
        }
        let start = worked
        let first = said(Array(bomb.utf8))
        #expect(first.count == 1 && first[0].contains("aliases"), "\(first)")
        // As keys, which Yams hashes in full.
        var keys = "a0: &a0 [x]\n"
        for level in 1..<14 { keys += "a\(level): &a\(level) { ? [*a\(level - 1)] : 1 }\n" }
        #expect(!said(Array(keys.utf8)).isEmpty)
        #expect(worked - start < .seconds(20))
        #expect(messages("a: *nowhere\n").count == 1)
        #expect(messages("a: &self [*self]\n").count == 1)
    }

    @Test func starsInCommentsAndTextAreNoAliases() {
        let comments = String(repeating: "# & *a\n", count: 100)
        #expect(said(Array((comments + small).utf8)) == [])
    }

    @Test func manyDuplicates() {
        let text = (0..<30).map { "k\($0): 1\nk\($0): 2\n" }.joined()
        #expect(messages(text) == [" has more than 20 keys that are there more than once"])
        #expect(messages("\"\": 1\n\"\": 2\n" + small).count > 0)
        #expect(messages("? [a]\n: 1\n? [a]\n: 2\n" + small).count > 0)
        #expect(messages("workers: 1\nworkers: 2\nworkers: 3\n" + small).count == 2)
    }

    @Test func files() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "portcullis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "gateway.yaml").path
        #expect(
            Configuration.load(path: path, environment: [:]).diagnostics.map(\.description) == [
                "\(path): does not exist"
            ]
        )
        #expect(
            Configuration.load(path: folder.path, environment: [:]).diagnostics.map(\.description) == [
                "\(folder.path): is a directory"
            ]
        )

        try Data("0123456789abcdef0123456789abcdef\n".utf8).write(to: folder.appending(path: "key"))
        chmod(folder.appending(path: "key").path, 0o644)
        let keys = "keys: [{ secret: file:key, algorithm: HS256 }]"
        let text = "issuers: [{ name: a, issuer: a, audiences: [a], \(keys) }]\nroutes: [{ name: a, respond: {} }]\n"
        try Data(text.utf8).write(to: URL(filePath: path))
        let loose = Configuration.load(path: path, environment: [:])
        #expect(
            loose.diagnostics.map(\.message) == ["issuers[0].keys[0].secret: everybody can read \"key\"; chmod 600 it"]
        )
        chmod(folder.appending(path: "key").path, 0o600)
        let loaded = Configuration.load(path: path, environment: [:])
        #expect(loaded.diagnostics == [])
        guard case .secret(let secret)? = loaded.settings?.issuers.first?.keys.first?.source else {
            Issue.record("no secret")
            return
        }
        #expect(secret.count == 32, "without its line break")
        #expect(!"\(loaded)".contains("0123456789abcdef"))
    }

    @Test func valuesFromTheEnvironmentAreNotShown() {
        let environment = ["S": "hunter2-hunter2"]
        let text = withRoutes(
            "workers: ${S}\ndrain: ${S}\nlimits: { fields: \"${S}\", body: \"${S}\" }\nlog: { level: \"${S}\" }\nroutes: []\n"
        )
        let said = messages(text, environment: environment)
        #expect(said.count >= 5)
        #expect(!said.contains { $0.contains("hunter2") })
    }

    @Test func tenThousandRoutes() {
        var text = withRoutes("routes:\n")
        for index in 0..<5000 {
            text += "  - { name: r\(index), match: { path: /r\(index) }, forward: { upstream: api } }\n"
        }
        let start = worked
        #expect(load(text).settings?.routes.count == 5000)
        #expect(worked - start < .seconds(60))
    }
}
