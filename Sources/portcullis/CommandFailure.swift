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
        throw CommandFailure("\(what): \(error.message)")
    }
}

/// Files and tokens that commands are given.
enum Input {
    /// The bytes of a file.
    static func file(_ path: String) throws(CommandFailure) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandFailure("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        return Array(data)
    }

    /// The bytes of a file with a secret, without the line end that editors put there.
    static func secret(_ path: String) throws(CommandFailure) -> [UInt8] {
        var bytes = try file(path)
        if bytes.last == 0x0a { bytes.removeLast() }
        if bytes.last == 0x0d { bytes.removeLast() }
        return bytes
    }

    /// A token from the command line, or from the standard input for `-`, where no shell history keeps it.
    static func token(_ argument: String) -> String {
        let text = argument == "-" ? readLine(strippingNewline: true) ?? "" : argument
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
