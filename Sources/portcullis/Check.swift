// COLD. `portcullis check`.
import ArgumentParser
import Gateway

/// Validates a configuration file.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate a configuration file and print the routes that follow from it.",
        discussion: """
            Checks everything that `run` would need: keys, files, names, routes that can never match. All problems \
            are reported at once as file:line:column: message. Exit status: 0 when `run` would start, 1 otherwise.
            """
    )

    @Option(name: [.short, .long], help: "The configuration file.")
    var config: String

    @Flag(name: [.short, .long], help: "Print problems only.")
    var quiet = false

    func run() throws {
        let result = Gateway.check(path: config)
        for line in result.problems { FileHandleOutput.error(line) }
        guard result.isValid else { throw ExitCode(1) }
        if !quiet { print(result.table) }
    }
}
