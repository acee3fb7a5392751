// COLD. Signatures; the bodies follow.
public import Settings

enum Fingerprint {
    static func of(_ account: Account) -> UInt64 { 0 }
    static func ofCredentials(_ account: Account) -> UInt64 { 0 }
}
enum JSONClaims { static func write(_ account: Account) -> [UInt8] { [] } }

/// How names are compared.
public enum AccountName {
    /// NFC, case folded, blanks around it left out; nil: it cannot be a name (empty, longer than 256 bytes, control or
    /// invisible characters).
    public static func canonical(_ text: String) -> String? { text }
}

/// What is wrong with a users file: all of it, each with its place.
public struct UserFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// All problems, in the order of the file.
    public let diagnostics: [Diagnostic]
    /// `file:line:column: message` a line.
    public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

/// The accounts of a file at one time: immutable, a changed file makes a new one.
public struct UserDirectory: Sendable {
    /// Reads the file at `path`.
    public static func load(path: String, format: AccountSettings.Format = .auto) throws(UserFileError) -> UserDirectory
    { throw UserFileError(diagnostics: []) }
    /// From the bytes of a file that is called `path` in messages.
    public static func parse(
        _ bytes: [UInt8],
        path: String,
        format: AccountSettings.Format = .auto
    ) throws(UserFileError) -> UserDirectory { throw UserFileError(diagnostics: []) }
    /// Nobody.
    public init() { accounts = [] }
    /// All accounts, in the order of the file.
    public let accounts: [Account]
    /// What works but should be looked at: accounts whose hash is not supported, files that everybody can read.
    public var warnings: [Diagnostic] { [] }
    /// How the file is written: yaml or htpasswd.
    public var format: AccountSettings.Format { .yaml }
    /// The account of this name or e-mail address, compared canonically; disabled ones too.
    public func account(named text: String) -> Account? { nil }
    /// What makes a login of any account, and of none, cost the same; give it to `HashingPool.verify`.
    public var decoys: Decoys { Decoys() }
}

/// Hashes of unknown passwords, one for each kind and cost of the directory.
public struct Decoys: Sendable {
    init() {}
}

/// What a password and a hash have to do with each other.
public enum PasswordVerdict: Sendable, Equatable {
    /// It is the password.
    case matches
    /// It is not.
    case differs
    /// The hash is of a kind that is not supported, or too costly.
    case unsupported
}

/// Password hashes.
public enum PasswordHash {
    /// A new Argon2id hash as PHC text; slow: see `HashingPool`.
    public static func make(_ password: [UInt8], _ cost: Argon2Settings) throws(HashingError) -> String { "" }
    /// Compares in constant time; slow: see `HashingPool`.
    public static func verify(_ password: [UInt8], _ encoded: String) -> PasswordVerdict { .differs }
    /// Whether a hash should be made anew: it is not Argon2id, or of another cost.
    public static func needsRehash(_ encoded: String, _ cost: Argon2Settings) -> Bool { false }
}

/// Why a password was not hashed.
public enum HashingError: Error, Sendable, Equatable {
    /// As many wait as may: 503.
    case busy
    /// The pool was closed, or the library failed (no memory): 503.
    case failed
    /// A password of no or more than 1024 bytes.
    case length
}

/// Threads that hash, so that nobody else waits.
public final class HashingPool: Sendable {
    /// Starts its threads.
    public init(threads: Int, queue: Int) {}
    /// As the settings say.
    public convenience init(_ settings: HashingSettings) { self.init(threads: 1, queue: settings.queue) }
    /// Whether `password` is the one of `encoded`; nil: of an account that does not exist, is disabled or has none.
    /// All of them take the same time with the directory's `decoys`.
    public func verify(
        _ password: [UInt8],
        _ encoded: String?,
        _ decoys: Decoys
    ) async throws(HashingError) -> PasswordVerdict { throw .busy }
    /// A new hash.
    public func make(_ password: [UInt8], _ cost: Argon2Settings) async throws(HashingError) -> String { throw .busy }
    /// How many wait or are being hashed.
    public var depth: Int { 0 }
    /// Ends its threads when the queue is empty; nothing is taken any more.
    public func close() {}
}

/// Who tries to log in, from where.
public struct LoginAttempt: Sendable, Hashable {
    /// An attempt. `account`: canonical name (of the account found, not the e-mail typed), or the canonical form of what
    /// was typed; `exists`: whether that is an account; `address`: IPv4 or IPv6 in text; `device`: the id of a device
    /// cookie that was verified for this very account, else nil.
    public init(account: String, exists: Bool, address: String, device: String?) {}
}

/// What the throttle says of an attempt.
public enum ThrottleDecision: Sendable, Equatable {
    /// Why to wait.
    public enum Reason: String, Sendable {
        /// Failures of the account.
        case account
        /// Failures of the network.
        case network
        /// Failures of the account from this network.
        case pair
        /// Failures of this known device.
        case device
        /// Too many failures of the account in a row: only known devices get in until an operator resets it.
        case locked
        /// No room to count in.
        case full
    }
    /// It may go on, and is counted as a failure until `succeeded` or `released`.
    case go
    /// Refused for so many seconds (429, Retry-After), whatever the password.
    case wait(seconds: Int, why: Reason)
}

/// Slows down guessing.
public final class LoginThrottle: Sendable {
    /// Empty tables.
    public init(_ settings: ThrottleSettings = ThrottleSettings()) {}
    /// Whether an attempt may go on. It counts as a failure at once, so that attempts at the same time do not pass
    /// together; then call one of `failed`, `succeeded` and `released`. `now`: Unix seconds.
    public func admit(_ attempt: LoginAttempt, now: Int64) -> ThrottleDecision { .go }
    /// Wrong: the delay begins now.
    public func failed(_ attempt: LoginAttempt, now: Int64) {}
    /// The whole login went through (with its second factor, where there is one): the account's count begins anew.
    public func succeeded(_ attempt: LoginAttempt, now: Int64) {}
    /// Neither: nothing was tried (503), or the password was right and the second factor is still to come.
    public func released(_ attempt: LoginAttempt, now: Int64) {}
    /// An operator's reset of an account (canonical name); whether there was anything to reset.
    public func reset(account: String) -> Bool { false }
    /// Accounts that are locked now.
    public func locked() -> [String] { [] }
}

/// One-time codes for when the second factor is lost.
public enum RecoveryCodes {
    /// New codes such as `k7wq-93fd-xm2p`, to be shown once.
    public static func make(_ count: Int = 10) -> [String] { [] }
    /// What is stored: SHA-256 in base64url of the code without blanks and dashes, in lower case.
    public static func hash(_ code: String) -> String { "" }
    /// The stored hash among `hashes` that is the code's, compared in constant time.
    public static func match(_ code: String, in hashes: [String]) -> String? { nil }
}

/// What a password must be (NIST SP 800-63B-4, 3.1.1).
public enum PasswordRules {
    /// Why a password will not do.
    public enum Problem: Sendable, Equatable {
        /// Fewer characters than this.
        case tooShort(minimum: Int)
        /// More than 1024 bytes.
        case tooLong
        /// NUL or another control character is in it.
        case control
        /// Among the most common ones.
        case common
        /// It is or contains the account's name or e-mail, and little else.
        case containsName
    }
    /// What is wrong with `password`; nil: nothing. 15 characters, 8 with a second factor.
    public static func problem(
        _ password: String,
        hasSecondFactor: Bool,
        account: String,
        email: String? = nil
    ) -> Problem? { nil }
}

/// QR codes for terminals.
public enum QRCode {
    /// Half blocks with a quiet zone, dark on light; nil when the text is too long.
    public static func terminal(_ text: String) -> String? { nil }
}

/// Changes a users file in place. Blocking: file and lock; each call reads the file anew under an advisory lock, changes
/// what concerns one account, checks the result and replaces the file atomically, with mode and owner kept.
public struct UserFile: Sendable {
    /// The file at `path`.
    public init(path: String, format: AccountSettings.Format = .auto) {}
    /// Adds an account; an error when its name or e-mail is taken. Makes the file (mode 0600) when there is none.
    public func add(_ account: Account) throws(UserFileError) {}
    /// Sets a new password (its hash): sessions of the old one end.
    public func setPassword(_ account: String, hash: String) throws(UserFileError) {}
    /// Puts a hash of the same password in place of `old`, if that is still there; sessions go on. False: it was not, or
    /// the file is an htpasswd file, where a new hash is a new password.
    public func rehash(_ account: String, from old: String, to new: String) throws(UserFileError) -> Bool { false }
    /// Disables or enables.
    public func setDisabled(_ account: String, _ isDisabled: Bool) throws(UserFileError) {}
    /// Sets the roles.
    public func setRoles(_ account: String, _ roles: [String]) throws(UserFileError) {}
    /// Sets or removes the second factor and the hashes of its recovery codes.
    public func setTOTP(_ account: String, _ totp: TOTPEnrollment?, recovery: [String]) throws(UserFileError) {}
    /// Takes a recovery code out (its hash); true for the one caller that did.
    public func takeRecovery(_ account: String, hash: String) throws(UserFileError) -> Bool { false }
    /// Removes the account.
    public func remove(_ account: String) throws(UserFileError) {}
}
