// COLD. Records to test with, and stores to run the contract on.
import Bytes
import Foundation
import Sessions
import Testing

/// A record of `account` with a new id; it lasts.
func record(
    _ account: String = "ada",
    created: Int64 = 1_800_000_000,
    idle: Int64 = 1800,
    lifetime: Int64 = 28_800,
    family: String? = nil,
    address: String = "192.0.2.7"
) -> SessionRecord {
    SessionRecord(
        key: SessionID.make().key,
        family: family ?? SecureRandom.text(16),
        account: account,
        method: "pwd",
        strength: 1,
        claims: Array(#"{"email":"\#(account)@example.com","name":"Zoë"}"#.utf8),
        accountVersion: 0xfedc_ba98_7654_3210,
        created: created,
        authenticated: created,
        lastSeen: created,
        idle: idle,
        expires: created + lifetime,
        address: address,
        device: "Firefox on Linux",
        site: "app.example.com",
        csrf: SecureRandom.text(32)
    )
}

/// A folder that is gone after the test.
final class Folder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "sessions-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String = "sessions.db") -> String { path + "/" + name }
}

/// What a watcher was told.
final class Heard: Sendable {
    private let events = Locked<[StoreEvent]>([])

    func add(_ event: StoreEvent) { events.withLock { $0.append(event) } }

    /// Waits until `isIt` holds for all that was heard.
    func wait(seconds: Double = 30, _ isIt: ([StoreEvent]) -> Bool) async -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if isIt(events.withLock { $0 }) { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return isIt(events.withLock { $0 })
    }

    /// Waits until this session was said to have ended (or everything may have).
    func ended(_ key: SessionKey, seconds: Double = 30) async -> Bool {
        await wait(seconds: seconds) {
            $0.contains {
                if case .ended(let keys) = $0 { keys.contains(key) } else { $0 == .missed }
            }
        }
    }

    func refreshed(_ key: SessionKey) async -> Bool {
        await wait {
            $0.contains {
                if case .refreshed(let keys) = $0 { keys.contains(key) } else { $0 == .missed }
            }
        }
    }
}
