// COLD. Figures of the Redis store, printed: look-ups, latencies, a million sessions. Runs only when asked for.
import Foundation
import Testing

@testable import Sessions

@Suite("redis load", .enabled(if: ProcessInfo.processInfo.environment["PORTCULLIS_REDIS_LOAD"] != nil))
struct RedisLoadTests {
    /// Looks sessions up from many tasks; look-ups a second, and the latencies of the 50th, 99th and 99.9th of a hundred.
    private static func measure(_ store: RedisStore, _ keys: [SessionKey], tasks: Int, each: Int) async throws -> String
    {
        let began = ContinuousClock.now
        let times = try await withThrowingTaskGroup(of: [Duration].self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    var times: [Duration] = []
                    for _ in 0..<each {
                        let start = ContinuousClock.now
                        let found = try await store.find(keys[Int.random(in: 0..<keys.count)])
                        times.append(ContinuousClock.now - start)
                        if found == nil { throw StoreError.corrupt }
                    }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let took = ContinuousClock.now - began
        let sorted = times.sorted()
        func at(_ part: Double) -> Int64 {
            sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))].components.attoseconds / 1_000_000_000_000
        }
        let rate = Double(times.count) / (took / .seconds(1))
        return "\(tasks) tasks: \(Int(rate)) look-ups/s, p50 \(at(0.5)) p99 \(at(0.99)) p99.9 \(at(0.999)) µs"
    }

    @Test("figures")
    func figures() async throws {
        let count = Int(ProcessInfo.processInfo.environment["PORTCULLIS_REDIS_LOAD"] ?? "") ?? 10_000
        let server = try RedisServer()
        let store = try await server.store { $0.maximum = 10_000_000 }
        let began = ContinuousClock.now
        let now = Int64(time(nil))
        let keys = try await withThrowingTaskGroup(of: [SessionKey].self) { group in
            for task in 0..<64 {
                group.addTask {
                    var keys: [SessionKey] = []
                    for index in 0..<(count / 64) {
                        let one = redisRecord("user\(task)-\(index / 2)", created: now - Int64(index % 1000))
                        try await store.create(one, replacing: nil)
                        keys.append(one.key)
                    }
                    return keys
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        let took = ContinuousClock.now - began
        print("\(keys.count) sessions: \(Int(Double(keys.count) / (took / .seconds(1)))) creations/s;", terminator: " ")
        print("server holds \(server.residentKilobytes / 1024) MiB")
        for tasks in [1, 8, 64, 512] {
            print(try await Self.measure(store, keys, tasks: tasks, each: 100_000 / tasks))
        }
        func timed(_ what: String, _ body: () async throws -> Int) async throws {
            let start = ContinuousClock.now
            let result = try await body()
            print("\(what): \(result) in \(ContinuousClock.now - start)")
        }
        try await timed("10000 cold sessions, 256 at a time") {
            try await withThrowingTaskGroup(of: Int.self) { group in
                for part in 0..<256 {
                    group.addTask {
                        var found = 0
                        for index in stride(from: part, to: min(10_000, keys.count), by: 256) {
                            if try await store.find(keys[index]) != nil { found += 1 }
                        }
                        return found
                    }
                }
                return try await group.reduce(0, +)
            }
        }
        try await timed("list of an account") {
            try await store.list(SessionFilter(account: "user3-7"), after: nil, limit: 100).count
        }
        try await timed("page of all") { try await store.list(SessionFilter(), after: keys[0], limit: 100).count }
        try await timed("count") { try await store.count() }
        let touched = keys.prefix(10_000).map { ($0, now + 60) }
        try await timed("touch of 10000") {
            try await store.touch(touched)
            return touched.count
        }
        try await timed("sweep of nothing") { try await store.sweep(now: now, limit: 1000).count }
        try await timed("sweep of 1000") { try await store.sweep(now: now + 1800 + 300 - 900, limit: 1000).count }
        try await timed("end of an account") {
            try await store.end(where: SessionFilter(account: "user5-9"), except: nil, .revoked).count
        }
        let other = try await server.store()
        let log = RedisEventLog.watch(other)
        var waits: [Duration] = []
        for index in 0..<200 {
            let key = keys[keys.count - 1 - index]
            let start = ContinuousClock.now
            _ = try await store.end(key, .logout)
            while await !log.events.contains(.ended([key])) { await Task.yield() }
            waits.append(ContinuousClock.now - start)
            await log.clear()
        }
        waits.sort()
        print("end to event elsewhere: p50 \(waits[100]), worst \(waits[199])")
        await store.close()
        await other.close()
    }
}
