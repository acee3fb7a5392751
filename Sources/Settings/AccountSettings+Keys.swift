// COLD. The keys of accounts, of hashing their passwords and of slowing down guesses.

extension AccountSettings.Format: SettingChoice {}
extension AccountSettings.SecondFactor: SettingChoice {}

extension Argon2Settings {
    /// The cost of a hash.
    public static let keys: [Key<Argon2Settings>] = [
        Key("memory", \.memory, in: .mebibytes(1) ... .gibibytes(1), doc: "Memory of one hash."),
        Key("iterations", \.iterations, in: 1...64, doc: "Passes over the memory."),
        Key("parallelism", \.parallelism, in: 1...16, doc: "Lanes; all of a hash is computed by one thread."),
    ]
}

extension HashingSettings {
    /// Threads that hash.
    public static let keys: [Key<HashingSettings>] = [
        Key("threads", \.threads, in: 1...64, example: "2", doc: "Threads; unset: half the processors, at least one."),
        Key("queue", \.queue, in: 1...4096, doc: "Most passwords that wait for a thread; one more is answered 503."),
    ]
}

extension ThrottleSettings {
    /// Limits of guessing.
    public static let keys: [Key<ThrottleSettings>] = [
        Key("free", \.free, in: 1...50, doc: "Failures of an account in a row without a delay."),
        Key(
            "longest_delay",
            \.longestDelay,
            in: .seconds(1) ... .hours(24),
            doc: "The delay after further failures doubles from 1s up to this."
        ),
        Key(
            "limit",
            \.limit,
            in: 10...1000,
            doc: "Failures of an account in a row after which only a known device gets in, or an operator resets it."
        ),
        Key(
            "network_per_minute",
            \.networkPerMinute,
            in: 1...100_000,
            doc: "Failures of one network (an IPv4 address, an IPv6 /64) in a minute."
        ),
        Key("entries", \.entries, in: 1024...4_194_304, doc: "Most entries in each table of the throttle."),
    ]

    /// The limit comes after the free failures.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        guard free >= limit else { return }
        decoding.report(
            "\(decoding.currentPath).limit: \(limit) is not more than free (\(free))",
            at: marks.isWritten("limit") ? marks["limit"] : marks["free"]
        )
        limit = free + 1
    }
}

extension AccountSettings {
    /// Accounts.
    public static let keys: [Key<AccountSettings>] = [
        Key(
            "file",
            \.file,
            required: true,
            example: "users.yaml",
            doc: "The file of accounts: YAML (portcullis user add writes it), or Apache's htpasswd."
        ),
        Key("format", \.format, doc: "How the file is written; auto: seen from its content."),
        Key("issuer", \.issuer, must: .line, doc: "The name of this directory in sessions and assertions."),
        Key("argon2", \.argon2, doc: "The cost of a password hash; older hashes are renewed when their owner logs in."),
        Key("hashing", \.hashing, doc: "The threads that hash passwords."),
        Key("throttle", \.throttle, doc: "How guessing is slowed down."),
        Key(
            "second_factor",
            \.secondFactor,
            doc: "Whether a one-time code is asked for: of nobody, of those who have one, or of everybody."
        ),
        Key("totp_issuer", \.totpIssuer, must: .line, doc: "The name that authenticator apps show."),
    ]
}
