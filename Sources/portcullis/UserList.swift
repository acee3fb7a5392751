// COLD. `portcullis user list`.
import Accounts
import ArgumentParser
import Foundation
import Settings

/// Lists accounts.
struct UserList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the accounts: name, state, second factor, roles, e-mail.",
        discussion: "Never shows a hash or a secret. With --json one JSON object a line."
    )

    @OptionGroup var options: UserFileOptions
    @Flag(name: .long, help: "One JSON object a line.")
    var json = false

    func run() throws {
        let settings = try options.settings()
        let directory = try settings.directory()
        for warning in directory.warnings { FileHandle.standardError.write(Data("\(warning)\n".utf8)) }
        if json {
            for account in directory.accounts { print(try Self.json(account, settings.argon2)) }
            return
        }
        let rows =
            [["NAME", "STATE", "SECOND FACTOR", "ROLES", "E-MAIL"]]
            + directory.accounts.map {
                [
                    $0.name, Self.state($0), $0.totp == nil ? "-" : "totp, \($0.recovery.count) codes",
                    $0.roles.isEmpty ? "-" : $0.roles.joined(separator: ","), $0.email ?? "-",
                ]
            }
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            var line = cells.joined(separator: "  ")[...]
            while line.last == " " { line.removeLast() }
            print(line)
        }
    }

    private static func state(_ account: Account) -> String {
        if account.isDisabled { return "disabled" }
        guard let hash = account.password else { return "no password" }
        return PasswordHash.isSupported(hash) ? "enabled" : "unsupported hash"
    }

    private static func json(_ account: Account, _ cost: Argon2Settings) throws -> String {
        var object: [String: Any] = [
            "name": account.name, "state": state(account), "roles": account.roles, "totp": account.totp != nil,
            "recovery_codes": account.recovery.count,
        ]
        object["email"] = account.email
        object["display_name"] = account.displayName
        if let hash = account.password { object["old_hash"] = PasswordHash.needsRehash(hash, cost) }
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try JSONSerialization.data(withJSONObject: object, options: options), as: UTF8.self)
    }
}
