// COLD. One file for each mistake, or each dozen: what is said of it stands in its lines that begin with `#!`.
import Configuration
import Foundation
import Settings
import Testing

@Suite struct CaseTests {
    static let folder = testFolder.appending(path: "Cases")
    static let names: [String] = {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return all.filter { $0.hasSuffix(".yaml") }.sorted()
    }()
    static let environment = [
        "PORT": "9000", "SECRET": "0123456789abcdef0123456789abcdef", "WORD": "geheim", "EMPTY": "",
    ]

    @Test func casesAreThere() { #expect(Self.names.count >= 30) }

    @Test(arguments: names) func says(_ name: String) throws {
        let file = Self.folder.appending(path: name)
        let whole = try String(contentsOf: file, encoding: .utf8)
        let lines = whole.split(separator: "\n", omittingEmptySubsequences: false)
        let expected = lines.filter { $0.hasPrefix("#! ") }.map { String($0.dropFirst(3)) }
        let kept = lines.filter { !$0.hasPrefix("#! ") }
        let text = kept.joined(separator: "\n")
        let loaded = Configuration.load(
            text: text,
            fileName: "",
            baseDirectory: Self.folder.path,
            environment: Self.environment
        )
        let said = loaded.diagnostics.map { String($0.description.dropFirst()) }
        #expect((loaded.settings == nil) == !loaded.errors.isEmpty)
        if isRecording {
            let recorded = text.trimmingCharacters(in: .newlines) + "\n" + said.map { "#! \($0)\n" }.joined()
            try recorded.write(to: file, atomically: true, encoding: .utf8)
        } else {
            #expect(said == expected)
        }
    }
}
