// COLD. The keys of a users file in YAML, decoded with the same machinery as the configuration.
public import Settings

/// The whole file.
struct UsersDocument: SettingsSection {
    var users: [UserEntry] = []
    var marks = Marks()

    static let keys: [Key<UsersDocument>] = [Key("users", \.users, doc: "Accounts.")]
}

/// One account as written.
struct UserEntry: SettingsSection {
    var name = ""
    var email: String?
    var displayName: String?
    var roles: [String] = []
    var claims = ClaimSetting([:])
    var isDisabled = false
    var password: HashText?
    var passwordID: String?
    var totp: TOTPSection?
    var recovery: [String] = []
    var marks = Marks()

    static let keys: [Key<UserEntry>] = [
        Key("name", \.name, required: true, example: "ada", doc: "What is typed at login."),
        Key("email", \.email, doc: "Can be typed in place of the name."),
        Key("display_name", \.displayName, doc: "The name for people."),
        Key("roles", \.roles, each: .role, doc: "Roles."),
        Key("claims", \.claims, doc: "Further claims."),
        Key("disabled", \.isDisabled, doc: "Nobody logs in, and sessions end."),
        Key("password", \.password, doc: "An encoded hash."),
        Key("password_id", \.passwordID, doc: "Written when a hash is renewed for its password, and by disabling."),
        Key("totp", \.totp, doc: "The second factor."),
        Key(
            "recovery_codes",
            \.recovery,
            count: 0...64,
            each: .recovery,
            secret: true,
            doc: "Hashes of recovery codes."
        ),
    ]
}

/// A second factor as written: its secret alone, or with what differs from the usual.
struct TOTPSection: SettingsSection {
    var secret = TOTPSecret(bytes: [])
    var algorithm = TOTPEnrollment.Algorithm.sha1
    var digits = 6
    var period = 30
    var marks = Marks()

    static let keys: [Key<TOTPSection>] = [
        Key("secret", \.secret, required: true, doc: "Base32."),
        Key("algorithm", \.algorithm, doc: "The hash function."),
        Key("digits", \.digits, in: 6...8, doc: "Digits of a code."),
        Key("period", \.period, in: 15...300, doc: "Seconds of a step."),
    ]

    static func decodeShorthand(_ node: SettingNode, _ decoding: Decoding) -> TOTPSection? {
        guard case .scalar = node.content else { return nil }
        var section = TOTPSection()
        if let secret = TOTPSecret.decode(node, decoding) { section.secret = secret }
        return section
    }
}

extension TOTPEnrollment.Algorithm: SettingChoice {}

/// A secret in base32; messages never show it.
struct TOTPSecret: SettingValue, Equatable {
    var bytes: [UInt8]

    static func decode(_ node: SettingNode, _ decoding: Decoding) -> TOTPSecret? {
        if let bytes = node.text.flatMap({ TOTP.secret(base32: $0) }), (10...128).contains(bytes.count) {
            return TOTPSecret(bytes: bytes)
        }
        decoding.reject(node, "expected a secret of 16 to 205 characters in base32")
        return nil
    }
    var settingText: SettingText? { nil }
    static var shape: SettingShape { .string(pattern: nil) }
}

/// An encoded hash; messages never show it.
struct HashText: SettingValue, Equatable {
    var text: String

    static func decode(_ node: SettingNode, _ decoding: Decoding) -> HashText? {
        guard let text = node.text, text.hasPrefix("$"), text.utf8.count <= 512,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else {
            decoding.reject(node, "expected an encoded hash such as portcullis user passwd writes, never a password")
            return nil
        }
        return HashText(text: text)
    }
    var settingText: SettingText? { nil }
    static var shape: SettingShape { .string(pattern: nil) }
}

/// Claims: names with JSON values.
struct ClaimSetting: SettingValue, Equatable {
    var members: [String: ClaimValue]

    init(_ members: [String: ClaimValue]) { self.members = members }

    static func decode(_ node: SettingNode, _ decoding: Decoding) -> ClaimSetting? {
        guard case .mapping(let written) = node.content else {
            decoding.mismatch(node, expected: "a mapping")
            return nil
        }
        var members: [String: ClaimValue] = [:]
        for member in written {
            if JSONClaims.reserved.contains(member.key) {
                let message = "the claim \(Spelling.quoted(member.key)) is filled in by the directory; use another name"
                decoding.report("\(decoding.currentPath): \(message)", at: member.location)
            }
            members[member.key] = value(member.value, decoding)
        }
        return ClaimSetting(members)
    }
    var settingText: SettingText? { nil }
    static var shape: SettingShape { .dictionary }

    private static func value(_ node: SettingNode, _ decoding: Decoding) -> ClaimValue? {
        switch node.content {
        case .scalar(let scalar):
            guard scalar.isPlain else { return .text(scalar.text) }
            if scalar.text == "true" || scalar.text == "false" { return .flag(scalar.text == "true") }
            if let number = Int(scalar.text) { return .number(number) }
            if node.isNull || Double(scalar.text) != nil {
                decoding.mismatch(node, expected: "text, a whole number, true, false, a list or a mapping")
                return nil
            }
            return .text(scalar.text)
        case .sequence(let nodes): return .list(nodes.compactMap { value($0, decoding) })
        case .mapping(let members):
            return .object(
                Dictionary(members.map { ($0.key, value($0.value, decoding)) }) { $1 }.compactMapValues { $0 }
            )
        case .broken: return nil
        }
    }
}

extension Constraint<String> {
    static let role = Constraint(expected: "a name without spaces or control characters") {
        (1...256).contains($0.utf8.count)
            && $0.unicodeScalars.allSatisfy {
                $0.value > 0x20 && $0.properties.generalCategory != .control && $0 != ","
            }
    }
    static let recovery = Constraint(expected: "the hash of a code: 43 characters of base64url") {
        $0.utf8.count == 43
    }
}
