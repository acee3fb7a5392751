// COLD. `portcullis user totp`: enrolling a second factor.
import Accounts
import ArgumentParser
import Foundation
import Glibc
import Settings

/// Enrols or removes a second factor.
struct UserTOTP: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "totp",
        abstract: "Give an account a second factor: a QR code for an authenticator app, and recovery codes.",
        discussion: """
            The QR code is drawn on a terminal; elsewhere its text is printed. A code of the app is asked for before \
            anything is changed, so that nobody is locked out by a code that was not scanned (--yes leaves that out). \
            Recovery codes are shown once: the file holds hashes of them. Whoever logs in with the old second factor, \
            or without one, has to log in anew.
            """
    )

    @OptionGroup var options: UserFileOptions
    @Argument(help: "Name or e-mail.")
    var name: String
    @Flag(name: .long, help: "Remove the second factor and its recovery codes.")
    var remove = false
    @Flag(name: .long, help: "New recovery codes for the second factor that is there; the old ones end.")
    var recoveryCodes = false
    @Flag(name: .long, help: "Do not ask for a code, and replace a second factor that is there.")
    var yes = false

    func validate() throws {
        if remove, recoveryCodes { throw ValidationError("--remove and --recovery-codes exclude each other") }
    }

    func run() throws {
        let settings = try options.settings()
        let account = try settings.account(name)
        if remove {
            try settings.userFile.setTOTP(account.name, nil, recovery: [])
            print("second factor of \(account.name) removed")
            return
        }
        guard let codes = RecoveryCodes.make() else { throw CommandFailure("There are no random bytes.") }
        if recoveryCodes {
            guard let totp = account.totp else { throw CommandFailure("\(account.name) has no second factor.") }
            try settings.userFile.setTOTP(account.name, totp, recovery: codes.map(RecoveryCodes.hash))
        } else {
            guard account.totp == nil || yes else {
                throw CommandFailure("\(account.name) has a second factor; use --yes to replace it, or --remove first.")
            }
            guard let secret = TOTP.generateSecret() else { throw CommandFailure("There are no random bytes.") }
            let enrollment = TOTPEnrollment(secret: secret)
            show(enrollment, account, settings)
            if !yes { try confirm(enrollment) }
            try settings.userFile.setTOTP(account.name, enrollment, recovery: codes.map(RecoveryCodes.hash))
        }
        print("Recovery codes, each good for one login. Keep them somewhere safe; they are not shown again:")
        for code in codes { print("  \(code)") }
    }

    private func show(_ enrollment: TOTPEnrollment, _ account: Account, _ settings: AccountSettings) {
        let uri = TOTP.uri(issuer: settings.totpIssuer, account: account.name, enrollment)
        if isatty(STDOUT_FILENO) == 1, let code = QRCode.terminal(uri) {
            print(code)
            print("Or type this into the app: \(TOTP.base32(enrollment.secret))")
        } else {
            print(uri)
        }
    }

    private func confirm(_ enrollment: TOTPEnrollment) throws {
        let typed = String(decoding: try Prompt.line("Code of the app: "), as: UTF8.self)
        let now = Int64(Date().timeIntervalSince1970)
        guard TOTP.verify(enrollment, code: typed, now: now) != nil else {
            throw CommandFailure("That is not the app's code now; nothing was changed. Is the clock of both right?")
        }
    }
}
