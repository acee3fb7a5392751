// COLD. `portcullis version`, `reference` and `schema`: what the binary says of itself.
import ArgumentParser
import Configuration
import Gateway

/// Prints the version.
struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() { print("portcullis \(Gateway.version)") }
}

/// Prints the reference.
struct PrintReference: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Print every key of the configuration with its default."
    )

    func run() { print(Reference.yaml(), terminator: "") }
}

/// Prints the schema.
struct PrintSchema: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of the configuration, for editors."
    )

    func run() { print(Schema.json(), terminator: "") }
}
