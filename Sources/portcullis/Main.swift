// COLD. The command line: one verb per thing an operator wants done.
import ArgumentParser
import Gateway

/// The command line.
@main
struct Portcullis: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "portcullis",
        abstract: "An authenticating reverse-proxy gateway: one binary, one YAML file.",
        subcommands: [Run.self, Check.self]
    )
}
