// COLD. All accounts of a users file at one time, found by name or e-mail.
import Glibc
public import Settings

/// The accounts of a file at one time: immutable, a changed file makes a new one.
public struct UserDirectory: Sendable {
    /// Largest file, in bytes.
    public static let maximumBytes = 16 << 20

    /// All accounts, in the order of the file.
    public let accounts: [Account]
    /// How the file is written: `yaml` or `htpasswd`.
    public let format: AccountSettings.Format
    /// What works but should be looked at: hashes that are not supported, a file that everybody can read.
    public let warnings: [Diagnostic]
    /// What makes a login of any account, and of none, do the same work; give it to `HashingPool.verify`.
    public let decoys: Decoys
    /// Places in `accounts` by canonical name and e-mail.
    private let places: [String: Int]

    /// Nobody.
    public init() {
        accounts = []
        format = .yaml
        warnings = []
        decoys = Decoys([])
        places = [:]
    }

    /// Reads the file at `path`; blocking.
    public static func load(
        path: String,
        format: AccountSettings.Format = .auto
    ) throws(UserFileError) -> UserDirectory {
        let (bytes, status) = try LocalFile.read(path, limit: maximumBytes)
        // An editor may empty a file before it writes it: that is not how everybody is logged out.
        guard !bytes.isEmpty else { throw UserFileError(path, "is empty; write `users: []` if nobody has an account") }
        let directory = try parse(bytes, path: path, format: format)
        var warnings: [Diagnostic] = []
        func warn(_ text: String) { warnings.append(Diagnostic(at: .unknown, text, severity: .warning, file: path)) }
        if status.st_mode & S_IROTH != 0 { warn("everybody can read the hashes; chmod 600 it") }
        if directory.accounts.contains(where: { !$0.recovery.isEmpty }), !LocalFile.isReplaceable(path, status) {
            warn("this user may not change it, or the folder it is in: nobody gets in with a recovery code")
        }
        return warnings.isEmpty ? directory : UserDirectory(directory, warnings)
    }

    /// From the bytes of a file that is called `path` in messages.
    public static func parse(
        _ bytes: [UInt8],
        path: String,
        format: AccountSettings.Format = .auto
    ) throws(UserFileError) -> UserDirectory {
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw UserFileError(path, "is not UTF-8")
        }
        if text.unicodeScalars.first == "\u{feff}" { text.unicodeScalars.removeFirst() }
        let decoding = Decoding(baseDirectory: "/", files: NoFiles())
        let isHtpasswd = format == .htpasswd || format == .auto && UsersHtpasswd.looksLikeIt(text)
        let placed =
            isHtpasswd ? UsersHtpasswd(decoding: decoding).read(text) : UsersYAML(decoding: decoding).read(text)
        let places = index(placed, decoding)
        reportWeak(placed, decoding)
        let diagnostics = decoding.diagnostics.map { diagnostic in
            var diagnostic = diagnostic
            diagnostic.file = path
            return diagnostic
        }
        let errors = diagnostics.filter { $0.severity == .error }
        guard errors.isEmpty else { throw UserFileError(errors) }
        return UserDirectory(placed.map(\.account), isHtpasswd ? .htpasswd : .yaml, diagnostics, places)
    }

    /// The account of this name or e-mail address, compared canonically; disabled ones too.
    public func account(named text: String) -> Account? {
        guard let name = AccountName.canonical(text), let place = places[name] else { return nil }
        return accounts[place]
    }

    private init(
        _ accounts: [Account],
        _ format: AccountSettings.Format,
        _ warnings: [Diagnostic],
        _ places: [String: Int]
    ) {
        self.accounts = accounts
        self.format = format
        self.places = places
        decoys = Decoys(accounts.lazy.compactMap(\.password))
        let uneven = "more than \(Decoys.maximum) kinds of hashes: how long a login takes tells which accounts exist"
        self.warnings =
            decoys.isIncomplete
            ? warnings + [Diagnostic(at: .unknown, uneven, severity: .warning, file: warnings.first?.file ?? "")]
            : warnings
    }

    private init(_ other: UserDirectory, _ more: [Diagnostic]) {
        accounts = other.accounts
        format = other.format
        places = other.places
        decoys = other.decoys
        warnings = more + other.warnings
    }

    // MARK: Checks

    /// Names and e-mails share one space: whatever is typed at login leads to one account.
    private static func index(_ placed: [PlacedAccount], _ decoding: Decoding) -> [String: Int] {
        var places: [String: Int] = [:]
        func add(_ key: String, _ index: Int, _ what: String, at location: SourceLocation) {
            guard let other = places[key], other != index else {
                places[key] = index
                return
            }
            let line = placed[other].name.line
            decoding.report(
                "\(what) \(Spelling.quoted(key)) leads to the account in line \(line) as well; one login, one account",
                at: location
            )
        }
        for (index, entry) in placed.enumerated() { add(entry.account.canonical, index, "the name", at: entry.name) }
        for (index, entry) in placed.enumerated() {
            guard let email = entry.account.email.flatMap({ AccountName.canonical(email: $0) }) else { continue }
            add(email, index, "the e-mail", at: entry.email)
        }
        return places
    }

    private static func reportWeak(_ placed: [PlacedAccount], _ decoding: Decoding) {
        for entry in placed {
            guard let hash = entry.account.password, !PasswordHash.isSupported(hash) else { continue }
            let kind =
                hash.hasPrefix("{SHA}") || hash.hasPrefix("$1$") || !hash.hasPrefix("$")
                ? "is too weak" : "is of an unknown kind, malformed or too costly"
            decoding.report(
                "the hash of \(Spelling.quoted(entry.account.name)) \(kind): nobody can log in; set a new password",
                at: entry.password,
                severity: .warning
            )
        }
    }
}
