// COLD. What the tests of the configuration share.
import Configuration
import Foundation
import Settings

/// The folder of the tests' sources.
let testFolder = URL(filePath: #filePath).deletingLastPathComponent()
/// The repository.
let repository = testFolder.deletingLastPathComponent().deletingLastPathComponent()
/// With `PORTCULLIS_RECORD=1` the tests write what they would compare with.
let isRecording = ProcessInfo.processInfo.environment["PORTCULLIS_RECORD"] == "1"

/// Loads a text as `f.yaml`.
func load(_ text: String, environment: [String: String] = [:]) -> Loaded {
    Configuration.load(text: text, fileName: "f.yaml", baseDirectory: testFolder.path, environment: environment)
}

/// What is said of a text, without the file's name.
func messages(_ text: String, environment: [String: String] = [:]) -> [String] {
    load(text, environment: environment).diagnostics.map { String($0.description.dropFirst("f.yaml:".count)) }
}

/// A list of routes around `text`, with what they need.
func withRoutes(_ text: String) -> String {
    """
    issuers: [{name: main, issuer: "https://issuer.example", audiences: [api], keys: [{jwks: '{"keys": []}'}]}]
    upstreams: [{name: api, servers: ["127.0.0.1:9000"]}]

    """ + text
}
