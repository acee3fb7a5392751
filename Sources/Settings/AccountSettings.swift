// COLD. Accounts of people who log in: their file, how passwords are hashed, and how guessing is slowed down.

/// The cost of one Argon2id hash (RFC 9106).
public struct Argon2Settings: SettingsSection {
    /// Memory of one hash, 1 MiB to 1 GiB.
    public var memory: ByteCount = .mebibytes(19)
    /// Passes over the memory.
    public var iterations = 2
    /// Lanes.
    public var parallelism = 1
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// The threads that hash.
public struct HashingSettings: SettingsSection {
    /// Threads; nil: half the processors, at least one.
    public var threads: Int?
    /// Most passwords that wait; one more is answered 503.
    public var queue = 64
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// How guessing passwords is slowed down.
public struct ThrottleSettings: SettingsSection {
    /// Failures of an account before there is a delay.
    public var free = 5
    /// Longest delay; it doubles from one second.
    public var longestDelay: Duration = .minutes(15)
    /// Failures of an account in a row after which only a known device, or an operator's reset, gets in.
    public var limit = 100
    /// Failures of a network (IPv6 /64, IPv4 address) in a minute.
    public var networkPerMinute = 20
    /// Most entries in each of its tables.
    public var entries = 65_536
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// The section `accounts`.
public struct AccountSettings: SettingsSection {
    /// How the file of accounts is written.
    public enum Format: String, Sendable, CaseIterable {
        /// By its content: a first line of `name:hash` is htpasswd.
        case auto
        /// YAML.
        case yaml
        /// Apache's htpasswd.
        case htpasswd
    }
    /// Whether a second factor is asked for.
    public enum SecondFactor: String, Sendable, CaseIterable {
        /// Not at a login, even of those who have one; only where a route wants it (`session.strength`).
        case off
        /// Of those who have one.
        case optional
        /// Of everybody: without one there is no login.
        case required
    }

    /// The file of accounts.
    public var file = FileReference("")
    /// How it is written.
    public var format = Format.auto
    /// The name of the directory, in sessions and assertions.
    public var issuer = "local"
    /// The cost of a password hash.
    public var argon2 = Argon2Settings()
    /// The threads that hash.
    public var hashing = HashingSettings()
    /// How guessing is slowed down.
    public var throttle = ThrottleSettings()
    /// Whether a second factor is asked for.
    public var secondFactor = SecondFactor.optional
    /// The name that authenticator apps show.
    public var totpIssuer = "Portcullis"
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

extension HashingSettings {
    /// Whether threads that were started with `other` are the ones that these settings ask for.
    public func isSame(as other: HashingSettings?) -> Bool { threads == other?.threads && queue == other?.queue }
}

extension ThrottleSettings {
    /// Whether a throttle that was made with `other` is the one that these settings ask for.
    public func isSame(as other: ThrottleSettings?) -> Bool {
        free == other?.free && longestDelay == other?.longestDelay && limit == other?.limit
            && networkPerMinute == other?.networkPerMinute && entries == other?.entries
    }
}
