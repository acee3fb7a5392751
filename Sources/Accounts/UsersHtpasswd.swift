// COLD. An Apache htpasswd file as accounts: a line `name:hash` each; `!` before the hash disables the account.
import Settings

/// Reads accounts; what is wrong goes to the decoding run.
struct UsersHtpasswd {
    let decoding: Decoding

    /// Accounts with their places; lines that cannot be read are left out, and reported.
    func read(_ text: String) -> [PlacedAccount] {
        var accounts: [PlacedAccount] = []
        for (index, line) in Self.lines(text).enumerated() {
            let start = SourceLocation(line: index + 1, column: 1)
            guard let (name, hash) = Self.entry(line) else {
                if !Self.isBlank(line) { decoding.report("expected a line such as name:hash", at: start) }
                continue
            }
            guard var account = Account(name: String(name)), name.first != " ", name.last != " " else {
                let expected = "expected 1 to 256 bytes without control characters and blanks at its ends"
                decoding.report("name: \(expected)", at: start)
                continue
            }
            account.isDisabled = hash.hasPrefix("!")
            let bare = String(account.isDisabled ? hash.dropFirst() : hash)
            // An empty hash is no password: nobody gets in, not everybody.
            if !bare.isEmpty {
                account.password = bare
                account.passwordIdentity = Fingerprint.identity(ofHash: bare)
            }
            let column = name.unicodeScalars.count + 2
            let place = SourceLocation(line: index + 1, column: column)
            accounts.append(PlacedAccount(account: account, name: start, email: start, password: place))
        }
        return accounts
    }

    /// Lines without their ends, CR included.
    static func lines(_ text: String) -> [Substring] {
        text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    }

    /// Name and hash of a line; nil: it has none.
    ///
    /// Apache leaves out further fields as well.
    static func entry(_ line: Substring) -> (name: Substring, hash: Substring)? {
        guard !isBlank(line), let colon = line.firstIndex(of: ":"), colon != line.startIndex else { return nil }
        let rest = line[line.index(after: colon)...]
        return (line[..<colon], rest.prefix { $0 != ":" && $0 != " " && $0 != "\t" })
    }

    static func isBlank(_ line: Substring) -> Bool {
        guard let first = line.first(where: { $0 != " " && $0 != "\t" }) else { return true }
        return first == "#"
    }

    /// Whether a text looks like one: its first line that is no comment has something right after its first colon.
    static func looksLikeIt(_ text: String) -> Bool {
        guard let line = lines(text).first(where: { !isBlank($0) }), let colon = line.firstIndex(of: ":") else {
            return false
        }
        let next = line.index(after: colon)
        return next < line.endIndex && line[next] != " " && line[next] != "\t"
    }
}
