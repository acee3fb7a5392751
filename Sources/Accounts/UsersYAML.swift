// COLD. A users file in YAML as accounts.
import Settings

/// Reads accounts; what is wrong goes to the decoding run.
struct UsersYAML {
    let decoding: Decoding

    /// Accounts with their places; those that cannot be read are left out, and reported.
    func read(_ text: String) -> [PlacedAccount] {
        guard let tree = UserTree(decoding: decoding).read(text),
            let document = UsersDocument.decode(tree, decoding)
        else { return [] }
        return document.users.enumerated().compactMap { account($0.element, index: $0.offset) }
    }

    private func account(_ entry: UserEntry, index: Int) -> PlacedAccount? {
        let place = entry.marks["name"]
        guard entry.marks.isWritten("name"), !decoding.hasError(at: place) else { return nil }
        guard var account = Account(name: entry.name), !entry.name.contains(":"),
            entry.name.first != " ", entry.name.last != " "
        else {
            let expected = "expected 1 to 256 bytes without \":\", control characters and blanks at its ends"
            decoding.report("users[\(index)].name: \(expected)", at: place)
            return nil
        }
        if let email = entry.email, AccountName.canonical(email: email) == nil {
            decoding.report(
                "users[\(index)].email: expected an address such as ada@example.com",
                at: entry.marks["email"]
            )
        }
        account.email = entry.email
        account.displayName = entry.displayName
        account.roles = entry.roles
        account.claims = entry.claims.members
        account.isDisabled = entry.isDisabled
        account.password = entry.password?.text
        account.passwordIdentity = Self.identity(entry)
        account.recovery = entry.recovery
        if let totp = entry.totp {
            account.totp = TOTPEnrollment(
                secret: totp.secret.bytes,
                algorithm: totp.algorithm,
                digits: totp.digits,
                period: totp.period
            )
        }
        return PlacedAccount(
            account: account,
            name: place,
            email: entry.marks["email"],
            password: entry.marks["password"]
        )
    }

    /// That of `password_id` when it was written for this very hash; a hash that somebody changed by hand is new.
    private static func identity(_ entry: UserEntry) -> String {
        guard let hash = entry.password?.text else { return "" }
        let own = Fingerprint.identity(ofHash: hash)
        guard let parts = entry.passwordID?.split(separator: " "), parts.count == 2, parts[1] == own else { return own }
        return String(parts[0])
    }
}

/// An account and where it is written.
struct PlacedAccount {
    var account: Account
    var name: SourceLocation
    var email: SourceLocation
    var password: SourceLocation
}
