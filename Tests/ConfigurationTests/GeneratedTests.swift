// COLD. Reference and schema in `config/` are what the keys say today.
import Foundation
import Settings
import Testing

@testable import Configuration

@Suite struct GeneratedTests {
    private func compare(_ text: String, with name: String) throws {
        let file = repository.appending(path: "config").appending(path: name)
        if isRecording { try text.write(to: file, atomically: true, encoding: .utf8) }
        let stored = try String(contentsOf: file, encoding: .utf8)
        #expect(stored == text, "config/\(name) is out of date; run the tests with PORTCULLIS_RECORD=1")
    }

    @Test func referenceIsUpToDate() throws { try compare(Reference.yaml(), with: "reference.yaml") }
    @Test func schemaIsUpToDate() throws { try compare(Schema.json(), with: "portcullis.schema.json") }

    @Test func everyKeyOfTheReferenceCanBeRead() {
        let said = messages(Reference.text(everything: true))
        let wrong = said.filter { $0.contains("unknown key") || $0.contains("YAML") || $0.contains("expected") }
        #expect(wrong == [])
    }

    @Test func defaultsOfTheReferenceAreTheDefaults() {
        var text = Reference.yaml()
        text += "\nroutes: [{name: all, auth: public, respond: {}}]\n"
        let loaded = load(text)
        #expect(loaded.errors.map(\.description) == [])
        var settings = loaded.settings
        settings?.routes = []
        // Files are looked for beside the configuration.
        #expect(settings?.sessions.file.hasSuffix("/sessions.db") == true)
        settings?.sessions.file = GatewaySettings().sessions.file
        #expect(settings == GatewaySettings())
    }

    @Test func schemaIsJSON() throws {
        let value = try JSONSerialization.jsonObject(with: Data(Schema.json().utf8))
        let object = try #require(value as? [String: Any])
        #expect((object["properties"] as? [String: Any])?.count == GatewaySettings.keys.count)
    }
}
