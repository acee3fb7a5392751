// COLD. `portcullis user add|passwd|disable|enable|roles|remove`.
import Accounts
import ArgumentParser
import Foundation
import Settings

/// Adds an account.
struct UserAdd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add an account, and make the file when there is none.",
        discussion: """
            Examples:
              portcullis user add --config gateway.yaml ada --email ada@example.com --role admin --role editor
              pass show gateway/ada | portcullis user add --file users.yaml ada    (makes the file)
            """
    )

    @OptionGroup var options: UserFileOptions
    @Argument(help: "The name that is typed at login.")
    var name: String
    @Option(name: .long, help: ArgumentHelp("Can be typed in place of the name.", valueName: "address"))
    var email: String?
    @Option(name: .long, help: ArgumentHelp("The name for people.", valueName: "text"))
    var displayName: String?
    @Option(name: .long, help: ArgumentHelp("A role. May be repeated.", valueName: "name"))
    var role: [String] = []
    @Option(name: .long, help: ArgumentHelp("A claim with a text. May be repeated.", valueName: "name=text"))
    var claim: [String] = []
    @Flag(name: .long, help: "Without a password: nobody can log in until passwd sets one.")
    var withoutPassword = false

    func validate() throws {
        if claim.contains(where: { !$0.dropFirst().contains("=") }) {
            throw ValidationError("--claim is name=text, such as --claim tenant=acme")
        }
    }

    func run() throws {
        let settings = try options.settings()
        guard var account = Account(name: name) else {
            throw CommandFailure("A name has 1 to 256 bytes, and no control or invisible characters.")
        }
        // Before anybody types a password in vain.
        let directory = try settings.directory(orEmpty: true)
        guard directory.account(named: name) == nil else {
            throw CommandFailure("\(settings.file.path): there is an account \(Spelling.quoted(name)) already")
        }
        account.email = email
        account.displayName = displayName
        account.roles = role
        for text in claim {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            account.claims[String(parts[0])] = .text(String(parts[1]))
        }
        if !withoutPassword {
            account.setPassword(hash: try settings.hash(Prompt.newPassword(name), of: account))
        }
        try settings.userFile.add(account)
        print("added \(name)")
    }
}

/// Sets a password.
struct UserPasswd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd",
        abstract: "Set a new password; sessions of the account end."
    )

    @OptionGroup var options: UserFileOptions
    @Argument(help: "Name or e-mail.")
    var name: String

    func run() throws {
        let settings = try options.settings()
        let account = try settings.account(name)
        let hash = try settings.hash(Prompt.newPassword(account.name), of: account)
        try settings.userFile.setPassword(account.name, hash: hash)
        print("password of \(account.name) set")
    }
}

/// Disables an account.
struct UserDisable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Disable an account; its sessions end."
    )

    @OptionGroup var options: UserFileOptions
    @Argument(help: "Name or e-mail.")
    var name: String

    func run() throws {
        try options.settings().userFile.setDisabled(name, true)
        print("disabled \(name)")
    }
}

/// Enables an account.
struct UserEnable: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "enable", abstract: "Enable a disabled account.")

    @OptionGroup var options: UserFileOptions
    @Argument(help: "Name or e-mail.")
    var name: String

    func run() throws {
        try options.settings().userFile.setDisabled(name, false)
        print("enabled \(name)")
    }
}

/// Shows or changes roles.
struct UserRoles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roles",
        abstract: "Show or change the roles of an account; its sessions learn of it.",
        discussion: """
            Without options it prints them, one a line. --set and --clear come before --add and --remove.

            Example: portcullis user roles --config gateway.yaml ada --add editor --remove guest
            """
    )

    @OptionGroup var options: UserFileOptions
    @Argument(help: "Name or e-mail.")
    var name: String
    @Option(name: .long, help: ArgumentHelp("The roles from now on. May be repeated.", valueName: "role"))
    var set: [String] = []
    @Flag(name: .long, help: "Begin without any role.")
    var clear = false
    @Option(name: .long, help: ArgumentHelp("A further role. May be repeated.", valueName: "role"))
    var add: [String] = []
    @Option(name: .long, help: ArgumentHelp("A role less. May be repeated.", valueName: "role"))
    var remove: [String] = []

    func run() throws {
        let settings = try options.settings()
        var roles = try settings.account(name).roles
        if !set.isEmpty || clear || !add.isEmpty || !remove.isEmpty {
            roles = try settings.userFile.changeRoles(name) { roles in
                if !set.isEmpty || clear { roles = set }
                roles += add.filter { !roles.contains($0) }
                roles.removeAll { remove.contains($0) }
            }
        }
        for role in roles { print(role) }
    }
}

/// Removes an account.
struct UserRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove an account; its sessions end."
    )

    @OptionGroup var options: UserFileOptions
    @Argument(help: "Name or e-mail.")
    var name: String

    func run() throws {
        try options.settings().userFile.remove(name)
        print("removed \(name)")
    }
}
