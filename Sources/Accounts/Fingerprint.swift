// COLD. What of an account a session depends on, as a number and as JSON.

/// Fingerprints: the first eight bytes of SHA-256 over fields with their lengths.
enum Fingerprint {
    static func of(_ account: Account) -> UInt64 {
        var fields = credentials(account)
        fields += ["email", account.email ?? "", "name", account.displayName ?? ""]
        fields += ["disabled", String(account.isDisabled), "roles"] + account.roles
        fields += ["claims", JSONClaims.text(.object(account.claims))]
        return digest(fields)
    }

    static func ofCredentials(_ account: Account) -> UInt64 { digest(credentials(account)) }

    /// The identity of a hash that was never renewed.
    static func identity(ofHash hash: String) -> String {
        Base64.encode(Digest.sha256(Array(hash.utf8))[..<12], isURL: true)
    }

    private static func credentials(_ account: Account) -> [String] {
        var fields = ["account", account.canonical, "password", account.passwordIdentity]
        if let totp = account.totp {
            fields += ["totp", totp.algorithm.rawValue, String(totp.digits), String(totp.period)]
            fields.append(Base64.encode(totp.secret, isURL: true))
        }
        return fields
    }

    private static func digest(_ fields: [String]) -> UInt64 {
        var bytes: [UInt8] = []
        for field in fields {
            withUnsafeBytes(of: UInt64(field.utf8.count).littleEndian) { bytes += $0 }
            bytes += field.utf8
        }
        return Digest.sha256(bytes)[..<8].reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Claims as JSON.
enum JSONClaims {
    /// Names that the directory itself fills in, or that mean something in a token.
    static let reserved: Set<String> = [
        "sub", "email", "name", "roles", "iss", "aud", "exp", "iat", "nbf", "jti", "sid",
        "auth_time", "amr", "acr", "cnf",
    ]

    static func write(_ account: Account) -> [UInt8] {
        var claims = account.claims
        claims["sub"] = .text(account.canonical)
        claims["email"] = account.email.map { .text($0) }
        claims["name"] = .text(account.displayName ?? account.name)
        claims["roles"] = .list(account.roles.map { .text($0) })
        return Array(text(.object(claims)).utf8)
    }

    /// Sorted keys, no blanks.
    static func text(_ value: ClaimValue) -> String {
        switch value {
        case .text(let text): quoted(text)
        case .number(let number): String(number)
        case .flag(let flag): flag ? "true" : "false"
        case .list(let values): "[\(values.map(text).joined(separator: ","))]"
        case .object(let members):
            "{\(members.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(text($0.value))" }.joined(separator: ","))}"
        }
    }

    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
