// COLD. `portcullis user`: the accounts of people who log in.
import Accounts
import ArgumentParser
import Configuration
import Foundation
import Settings

/// Accounts.
struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Add, change and list the accounts of the users file.",
        discussion: """
            The file is the one that a configuration names (--config; it must be there), or any other (--file). A running gateway sees \
            changes at once: sessions of an account that was disabled, removed or given another password end.

            Passwords are asked for without echo, or read from the first line of the standard input; they are never \
            arguments, where the process list and the shell's history would show them.
            """,
        subcommands: [
            UserAdd.self, UserPasswd.self, UserDisable.self, UserEnable.self, UserList.self, UserRoles.self,
            UserTOTP.self,
            UserRemove.self,
        ]
    )
}

/// Which users file a command is about.
struct UserFileOptions: ParsableArguments {
    @Option(name: [.short, .long], help: ArgumentHelp("A configuration file with accounts.file.", valueName: "file"))
    var config: String?
    @Option(name: .long, help: ArgumentHelp("The users file itself.", valueName: "file"))
    var file: String?

    func validate() throws {
        guard (config == nil) != (file == nil) else { throw ValidationError("give either --config or --file") }
    }

    /// The accounts' settings: those of the configuration, or defaults with this file.
    func settings() throws -> AccountSettings {
        var settings = AccountSettings()
        if let file { settings.file = FileReference(file) }
        guard let config else { return settings }
        let loaded = Configuration.load(path: config, environment: ProcessInfo.processInfo.environment)
        guard let whole = loaded.settings, loaded.errors.isEmpty else {
            throw CommandFailure(loaded.errors.map(\.description).joined(separator: "\n"))
        }
        guard let accounts = whole.accounts else { throw CommandFailure("\(config) has no section accounts") }
        return accounts
    }
}

extension AccountSettings {
    /// For changing the file.
    var userFile: UserFile { UserFile(path: file.path, format: format) }

    /// The accounts now; nobody when the file is not there yet and `orEmpty`.
    func directory(orEmpty: Bool = false) throws -> UserDirectory {
        if orEmpty, !FileManager.default.fileExists(atPath: file.path) { return UserDirectory() }
        return try UserDirectory.load(path: file.path, format: format)
    }

    /// The account of this name or e-mail.
    func account(_ name: String) throws -> Account {
        let directory = try directory()
        guard let account = directory.account(named: name) else {
            let hint = Spelling.hint(for: name, among: directory.accounts.map(\.name))
            throw CommandFailure("\(file.path): there is no account \(Spelling.quoted(name))\(hint)")
        }
        return account
    }

    /// A hash of `password`, when it may be the account's.
    func hash(_ password: [UInt8], of account: Account) throws -> String {
        guard let text = String(validating: password, as: UTF8.self) else {
            throw CommandFailure("The password is not UTF-8.")
        }
        // With a second factor that the gateway does not ask for, the password is all there is.
        let problem = PasswordRules.problem(
            text,
            hasSecondFactor: secondFactor != .off && account.totp != nil,
            account: account.name,
            email: account.email
        )
        if let problem { throw CommandFailure(problem.message) }
        return try PasswordHash.make(password, argon2)
    }
}
