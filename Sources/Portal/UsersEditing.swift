// COLD. The two changes that a login makes to the file of accounts, off the threads that run tasks.
public import Accounts
internal import Dispatch

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

    /// Writes to `file`.
    public init(_ file: UserFile) { self.file = file }

    /// Puts a new hash in place of the old one.
    public func rehash(_ account: String, from old: String, to new: String) async -> Bool {
        await run { file in (try? file.rehash(account, from: old, to: new)) ?? false }
    }

    /// Takes a recovery code out.
    public func takeRecovery(_ account: String, hash: String) async -> Bool? {
        await run { file in try? file.takeRecovery(account, hash: hash) }
    }

    private func run<Value: Sendable>(_ change: @escaping @Sendable (UserFile) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            queue.async { [file] in continuation.resume(returning: change(file)) }
        }
    }
}
