// COLD. The two changes that a login makes to the file of accounts, off the threads that run tasks.
public import Accounts
import Bytes
internal import Dispatch
import Telemetry

/// Writes to the accounts.
public protocol UsersEditing: Sendable {
    /// Puts a new hash of the same password in place of `old`; false when it was not there or cannot be written.
    func rehash(_ account: String, from old: String, to new: String) async -> Bool
    /// Takes a recovery code out, by its hash; true for the one caller that did, nil when the file cannot be written.
    func takeRecovery(_ account: String, hash: String) async -> Bool?
}

/// Writes nothing.
struct ReadOnlyUsers: UsersEditing {
    func rehash(_: String, from _: String, to _: String) async -> Bool { false }
    func takeRecovery(_: String, hash _: String) async -> Bool? { nil }
}

/// Writes to a file; what blocks runs on a queue of its own, one change after another.
public final class UserFileEditor: UsersEditing {
    private let file: UserFile
    private let queue = DispatchQueue(label: "portcullis.users")
    private let problem = Locked("")

    /// Writes to `file`.
    public init(_ file: UserFile) { self.file = file }

    /// Why the last change could not be made; empty: it was.
    public var fault: String { problem.withLock { $0 } }

    /// Puts a new hash in place of the old one.
    public func rehash(_ account: String, from old: String, to new: String) async -> Bool {
        await run { file throws(UserFileError) in try file.rehash(account, from: old, to: new) } ?? false
    }

    /// Takes a recovery code out.
    public func takeRecovery(_ account: String, hash: String) async -> Bool? {
        await run { file throws(UserFileError) in try file.takeRecovery(account, hash: hash) }
    }

    private func run(_ change: @escaping @Sendable (UserFile) throws(UserFileError) -> Bool) async -> Bool? {
        await withCheckedContinuation { continuation in
            queue.async { [self] in continuation.resume(returning: made(change)) }
        }
    }

    private func made(_ change: (UserFile) throws(UserFileError) -> Bool) -> Bool? {
        do throws(UserFileError) {
            let isMade = try change(file)
            note("")
            return isMade
        } catch {
            note(error.description)
            return nil
        }
    }

    /// Notes whether changes are made, and says so when that changes.
    private func note(_ reason: String) {
        let before = problem.withLock { problem in
            defer { problem = reason }
            return problem
        }
        if !reason.isEmpty, reason != before {
            Log.error("accounts: the file cannot be changed", ("reason", reason))
        } else if reason.isEmpty, !before.isEmpty {
            Log.info("accounts: the file can be changed again")
        }
    }
}
