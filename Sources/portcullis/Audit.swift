// COLD. `portcullis audit verify`.
import ArgumentParser
import Gateway
import Telemetry

/// The audit log.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Look at the audit log.",
        subcommands: [Verify.self]
    )

    /// Looks whether the chain is whole.
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find out whether an audit log is as it was written.",
            discussion: """
                Every line holds a hash of itself and of the line before: a line that was changed, removed, put in or \
                moved is found, and named. Give the files of one log oldest first. What was cut off at the end, and a \
                chain that was made anew from the beginning, can be found only with a digest that was kept somewhere \
                else: note the last one that this command prints, and give it with --anchor later.

                Exit status: 0 when all is in order, 1 otherwise.

                Examples:
                  portcullis audit verify audit.log
                  portcullis audit verify audit.log.1 audit.log --anchor 5f2c…
                """
        )

        @Argument(help: ArgumentHelp("The files of one log, oldest first.", valueName: "file"))
        var files: [String]
        @Option(
            name: .long,
            help: ArgumentHelp("Digest of a line that must be in it: 64 hexadecimal digits.", valueName: "digest")
        )
        var anchor: String?
        @Flag(name: [.short, .long], help: "Print faults only.")
        var quiet = false

        func validate() throws {
            if files.isEmpty { throw ValidationError("Name the files of the log.") }
            guard let anchor else { return }
            guard anchor.utf8.count == 64, anchor.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) }) else {
                throw ValidationError("--anchor takes 64 hexadecimal digits in lower case.")
            }
        }

        func run() throws {
            let result = AuditVerification.of(files, anchor: anchor ?? "")
            for place in result.recovered where !quiet {
                print("\(place): was broken by a crash; the line after it says so")
            }
            if let fault = result.fault {
                let place = fault.line > 0 ? "\(fault.file):\(fault.line)" : fault.file
                FileHandleOutput.error("\(place): \(fault.problem)")
                throw ExitCode(1)
            }
            guard !quiet else { return }
            guard let first = result.first, let last = result.last else {
                print("no lines")
                return
            }
            print("\(result.lines) lines in order, number \(first) to \(last); last digest \(result.lastDigest)")
            if first > 1 { print("the beginning, up to number \(first - 1), lies in a file that was not given") }
        }
    }
}
