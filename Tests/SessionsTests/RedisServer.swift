// COLD. Real redis-server processes for tests: started, killed, started again; each in a folder of its own.
import Foundation
import Glibc

@testable import Sessions

/// A redis-server, or a Sentinel, of its own.
final class RedisServer: @unchecked Sendable {
    // Exception: @unchecked because a test uses its server from one task, and shared ones are not changed.
    let folder: URL
    let port: UInt16
    private let arguments: [String]
    private let isSentinel: Bool
    private let leash = Program.Leash()
    private var process: pid_t = 0

    /// Path of the unix socket.
    var socket: String { folder.appendingPathComponent("s").path }
    var endpoint: RedisEndpoint {
        port == 0 ? RedisEndpoint(path: socket) : RedisEndpoint(host: "127.0.0.1", port: port)
    }

    /// Starts one on a unix socket, and on a free port as well when `port` is not 0.
    init(_ arguments: [String] = [], port: UInt16 = 0, sentinel: String? = nil, tls: Bool = false) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "pc-redis-\(UUID().uuidString.prefix(8))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.port = port
        isSentinel = sentinel != nil
        if let sentinel {
            let file = folder.appendingPathComponent("sentinel.conf")
            try "\(sentinel)\n".write(to: file, atomically: true, encoding: .utf8)
        }
        let ports =
            tls ? ["--port", "0", "--tls-port", "\(port)"] : ["--port", "\(port)", "--bind", "127.0.0.1"]
        // Redis takes the words of a directive one by one.
        let words = arguments.flatMap { $0.split(separator: " ").map(String.init) }
        self.arguments = ports + ["--save", "", "--dir", folder.path, "--unixsocket", folder.path + "/s"] + words
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    func start() throws {
        let words =
            isSentinel
            ? [folder.path + "/sentinel.conf", "--sentinel", "--port", "\(port)", "--dir", folder.path]
            : arguments
        // Whatever happens to the tests, the pipe closes with them, and the server goes.
        let script = "p=$$; exec 3<&0; (cat <&3 >/dev/null; kill -9 $p) & exec redis-server \"$@\" </dev/null 3<&-"
        process = try Program.start(["/bin/sh", "-c", script, "sh"] + words, input: leash.read)
    }

    /// kill -9, and waits for the end.
    func kill() {
        guard process > 0 else { return }
        Glibc.kill(process, SIGKILL)
        Program.wait(process)
        process = 0
    }

    func send(_ signal: Int32) {
        if process > 0 { Glibc.kill(process, signal) }
    }

    /// Kilobytes of memory that the process has.
    var residentKilobytes: Int {
        guard
            let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS") })
        else { return 0 }
        return Int(line.filter(\.isNumber)) ?? 0
    }

    /// A command by redis-cli; what it printed.
    @discardableResult
    func cli(_ arguments: String...) throws -> String { try tool("redis-cli", address + arguments) }

    private var address: [String] { isSentinel || port != 0 ? ["-p", "\(port)"] : ["-s", socket] }

    /// What a short program printed.
    @discardableResult
    private func tool(_ name: String, _ arguments: [String]) throws -> String {
        try Program.run(["/usr/bin/\(name)"] + arguments, output: folder.appendingPathComponent(UUID().uuidString))
    }

    /// What redis-cli printed that takes its time: no thread of the tests waits for it.
    @discardableResult
    func cluster(_ arguments: [String]) async throws -> String {
        let output = folder.appendingPathComponent(UUID().uuidString)
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let result = Result {
                    try Program.run(["/usr/bin/redis-cli", "--cluster"] + arguments, output: output)
                }
                continuation.resume(with: result)
            }
        }
    }
}

/// Events of a store, to be waited for.
actor RedisEventLog {
    private(set) var events: [StoreEvent] = []

    func append(_ event: StoreEvent) { events.append(event) }

    func clear() { events = [] }

    /// Waits until an event is there; false when none came.
    func has(within seconds: Double = 30, _ test: @Sendable (StoreEvent) -> Bool) async -> Bool {
        await eventually(within: seconds) { await self.events.contains(where: test) }
    }

    static func watch(_ store: RedisStore) -> RedisEventLog {
        let log = RedisEventLog()
        store.watch { event in Task { await log.append(event) } }
        return log
    }
}

/// Asks until the answer is yes; false when it never was.
func eventually(within seconds: Double = 30, _ test: @Sendable () async -> Bool) async -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if await test() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return false
}

/// A live session.
func redisRecord(
    _ account: String = "ann",
    created: Int64 = Int64(time(nil)),
    idle: Int64 = 1800,
    lifetime: Int64 = 28_800
) -> SessionRecord {
    SessionRecord(
        key: SessionID.make().key,
        family: SecureRandom.text(16),
        account: account,
        method: "pwd",
        strength: 1,
        claims: Array(#"{"sub":"\#(account)","email":"\#(account)@example.com","roles":["staff"]}"#.utf8),
        accountVersion: 7,
        created: created,
        authenticated: created,
        lastSeen: created,
        idle: idle,
        expires: created + lifetime,
        address: "192.0.2.7",
        device: "Firefox on Linux",
        site: "app.example.com",
        csrf: SecureRandom.text(32)
    )
}

extension RedisServer {
    /// A store on this server, once it can be used.
    func store(_ change: (inout RedisPlan) -> Void = { _ in }) async throws -> RedisStore {
        var plan = RedisPlan(servers: [endpoint])
        change(&plan)
        let store = try RedisStore(plan)
        guard await eventually(within: 30, { store.isAvailable && store.isFollowing }) else {
            throw StoreOpening("never available: \(store.problem)")
        }
        return store
    }
}
