// COLD. Revocations that stand in the configuration file, and points in time.

/// A point in time, to the second.
public struct SettingTime: SettingValue, Hashable, Comparable {
    /// Seconds since 1970, 0…253402300799.
    public var seconds: Int64

    /// A point in time.
    public init(seconds: Int64) { self.seconds = seconds }

    /// Earlier.
    public static func < (a: SettingTime, b: SettingTime) -> Bool { a.seconds < b.seconds }

    /// `2026-01-31T12:00:00Z` (RFC 3339, UTC), or seconds since 1970.
    public init?(text: String) {
        if let number = Int64(text), (0...253_402_300_799).contains(number) {
            seconds = number
            return
        }
        let bytes = Array(text.utf8)
        let pattern = Array("0000-00-00T00:00:00Z".utf8)
        guard bytes.count == pattern.count else { return nil }
        for (byte, wanted) in zip(bytes, pattern) {
            let isDigit = (0x30...0x39).contains(byte)
            guard wanted == 0x30 ? isDigit : byte == wanted else { return nil }
        }
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 * 10 + Int($1 - 0x30) } }
        let (year, month, day) = (number(0..<4), number(5..<7), number(8..<10))
        let (hour, minute, second) = (number(11..<13), number(14..<16), number(17..<19))
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard year >= 1970, (1...12).contains(month), day >= 1, day <= lengths[month - 1], hour < 24, minute < 60,
            second < 60
        else { return nil }
        let past = year - 1
        let leapDays = (past / 4 - past / 100 + past / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400)
        let days = (year - 1970) * 365 + leapDays + lengths[..<(month - 1)].reduce(0, +) + day - 1
        seconds = Int64(days * 86_400 + hour * 3600 + minute * 60 + second)
    }

    /// Text, or a number.
    public static func decode(_ node: SettingNode, _ decoding: Decoding) -> SettingTime? {
        if let time = node.text.flatMap({ SettingTime(text: $0) }) { return time }
        decoding.mismatch(node, expected: "a time such as 2026-01-31T12:00:00Z, or seconds since 1970")
        return nil
    }
    /// Seconds since 1970.
    public var settingText: SettingText? { .scalar(String(seconds)) }
    /// A number or a text.
    public static var shape: SettingShape {
        .either([
            .integer(0...253_402_300_799),
            .string(pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"),
        ])
    }
}

/// A credential that is not good any more, although nothing in it says so.
public struct RevocationSettings: SettingsSection {
    /// Name of an issuer, or its `iss`; nil: of any.
    public var issuer: String?
    /// `jti` of a token, or the thumbprint of a client certificate.
    public var token: String?
    /// `sub` of the caller.
    public var subject: String?
    /// Only what was issued until then; nil: whenever it was issued.
    public var before: SettingTime?
    /// Until when it holds; nil: as long as it stands in the file.
    public var until: SettingTime?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}

    /// One revocation.
    public static let keys: [Key<RevocationSettings>] = [
        Key(
            "issuer",
            \.issuer,
            example: "main",
            must: .optionalLine,
            doc: "Name of an issuer or client_identity, or its iss; unset: of any."
        ),
        Key(
            "token",
            \.token,
            example: "\"6f1c2b\"",
            must: .optionalLine,
            doc: "The jti of a token, or a client certificate's SHA-256 thumbprint in base64url."
        ),
        Key("subject", \.subject, example: "\"4711\"", must: .optionalLine, doc: "The sub of a caller."),
        Key(
            "before",
            \.before,
            example: "2026-01-31T12:00:00Z",
            doc: "Only what was issued (iat) until then, or does not say when; unset: whenever it was issued."
        ),
        Key(
            "until",
            \.until,
            example: "2027-01-31T12:00:00Z",
            doc: "Until when it holds; unset: as long as it stands in the file."
        ),
    ]
    /// Either a token or a subject.
    public static var choices: [KeyChoice] { [KeyChoice("token", "subject", required: true)] }
}
