// COLD. Other programs for tests, started without inheriting what other tests have open.
import CLinux
import Foundation
import Glibc

/// Programs of the system.
enum Program {
    /// A pipe whose other end closes with this process.
    final class Leash: Sendable {
        let read: Int32
        private let write: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            _ = pipe2(&ends, O_CLOEXEC)
            (read, write) = (ends[0], ends[1])
        }

        deinit {
            close(read)
            close(write)
        }
    }

    /// Starts a program; what it prints goes to a file, or nowhere.
    static func start(_ words: [String], input: Int32 = -1, output: String = "/dev/null") throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if input >= 0 { posix_spawn_file_actions_adddup2(&actions, input, 0) }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let environment = environ
        var process = pid_t()
        let code = posix_spawn(&process, words[0], &actions, nil, &arguments, environment)
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
        return process
    }

    /// Waits for the end of a program.
    static func wait(_ process: pid_t) {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }

    /// Runs a short program; what it printed.
    static func run(_ words: [String], output: URL) throws -> String {
        wait(try start(words, output: output.path))
        defer { try? FileManager.default.removeItem(at: output) }
        return try String(contentsOf: output, encoding: .utf8)
    }
}
