// COLD. The access log: its lines, what it does to hostile values, its queue and its rotation.
import Bytes
import Foundation
import Testing

@testable import Telemetry

/// Calls `body` with the bytes of `text`.
private func with<T>(_ text: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) throws -> T) rethrows -> T {
    try text.withUnsafeBufferPointer(body)
}

@Suite("Access log")
struct AccessLogTests {
    struct Line: Decodable, Equatable {
        var time, id, client, method, host, path, `protocol`: String
        var route: String?
        var status, bytes_in, bytes_out: Int
        var duration_ms: Double
        var upstream_ms: Double?
        var upstream, principal, issuer, auth, reason: String?
    }

    let directory = FileManager.default.temporaryDirectory.appending(path: "telemetry-\(UUID().uuidString)")
    let metrics = Metrics(workers: 1, reasons: [], protocolErrors: [])

    init() throws { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) }

    private func remove() { try? FileManager.default.removeItem(at: directory) }

    private func append(_ lane: AccessLane, path: [UInt8] = Array("/orders/1".utf8), now: Int64 = 0) {
        with(path) { path in
            with(Array("GET".utf8)) { method in
                var request = AccessRequest()
                request.path = path
                request.method = method
                var result = AccessResult()
                result.status = 200
                lane.append(request, result, unixMilliseconds: 1_795_456_339_042, now: now)
            }
        }
    }

    private func read(_ name: String) throws -> [Line] {
        let text = try String(contentsOf: directory.appending(path: name), encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test("a line in two halves has every field")
    func fields() throws {
        defer { remove() }
        let log = try AccessLog(path: directory.appending(path: "a.log").path, metrics: metrics)
        let lane = log.makeLane(metrics.worker(0))
        let half = OutputBuffer(capacity: 64)
        let texts = [
            "0123abcd", "192.0.2.7", "POST", "api.example.com", "/orders", "orders", "user-1", "main", "[::1]:9000",
        ]
        // Kept alive for both calls: the record only points at the bytes.
        let bytes = texts.map { text in
            let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
            _ = memory.initialize(from: text.utf8)
            return UnsafeBufferPointer(memory)
        }
        defer { bytes.forEach { $0.deallocate() } }
        var request = AccessRequest()
        (request.id, request.client, request.method) = (bytes[0], bytes[1], bytes[2])
        (request.host, request.path) = (bytes[3], bytes[4])
        AccessLine.appendRequest(request, to: half)
        var result = AccessResult()
        (result.route, result.principal, result.issuer, result.upstream) = (bytes[5], bytes[6], bytes[7], bytes[8])
        (result.status, result.bytesIn, result.bytesOut) = (201, 512, 1024)
        (result.microseconds, result.upstreamMicroseconds) = (12_345, 9_006)
        (result.auth, result.reason) = (.reportOnly, "token_expired")
        lane.append(requestPart: half.bytes, result, unixMilliseconds: 1_795_456_339_042, now: 0)
        lane.flush()
        #expect(log.close())
        #expect(
            try read("a.log") == [
                Line(
                    time: "2026-11-23T17:52:19.042Z",
                    id: "0123abcd",
                    client: "192.0.2.7",
                    method: "POST",
                    host: "api.example.com",
                    path: "/orders",
                    protocol: "HTTP/1.1",
                    route: "orders",
                    status: 201,
                    bytes_in: 512,
                    bytes_out: 1024,
                    duration_ms: 12.345,
                    upstream_ms: 9.006,
                    upstream: "[::1]:9000",
                    principal: "user-1",
                    issuer: "main",
                    auth: "report_only",
                    reason: "token_expired"
                )
            ]
        )
    }

    @Test("lines are handed over after a second, or when a batch is full")
    func batches() throws {
        defer { remove() }
        let log = try AccessLog(path: directory.appending(path: "b.log").path, metrics: metrics)
        let lane = log.makeLane(metrics.worker(0))
        append(lane, now: 10_000)
        lane.tick(now: 10_999)
        #expect(lane.isPending)
        lane.tick(now: 11_000)
        #expect(!lane.isPending)
        var count = 0
        repeat {
            append(lane, now: 11_000)
            count += 1
        } while lane.isPending && count < 1000
        #expect(count < 1000)
        #expect(log.close())
        #expect(try read("b.log").count == count + 1)
    }

    @Test("the longest line fits in a batch without growing it")
    func longest() throws {
        defer { remove() }
        let log = try AccessLog(path: directory.appending(path: "l.log").path, metrics: metrics)
        let lane = log.makeLane(metrics.worker(0))
        append(lane, path: [UInt8](repeating: 1, count: 100_000))
        lane.flush()
        #expect(log.close())
        let lines = try read("l.log")
        #expect(lines.first?.path == String(repeating: "\u{1}", count: AccessLine.pathCap) + "…")
        #expect(metrics.total(.accessLogDropped) == 0)
    }

    @Test("a full queue drops lines and counts them, and the worker goes on", .timeLimit(.minutes(1)))
    func full() throws {
        defer { remove() }
        // A pipe that nobody reads: the writer blocks, the worker does not.
        let fifo = directory.appending(path: "fifo").path
        #expect(mkfifo(fifo, 0o600) == 0)
        let reader = open(fifo, O_RDONLY | O_NONBLOCK)
        let log = try AccessLog(path: fifo, queueBytes: 64 << 10, metrics: metrics)
        let lane = log.makeLane(metrics.worker(0))
        let sent = 20_000
        for _ in 0..<sent { append(lane) }
        lane.flush()
        let dropped = Int(metrics.total(.accessLogDropped))
        #expect(dropped > 0)
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var isClosed = false
        while true {
            let count = Glibc.read(reader, &chunk, chunk.count)
            if count > 0 {
                text += chunk[0..<count]
            } else if isClosed {
                break
            } else {
                isClosed = log.close(within: 20)
            }
        }
        close(reader)
        #expect(text.count { $0 == 10 } == sent - dropped)
    }

    @Test("after a rotation, reopening writes to a new file", .timeLimit(.minutes(1)))
    func rotation() throws {
        defer { remove() }
        let path = directory.appending(path: "r.log")
        let log = try AccessLog(path: path.path, metrics: metrics)
        let lane = log.makeLane(metrics.worker(0))
        append(lane)
        lane.flush()
        while try read("r.log").isEmpty { usleep(1000) }
        try FileManager.default.moveItem(at: path, to: directory.appending(path: "r.log.1"))
        log.reopen()
        append(lane)
        append(lane)
        lane.flush()
        #expect(log.close())
        #expect(try read("r.log.1").count == 1)
        #expect(try read("r.log").count == 2)
    }

    @Test("a file that cannot be opened is an error")
    func missing() {
        defer { remove() }
        #expect(throws: (any Error).self) { try AccessLog(path: "/nonexistent/x/a.log", metrics: metrics) }
    }
}

@Suite("Process log")
struct LogTests {
    private func line(_ json: Bool) -> String {
        let values = [("path", "/a b\n"), ("count", "3"), ("empty", "")]
        let out = Log.line(.warning, "it's \"odd\"", values, unixMilliseconds: 1_795_456_339_042, json: json)
        return String(decoding: out.bytes, as: UTF8.self)
    }

    @Test("text lines quote what is not one word")
    func text() {
        #expect(
            line(false) == "2026-11-23T17:52:19.042Z warning it's \\\"odd\\\" path=\"/a b\\n\" count=3 empty=\"\"\n"
        )
    }

    @Test("JSON lines are JSON")
    func json() throws {
        let object = try JSONDecoder().decode([String: String].self, from: Data(line(true).utf8))
        #expect(object["message"] == "it's \"odd\"")
        #expect(object["path"] == "/a b\n")
        #expect(object["level"] == "warning")
    }
}
