// COLD. Passwords from a terminal without echo, or from the standard input.
import Foundation
import Glibc

/// Asks for what must not be shown.
enum Prompt {
    /// A line is never longer than this.
    private static let mostBytes = 4096

    /// A new password: on a terminal asked for twice, else the first line of the standard input.
    static func newPassword(_ name: String) throws(CommandFailure) -> [UInt8] {
        guard isatty(STDIN_FILENO) == 1 else { return try line("") }
        let first = try line("New password for \(name): ")
        guard try line("Once more: ") == first else { throw CommandFailure("The two are not the same.") }
        return first
    }

    private static let signals = [SIGINT, SIGTERM, SIGQUIT, SIGHUP]

    /// Waits for a byte; false when a signal came first.
    private static func isReadable() -> Bool {
        while true {
            var wanted = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            if poll(&wanted, 1, 100) > 0 { return true }
            var pending = sigset_t()
            sigpending(&pending)
            if signals.contains(where: { sigismember(&pending, $0) == 1 }) { return false }
        }
    }

    /// One line: without echo on a terminal, else as it comes.
    static func line(_ question: String) throws(CommandFailure) -> [UInt8] {
        var before = termios()
        let isTerminal = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0
        var mask = sigset_t()
        if isTerminal {
            // A signal while there is no echo would leave the terminal without one: it has to wait.
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            var held = mask
            for signal in Self.signals { sigaddset(&held, signal) }
            pthread_sigmask(SIG_SETMASK, &held, nil)
            var silent = before
            silent.c_lflag &= ~tcflag_t(ECHO)
            guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else {
                throw CommandFailure("The terminal cannot be kept from showing what is typed.")
            }
            FileHandle.standardError.write(Data(question.utf8))
        }
        defer {
            if isTerminal {
                _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
                FileHandle.standardError.write(Data("\n".utf8))
                // A signal that waits ends the command here.
                pthread_sigmask(SIG_SETMASK, &mask, nil)
            }
        }
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        // Byte by byte: what stands behind the line is for whoever reads next.
        while bytes.count <= mostBytes {
            if isTerminal, !Self.isReadable() { break }
            let count = read(STDIN_FILENO, &byte, 1)
            if count < 0, errno == EINTR { continue }
            if count <= 0 || byte == 0x0a { break }
            bytes.append(byte)
        }
        if bytes.last == 0x0d { bytes.removeLast() }
        guard !bytes.isEmpty else { throw CommandFailure("There is no password on the standard input.") }
        return bytes
    }
}
