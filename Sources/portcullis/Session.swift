// COLD. `portcullis session`: looks at sessions in the store, and ends them, whether or not the gateway runs.
import Accounts
import ArgumentParser
import Configuration
import Foundation
import Sessions
import Settings

/// Sessions.
struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session",
        abstract: "List, show and revoke login sessions, and back up their store.",
        discussion: """
            Works on the store that the configuration names (sqlite or redis), whether or not a gateway runs; running \
            gateways notice within a second. Sessions of the memory store are only in their gateway: use its ops \
            listener for them.
            """,
        subcommands: [List.self, Show.self, Revoke.self, Backup.self]
    )
}

/// Which file says where the store is.
struct StoreOptions: ParsableArguments {
    @Option(name: [.short, .long], help: "The configuration file.")
    var config: String

    /// What records call the account that somebody means by a name or an e-mail address.
    ///
    /// Accounts that are gone may have sessions still: a name that the file does not have stands for itself.
    func account(called text: String) throws -> String {
        let loaded = Configuration.load(path: config, environment: ProcessInfo.processInfo.environment)
        if let accounts = loaded.settings?.accounts {
            do throws(UserFileError) {
                let directory = try UserDirectory.load(path: accounts.file.path, format: accounts.format)
                if let known = directory.account(named: text) { return known.canonical }
            } catch {
                // Without it a name still says who is meant, but an address does not.
                if text.utf8.contains(0x40) { throw CommandFailure("\(error)") }
            }
        }
        guard let name = AccountName.canonical(text) else {
            throw CommandFailure("no account has such a name: \(text)")
        }
        return name
    }

    /// Runs `body` with the store of the configuration.
    func withStore<Value: Sendable>(
        _ body: @escaping @Sendable (any SessionStore) async throws -> Value
    ) throws -> Value {
        try withStore { store, _ in try await body(store) }
    }

    /// Runs `body` with the store of the configuration, and with what it says of the audit log.
    func withStore<Value: Sendable>(
        _ body: @escaping @Sendable (any SessionStore, AuditLogSettings?) async throws -> Value
    ) throws -> Value {
        let loaded = Configuration.load(path: config, environment: ProcessInfo.processInfo.environment)
        guard let settings = loaded.settings?.sessions else {
            for problem in loaded.errors { FileHandle.standardError.write(Data("\(problem)\n".utf8)) }
            throw CommandFailure("\(config) cannot be used; portcullis check --config \(config) says why")
        }
        switch settings.store {
        case .memory:
            throw CommandFailure(
                "sessions.store is memory: they are only in the gateway that made them; use its ops listener"
            )
        case .sqlite where access(settings.file, F_OK) != 0:
            throw CommandFailure("\(settings.file): is not there yet; the gateway makes it when it starts")
        case .sqlite, .redis: break
        }
        let audit = loaded.settings?.auditLog
        return try Blocking.run {
            let store: any SessionStore
            do {
                store = try makeStore(settings)
            } catch {
                throw CommandFailure("\(error)")
            }
            do {
                let value = try await body(store, audit)
                await store.close()
                return value
            } catch {
                let reason = store.problem
                await store.close()
                guard let error = error as? StoreError else { throw error }
                throw CommandFailure(reason.isEmpty ? error.sentence : "\(error.sentence): \(reason)")
            }
        }
    }
}

extension StoreError {
    /// For people.
    var sentence: String {
        switch self {
        case .unavailable: "the store of sessions cannot be reached"
        case .full: "the store of sessions is full"
        case .timedOut: "the store of sessions does not answer in time"
        case .corrupt: "the store of sessions holds something that cannot be read; restore a backup"
        }
    }
}

/// Runs asynchronous work for a command, on whose thread nothing else waits.
enum Blocking {
    private final class Box<Value: Sendable>: @unchecked Sendable {
        // Exception: written before the semaphore is signalled, read after it was waited for.
        var result: Result<Value, any Error>?
    }

    static func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
        let box = Box<Value>()
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            do {
                box.result = .success(try await body())
            } catch {
                box.result = .failure(error)
            }
            done.signal()
        }
        done.wait()
        guard let result = box.result else { throw CommandFailure("nothing came of it") }
        return try result.get()
    }
}

extension SessionCommand {
    /// One session.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one session with everything known of it.")

        @OptionGroup var store: StoreOptions
        @Flag(name: .long, help: "Print JSON.")
        var json = false
        @Argument(help: "The session's id, as list shows it.")
        var id: String

        func validate() throws { _ = try SessionArguments.key(id) }

        func run() throws {
            let key = try SessionArguments.key(id)
            guard let record = try store.withStore({ try await $0.find(key) }) else {
                throw CommandFailure("there is no session \(id)")
            }
            print(json ? SessionText.json(record) : SessionText.paragraph(record, now: UnixTime.now()))
        }
    }

    /// Ends sessions.
    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End sessions: one by its id, or all of a user, an address or an age.",
            discussion: """
                Of several options all must hold. --all ends every session.

                Examples:
                  portcullis session revoke --config gateway.yaml --user ada
                  portcullis session revoke --config gateway.yaml --address 192.0.2.7 --older-than 1h
                """
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var filter: SessionArguments
        @Flag(name: .long, help: "End every session.")
        var all = false
        @Flag(name: .long, help: "Print the sessions that ended as JSON.")
        var json = false
        @Argument(help: "The session's id, as list shows it.")
        var id: String?

        func validate() throws {
            let ways = [id != nil, !filter.isEmpty, all].filter { $0 }.count
            if ways == 0 { throw ValidationError("say which: an id, --user, --address, --older-than or --all") }
            if ways > 1 { throw ValidationError("an id, --all and the other options exclude each other") }
            if let id { _ = try SessionArguments.key(id) }
            _ = try filter.filter(now: 0)
        }

        func run() throws {
            let user = self.filter.user
            let filter = try self.filter.filter(now: UnixTime.now(), store)
            let key = try id.map { try SessionArguments.key($0) }
            let (ended, audit) = try store.withStore { store, audit in
                guard let key else { return (try await store.end(where: filter, except: nil, .revoked), audit) }
                return (try await store.end(key, .revoked).map { [$0] } ?? [], audit)
            }
            if json { print(SessionText.json(ended)) }
            if let id, ended.isEmpty { throw CommandFailure("there is no session \(id)") }
            if let user, ended.isEmpty { throw CommandFailure("nothing ended: there is no such session of \(user)") }
            if !json { print(ended.count == 1 ? "1 session ended" : "\(ended.count) sessions ended") }
            if let audit, !ended.isEmpty { try AuditTrail.revoked(ended, audit.path) }
        }
    }

    /// Copies the store.
    struct Backup: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy the sqlite store into a new file, while the gateway runs.",
            discussion: """
                The copy holds the sessions of one moment, and the secrets that the store keeps: guard it like the \
                original. To restore it, stop the gateway, move it to the place of sessions.file, and remove the files \
                that end with -wal and -shm beside it. Sessions that ended since the copy was made are alive again \
                then: revoke them, or --all.
                """
        )

        @OptionGroup var store: StoreOptions
        @Argument(help: "The new file; it must not be there.")
        var file: String

        func run() throws {
            let path = file
            try store.withStore { store in
                guard let sqlite = store as? SQLiteStore else {
                    throw CommandFailure("the servers of the redis store make their own backups")
                }
                do {
                    try await sqlite.backup(to: path)
                } catch {
                    throw CommandFailure("\(error)")
                }
            }
            print(file)
        }
    }
}
