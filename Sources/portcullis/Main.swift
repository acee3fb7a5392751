// COLD. The command line: one verb per thing an operator wants done.
import ArgumentParser
import CLinux
import Gateway
import Glibc
import Sessions

@main
enum Program {
    static func main() {
        do {
            var command = try Portcullis.parseAsRoot(shielded(Array(CommandLine.arguments.dropFirst())))
            try command.run()
        } catch {
            guard Portcullis.exitCode(for: error).isSuccess else { Portcullis.exit(withError: error) }
            // Help, and the version.
            let text = Portcullis.fullMessage(for: error)
            if !text.isEmpty { print(text) }
        }
        // A key or token that a full disk swallowed must not look like one that was written.
        if pc_flush_output() == 0 {
            Portcullis.exit(withError: CommandFailure("the output could not be written"))
        }
    }

    /// One session in 64 has an id that begins with a dash: that is no option, wherever it stands.
    private static func shielded(_ arguments: [String]) -> [String] {
        guard arguments.first == "session", !arguments.contains("--"),
            let place = arguments.firstIndex(where: { $0.hasPrefix("-") && SessionKey(text: $0) != nil })
        else { return arguments }
        var rest = arguments
        let id = rest.remove(at: place)
        return rest + ["--", id]
    }
}

/// The command line.
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
