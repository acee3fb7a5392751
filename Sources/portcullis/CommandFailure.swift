// COLD. Errors of commands, for people.
import Foundation
import Glibc
import JOSE

/// A sentence that says what did not work.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Runs `body` and turns what is wrong with a key into a sentence.
func readable<Value>(_ what: String, _ body: () throws(KeyError) -> Value) throws(CommandFailure) -> Value {
    do throws(KeyError) {
        return try body()
    } catch {
        if error == .algorithmNeeded {
            throw CommandFailure("\(what): say what the key is for, such as --algorithm RS256")
        }
        throw CommandFailure("\(what): \(error.message)")
    }
}

/// Files and tokens that commands are given.
enum Input {
    /// A file with keys is never larger.
    private static let mostBytes = 1 << 20

    /// The bytes of a file.
    static func file(_ path: String) throws(CommandFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailure("cannot read \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= mostBytes {
            let count = read(descriptor, &part, part.count)
            guard count >= 0 else { throw CommandFailure("cannot read \(path): \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes += part[..<count]
        }
        throw CommandFailure("\(path) is larger than a file with keys can be")
    }

    /// The bytes of a file with a secret, without the line end that editors put there.
    static func secret(_ path: String) throws(CommandFailure) -> [UInt8] {
        var bytes = try file(path)
        if bytes.last == 0x0a { bytes.removeLast() }
        if bytes.last == 0x0d { bytes.removeLast() }
        return bytes
    }

    /// A token from the command line, or from the standard input for `-`, where no shell history keeps it.
    ///
    /// `Bearer ` in front, as it comes out of a request, is left out.
    static func token(_ argument: String) throws(CommandFailure) -> String {
        let line = argument == "-" ? readLine(strippingNewline: true) ?? "" : argument
        var text = line.trimmingCharacters(in: .whitespacesAndNewlines)
        if text.lowercased().hasPrefix("bearer ") {
            text = text.dropFirst(7).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        guard !text.isEmpty else {
            throw CommandFailure("there is no token: give it as an argument, or on standard input")
        }
        return text
    }
}
