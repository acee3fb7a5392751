// COLD. How accounts are written in YAML.
import Settings

/// Lines of accounts.
enum UserText {
    /// What stands behind a key.
    enum Value: Equatable {
        /// On the same line.
        case line(String)
        /// A list, a line for each.
        case list([String])
        /// Keys with values on lines of their own.
        case section([String])
    }

    /// In the order in which they are written.
    static let keys = [
        "name", "email", "display_name", "roles", "claims", "disabled", "password", "password_id", "totp",
        "recovery_codes",
    ]

    /// The keys of an account with what stands behind them; what is empty is not written.
    static func fields(_ account: Account) -> [String: Value] {
        var fields: [String: Value] = ["name": .line(text(account.name))]
        fields["email"] = account.email.map { .line(text($0)) }
        fields["display_name"] = account.displayName.map { .line(text($0)) }
        if !account.roles.isEmpty { fields["roles"] = .line("[\(account.roles.map(text).joined(separator: ", "))]") }
        if !account.claims.isEmpty { fields["claims"] = .line(JSONClaims.text(.object(account.claims))) }
        if account.isDisabled { fields["disabled"] = .line("true") }
        if let password = account.password {
            fields["password"] = .line(text(password))
            let own = Fingerprint.identity(ofHash: password)
            if account.passwordIdentity != own {
                fields["password_id"] = .line("\"\(account.passwordIdentity) \(own)\"")
            }
        }
        if let totp = account.totp { fields["totp"] = self.totp(totp) }
        if !account.recovery.isEmpty { fields["recovery_codes"] = .list(account.recovery.map { "\"\($0)\"" }) }
        return fields
    }

    /// All lines of an account whose "-" is in column `dash`.
    static func block(_ account: Account, dash: Int) -> [String] {
        let fields = fields(account)
        var lines = keys.flatMap { self.lines($0, fields[$0], indent: dash + 2) }
        if let first = lines.first {
            lines[0] = String(repeating: " ", count: dash) + "- " + first.dropFirst(dash + 2)
        }
        return lines
    }

    /// The lines of a key; none when there is no value.
    static func lines(_ key: String, _ value: Value?, indent: Int) -> [String] {
        let margin = String(repeating: " ", count: indent)
        switch value {
        case nil: return []
        case .line(let text): return ["\(margin)\(key): \(text)"]
        case .list(let elements): return ["\(margin)\(key):"] + elements.map { "\(margin)  - \($0)" }
        case .section(let members): return ["\(margin)\(key):"] + members.map { "\(margin)  \($0)" }
        }
    }

    private static func totp(_ totp: TOTPEnrollment) -> Value {
        let secret = "\"\(TOTP.base32(totp.secret))\""
        guard totp != TOTPEnrollment(secret: totp.secret) else { return .line(secret) }
        return .section([
            "secret: \(secret)", "algorithm: \(totp.algorithm.rawValue)", "digits: \(totp.digits)",
            "period: \(totp.period)",
        ])
    }

    private static func text(_ text: String) -> String { SettingText.string(text).flow }
}
