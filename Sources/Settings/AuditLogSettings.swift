// COLD. The audit log: who logged in, failed, logged out or was thrown out, and its keys.

/// The audit log, a chain of JSON lines that shows when one was changed.
public struct AuditLogSettings: SettingsSection {
    /// What happens while it cannot be written.
    public enum Failure: String, Sendable, Hashable, CaseIterable {
        /// Nobody can log in.
        case deny
        /// All goes on, unaudited.
        case `continue`
    }

    /// A file (mode 0600) or `/dev/stdout`.
    ///
    /// Reopened on SIGUSR1.
    public var path = ""
    /// What happens while it cannot be written.
    public var onFailure = Failure.deny
    /// Lines that wait for the writer; further ones count as not written.
    public var queue = 4096
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

extension AuditLogSettings.Failure: SettingChoice {}

extension AuditLogSettings {
    /// The audit log.
    public static let keys: [Key<AuditLogSettings>] = [
        Key(
            "path",
            \.path,
            required: true,
            example: "audit.log",
            must: .filePath,
            doc: "A file (made with mode 0600), or /dev/stdout. Reopened on SIGUSR1; the chain goes on in the new file."
        ),
        Key(
            "on_failure",
            \.onFailure,
            doc: "While it cannot be written: deny refuses logins with 503, continue lets them pass unaudited."
        ),
        Key(
            "queue",
            \.queue,
            in: 16...65_536,
            doc: "Lines that wait for the writer; further ones count as not written."
        ),
    ]

    /// The path is resolved, and can be written.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        guard !path.isEmpty, !decoding.hasError(at: marks["path"]) else { return }
        path = decoding.resolve(path)
        if let problem = decoding.files.problem(creating: path) {
            decoding.report("audit_log.path: \(Spelling.quoted(path)) \(problem.text)", at: marks["path"])
        }
    }
}
