// COLD. One account as a login needs it: values only, no file and no hashing.

/// A claim of an account, as JSON has it.
public enum ClaimValue: Sendable, Equatable {
    /// Text.
    case text(String)
    /// A whole number.
    case number(Int)
    /// A boolean.
    case flag(Bool)
    /// A list.
    case list([ClaimValue])
    /// Names with values.
    case object([String: ClaimValue])
}

/// An account of the users file.
public struct Account: Sendable, Equatable {
    /// The name as written.
    public var name: String
    /// The name as it is compared, stored in sessions and throttled (`AccountName.canonical`).
    public var canonical: String
    /// The e-mail address as written; it can be used in place of the name.
    public var email: String?
    /// The name for people.
    public var displayName: String?
    /// Roles, in the order of the file.
    public var roles: [String]
    /// Further claims.
    public var claims: [String: ClaimValue]
    /// Whether nobody can log in to it, and its sessions end.
    public var isDisabled: Bool
    /// The encoded hash; nil: nobody can log in with a password.
    public var password: String?
    /// The second factor.
    public var totp: TOTPEnrollment?
    /// Recovery codes that are left, hashed (`RecoveryCodes.hash`).
    public var recovery: [String]
    /// What stays the same while the password does, although its hash is made anew; disabling changes it too.
    public internal(set) var passwordIdentity: String

    /// An account with nothing but a name; nil when it cannot be one.
    public init?(name: String) {
        guard let canonical = AccountName.canonical(name) else { return nil }
        self.name = name
        self.canonical = canonical
        roles = []
        claims = [:]
        isDisabled = false
        recovery = []
        passwordIdentity = ""
    }

    /// Sets a new password, by its hash.
    public mutating func setPassword(hash: String) {
        password = hash
        passwordIdentity = Fingerprint.identity(ofHash: hash)
    }

    /// Fingerprint of all that matters to a session: name, e-mail, display name, roles, claims, disabled, password
    /// and second factor; not of recovery codes, and not of a hash that was renewed for the same password.
    public var version: UInt64 { Fingerprint.of(self) }

    /// Fingerprint of what is needed to log in: password and second factor.
    ///
    /// When it changes, sessions should end; when only `version` does, their claims are to be refreshed.
    public var credentialVersion: UInt64 { Fingerprint.ofCredentials(self) }

    /// Claims as a JSON object with sorted keys: `sub`, `email`, `name`, `roles` and those of the file.
    public var claimsJSON: [UInt8] { JSONClaims.write(self) }
}
