// COLD. Changing one account of a users file in place; the rest of the file stays as its owner wrote it. Blocking.
import Glibc
public import Settings

/// Changes a users file in place.
///
/// Each call reads the file anew under an advisory lock, changes what concerns one account, checks that the result means
/// what it should and nothing else, and replaces the file atomically (temporary file, fsync, rename), with its mode and
/// owner kept. Comments, order and spelling of everything else stay. Blocking: never call it on a task's thread under load.
/// Accounts are named as at login: by name or e-mail.
public struct UserFile: Sendable {
    private let path: String
    private let format: AccountSettings.Format

    /// The file at `path`; a link is followed once, and what it leads to is changed.
    public init(path: String, format: AccountSettings.Format = .auto) {
        self.path = LocalFile.resolved(path)
        self.format = format
    }

    /// Adds an account; an error when its name or e-mail is taken.
    ///
    /// Makes the file (mode 0600) when there is none.
    public func add(_ account: Account) throws(UserFileError) {
        try LocalFile.locked(path) { () throws(UserFileError) in
            let file = try content(orEmpty: true)
            let taken = [account.name, account.email ?? ""].first { file.directory.account(named: $0) != nil }
            if let taken { throw UserFileError(path, "there is an account \(Spelling.quoted(taken)) already") }
            try replace(file, with: try editor(file).adding(account), expecting: file.directory.accounts + [account])
        }
    }

    /// Sets a new password (its hash): sessions of the old one end.
    public func setPassword(_ account: String, hash: String) throws(UserFileError) {
        try change(account) { $0.setPassword(hash: hash) }
    }

    /// Puts a hash of the same password in place of `old`, if that is still there; sessions go on.
    ///
    /// False: it was not there, or the file is an htpasswd file, where a new hash is a new password.
    public func rehash(_ account: String, from old: String, to new: String) throws(UserFileError) -> Bool {
        try LocalFile.locked(path) { () throws(UserFileError) in
            let file = try content()
            guard file.directory.format == .yaml, var changed = file.directory.account(named: account),
                changed.password == old
            else { return false }
            changed.password = new
            try replace(file, changing: changed)
            return true
        }
    }

    /// Disables or enables.
    ///
    /// In an htpasswd file `!` before the hash does, as in shadow(5).
    public func setDisabled(_ account: String, _ isDisabled: Bool) throws(UserFileError) {
        try LocalFile.locked(path) { () throws(UserFileError) in
            let file = try content()
            var changed = try found(account, file)
            // Who reads the file only after it was enabled again still sees that sessions from before are over: the
            // password counts as another one, although its hash stays. An htpasswd file has no place for that.
            if isDisabled, !changed.isDisabled, changed.password != nil, file.directory.format == .yaml,
                let mark = Digest.random(12)
            {
                changed.passwordIdentity = Base64.encode(mark, isURL: true)
            }
            changed.isDisabled = isDisabled
            try replace(file, changing: changed)
        }
    }

    /// Sets the roles.
    public func setRoles(_ account: String, _ roles: [String]) throws(UserFileError) {
        try change(account) { $0.roles = roles }
    }

    /// Changes the roles, beginning with those that the account has when it is its turn; returns them as they are now.
    public func changeRoles(_ account: String, _ body: (inout [String]) -> Void) throws(UserFileError) -> [String] {
        var roles: [String] = []
        try change(account) {
            body(&$0.roles)
            roles = $0.roles
        }
        return roles
    }

    /// Sets or removes the second factor, and the hashes of its recovery codes.
    public func setTOTP(_ account: String, _ totp: TOTPEnrollment?, recovery: [String]) throws(UserFileError) {
        try change(account) {
            $0.totp = totp
            $0.recovery = recovery
        }
    }

    /// Takes a recovery code out (its hash); true for the one caller that did.
    public func takeRecovery(_ account: String, hash: String) throws(UserFileError) -> Bool {
        try LocalFile.locked(path) { () throws(UserFileError) in
            let file = try content()
            guard var changed = file.directory.account(named: account), changed.recovery.contains(hash) else {
                return false
            }
            changed.recovery.removeAll { $0 == hash }
            try replace(file, changing: changed)
            return true
        }
    }

    /// Removes the account.
    public func remove(_ account: String) throws(UserFileError) {
        try LocalFile.locked(path) { () throws(UserFileError) in
            let file = try content()
            let removed = try found(account, file)
            let rest = file.directory.accounts.filter { $0.canonical != removed.canonical }
            try replace(file, with: try editor(file).removing(removed.canonical), expecting: rest)
        }
    }

    // MARK: Steps

    private struct Content {
        var text: String
        var status: stat?
        var directory: UserDirectory
    }

    private func content(orEmpty: Bool = false) throws(UserFileError) -> Content {
        if orEmpty, access(path, F_OK) != 0, errno == ENOENT {
            return Content(text: "", status: nil, directory: try UserDirectory.parse([], path: path, format: format))
        }
        let (bytes, status) = try LocalFile.read(path, limit: UserDirectory.maximumBytes)
        let directory = try UserDirectory.parse(bytes, path: path, format: format)
        return Content(text: String(decoding: bytes, as: UTF8.self), status: status, directory: directory)
    }

    private func found(_ name: String, _ file: Content) throws(UserFileError) -> Account {
        guard let account = file.directory.account(named: name) else {
            let hint = Spelling.hint(for: name, among: file.directory.accounts.map(\.name))
            throw UserFileError(path, "there is no account \(Spelling.quoted(name))\(hint)")
        }
        return account
    }

    private func editor(_ file: Content) throws(UserFileError) -> any UserTextEditor {
        if file.directory.format == .htpasswd { return HtpasswdEditor(text: file.text, path: path) }
        return try YAMLEditor(text: file.text, path: path)
    }

    private func change(_ name: String, _ body: (inout Account) -> Void) throws(UserFileError) {
        try LocalFile.locked(path) { () throws(UserFileError) in
            let file = try content()
            var account = try found(name, file)
            body(&account)
            try replace(file, changing: account)
        }
    }

    private func replace(_ file: Content, changing account: Account) throws(UserFileError) {
        guard let place = file.directory.accounts.firstIndex(where: { $0.canonical == account.canonical }) else {
            return
        }
        var expected = file.directory.accounts
        guard expected[place] != account else { return }
        let text = try editor(file).changing(expected[place], to: account)
        expected[place] = account
        try replace(file, with: text, expecting: expected)
    }

    /// Writes a text when it means `accounts`, and never otherwise.
    private func replace(_ file: Content, with text: String, expecting accounts: [Account]) throws(UserFileError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= UserDirectory.maximumBytes else { throw UserFileError(path, "would become too large") }
        let directory = try UserDirectory.parse(bytes, path: path, format: file.directory.format)
        guard directory.accounts == accounts else {
            throw UserFileError(path, "is written in a way that cannot be changed safely here; edit it by hand")
        }
        try LocalFile.replace(path, with: bytes, like: file.status)
    }
}

/// Changes the text of a users file.
protocol UserTextEditor {
    /// With one account more, at the end.
    func adding(_ account: Account) throws(UserFileError) -> String
    /// With `old` changed to `new`; their names are the same.
    func changing(_ old: Account, to new: Account) throws(UserFileError) -> String
    /// Without the account of this canonical name.
    func removing(_ canonical: String) throws(UserFileError) -> String
}
