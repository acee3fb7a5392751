// COLD. The command line: one verb per thing an operator wants done.
import ArgumentParser
import Gateway

/// The command line.
@main
struct Portcullis: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "portcullis",
        abstract: "An authenticating reverse-proxy gateway: one binary, one YAML file.",
        discussion: "Start with: portcullis check --config FILE, then portcullis run --config FILE.",
        version: Gateway.version,
        subcommands: [
            Run.self, Check.self, UserCommand.self, SessionCommand.self, AuditCommand.self, KeyCommand.self,
            TokenCommand.self, PrintReference.self, PrintSchema.self,
            Version.self,
        ]
    )
}
