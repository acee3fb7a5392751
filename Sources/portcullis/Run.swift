// COLD. `portcullis run`.
import ArgumentParser
import Gateway

/// Runs the gateway.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the gateway.",
        discussion: """
            SIGTERM or SIGINT drains and ends, SIGINT again ends at once, SIGHUP applies the changed file, SIGUSR1 \
            reopens the access log. \
            Exit status: 0 after a clean end, 1 when it could not start.
            """
    )

    @Option(name: [.short, .long], help: "The configuration file.")
    var config: String

    func run() throws {
        let status = Gateway.run(path: config)
        if status != 0 { throw ExitCode(status) }
    }
}
