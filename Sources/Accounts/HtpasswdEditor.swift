// COLD. Changing lines of an htpasswd file.

/// An htpasswd file as text; it holds names, hashes and whether an account is disabled.
struct HtpasswdEditor: UserTextEditor {
    let text: String
    let path: String

    func adding(_ account: Account) throws(UserFileError) -> String {
        try check(account)
        guard !account.name.contains(":") else { throw UserFileError(path, "a name cannot hold \":\"") }
        let end = text.isEmpty || text.hasSuffix("\n") ? "" : "\n"
        return text + end + line(account) + "\n"
    }

    func changing(_ old: Account, to new: Account) throws(UserFileError) -> String {
        try check(new)
        return rewriting(old.canonical) { line in
            let entry = UsersHtpasswd.entry(line)
            // Whatever stands behind the hash stays.
            let rest = entry.map { line[$0.hash.endIndex...] } ?? ""
            return self.line(new) + rest
        }
    }

    func removing(_ canonical: String) throws(UserFileError) -> String { rewriting(canonical) { _ in nil } }

    private func check(_ account: Account) throws(UserFileError) {
        guard account.email == nil, account.displayName == nil, account.roles.isEmpty, account.claims.isEmpty,
            account.totp == nil, account.recovery.isEmpty
        else {
            throw UserFileError(
                path,
                "is an htpasswd file: it holds names and passwords; roles, e-mail and second factor need a YAML file"
            )
        }
    }

    private func line(_ account: Account) -> String {
        "\(account.name):\(account.isDisabled ? "!" : "")\(account.password ?? "")"
    }

    private func rewriting(_ canonical: String, _ body: (Substring) -> String?) -> String {
        var out: [String] = []
        for line in UsersHtpasswd.lines(text) {
            if let entry = UsersHtpasswd.entry(line), AccountName.canonical(String(entry.name)) == canonical {
                if let changed = body(line) { out.append(changed) }
            } else {
                out.append(String(line))
            }
        }
        return out.joined(separator: text.contains("\r\n") ? "\r\n" : "\n")
    }
}
