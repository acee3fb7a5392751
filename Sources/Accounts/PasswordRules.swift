// COLD. What a password must be: long enough, not a common one, not the account's name. No rules of composition.

/// What a password must be (NIST SP 800-63B-4, 3.1.1; ASVS 6.2).
public enum PasswordRules {
    /// Why a password will not do.
    public enum Problem: Sendable, Equatable {
        /// Fewer characters than this.
        case tooShort(minimum: Int)
        /// More than 1024 bytes.
        case tooLong
        /// A control character is in it.
        case control
        /// Among the most common ones, or one of them with digits, signs or repeated.
        case common
        /// It is the account's name or e-mail, and little else.
        case containsName

        /// An English sentence about a password, without the password.
        public var message: String {
            switch self {
            case .tooShort(let minimum): "The password needs at least \(minimum) characters."
            case .tooLong: "The password is longer than 1024 bytes."
            case .control: "The password has a control character in it."
            case .common: "The password is one of those that are tried first."
            case .containsName: "The password is hardly more than the account's name."
            }
        }
    }

    /// Fewest characters when a password is all there is.
    public static let minimumAlone = 15
    /// Fewest characters beside a second factor.
    public static let minimumWithSecondFactor = 8

    /// What is wrong with `password`; nil: nothing.
    public static func problem(
        _ password: String,
        hasSecondFactor: Bool,
        account: String,
        email: String? = nil
    ) -> Problem? {
        if password.utf8.count > PasswordHash.maximumBytes { return .tooLong }
        if password.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) { return .control }
        let minimum = hasSecondFactor ? minimumWithSecondFactor : minimumAlone
        if password.unicodeScalars.count < minimum { return .tooShort(minimum: minimum) }
        let folded = AccountName.canonical(password) ?? password.lowercased()
        if CommonPasswords.contains(folded) { return .common }
        var names = [account]
        if let email { names += [email] + email.split(separator: "@").prefix(1).map(String.init) }
        for name in names.compactMap({ AccountName.canonical($0) }) where name.count >= 3 {
            if isLittleMore(folded, than: name) { return .containsName }
        }
        return nil
    }

    /// Whether less than eight characters are left without the name.
    private static func isLittleMore(_ password: String, than name: String) -> Bool {
        let parts = password.split(separator: name, omittingEmptySubsequences: false)
        return parts.count > 1 && parts.reduce(0) { $0 + $1.count } < minimumWithSecondFactor
    }
}
