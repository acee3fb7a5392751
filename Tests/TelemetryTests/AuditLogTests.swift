// COLD. The audit log: its chain, what verification finds, and how it goes on after crashes and rotations.
import Foundation
import Testing

@testable import Telemetry

@Suite("Audit log")
struct AuditLogTests {
    let directory = FileManager.default.temporaryDirectory.appending(path: "audit-\(UUID().uuidString)")
    var path: String { directory.appending(path: "audit.log").path }

    init() throws { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) }

    private func remove() { try? FileManager.default.removeItem(at: directory) }

    private func entry(_ number: Int) -> AuditEntry {
        var entry = AuditEntry("login", time: 1_795_456_339_042 + Int64(number))
        (entry.account, entry.session, entry.method) = ("user-\(number)", "handle", "pwd+otp")
        (entry.address, entry.request) = ("192.0.2.7", "0123")
        return entry
    }

    /// A log of `count` lines.
    @discardableResult
    private func write(_ count: Int, from first: Int = 0) async throws -> [String] {
        let log = try AuditLog(path: path)
        for number in first..<(first + count) { try await log.append(entry(number)) }
        #expect(log.close())
        return try lines()
    }

    private func lines() throws -> [String] {
        let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    private func put(_ lines: [String], end: String = "\n") throws {
        try Data((lines.joined(separator: "\n") + end).utf8).write(to: URL(filePath: path))
    }

    private func verify(anchor: String = "") -> AuditVerification { .of([path], anchor: anchor) }

    @Test("a line is JSON with what happened, its number and its hashes; the file is its owner's alone")
    func form() async throws {
        defer { remove() }
        let line = try #require(try await write(1).first)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["seq"] as? Int == 1)
        #expect(object["time"] as? String == "2026-11-23T17:52:19.042Z")
        #expect(object["event"] as? String == "login")
        #expect(object["account"] as? String == "user-0")
        #expect(object["method"] as? String == "pwd+otp")
        #expect(object["prev"] as? String == String(repeating: "0", count: 64))
        #expect((object["hash"] as? String)?.count == 64)
        #expect(object["reason"] == nil)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("the chain goes on in the same file after a restart")
    func restart() async throws {
        defer { remove() }
        try await write(3)
        try await write(2, from: 3)
        let result = verify()
        #expect(result.fault == nil)
        #expect(result.lines == 5)
        #expect(result.last == 5)
        #expect(result.recovered.isEmpty)
    }

    @Test("hostile values neither end the line nor pass for the chain's own members")
    func hostile() async throws {
        defer { remove() }
        let log = try AuditLog(path: path)
        var entry = AuditEntry("failure", time: 0)
        entry.account = "a\"}\n{\"seq\":9,\"prev\":\"\u{0}\u{202e}"
        entry.reason = String(repeating: "é", count: 5000)
        entry.address = "\"event\":\"recovered\",\"torn\":\"" + String(repeating: "0", count: 64)
        try await log.append(entry)
        try await log.append(AuditEntry("login", time: 0))
        log.close()
        #expect(try lines().count == 2)
        #expect(verify().fault == nil)
        #expect(try lines()[0].utf8.count < 4096)
    }

    @Test("a changed line is found and named", arguments: [0, 4, 9])
    func changed(index: Int) async throws {
        defer { remove() }
        var lines = try await write(10)
        lines[index] = lines[index].replacingOccurrences(of: "user-\(index)", with: "user-x")
        try put(lines)
        #expect(verify().fault?.line == index + 1)
    }

    @Test("every single changed byte of a line is found")
    func everyByte() async throws {
        defer { remove() }
        let lines = try await write(3)
        let middle = Array(lines[1].utf8)
        for index in middle.indices {
            var other = middle
            other[index] ^= 1
            try put([lines[0], String(decoding: other, as: UTF8.self), lines[2]])
            #expect(verify().fault != nil, "byte \(index)")
        }
    }

    @Test("a line that was removed, moved, repeated or replaced is found")
    func order() async throws {
        defer { remove() }
        let lines = try await write(6)
        try put(Array(lines[..<2] + lines[3...]))
        #expect(verify().fault == .init(file: path, line: 3, problem: "line number 3 is missing before it"))
        try put([lines[0], lines[2], lines[1], lines[3]])
        #expect(verify().fault?.line == 2)
        try put([lines[0], lines[1], lines[1], lines[2]])
        #expect(verify().fault?.line == 3)
        // A line of another chain, itself in order.
        try FileManager.default.removeItem(atPath: path)
        let others = try await write(6, from: 50)
        try put([lines[0], others[1], lines[2]])
        #expect(verify().fault?.line == 2)
    }

    @Test("a file cut off in the middle of a line, and one without its end, are found")
    func truncated() async throws {
        defer { remove() }
        let lines = try await write(4)
        try put(Array(lines[..<2]) + [String(lines[2].prefix(70))], end: "")
        #expect(verify().fault?.line == 3)
        let last = verify().lastDigest
        try put(Array(lines[..<2]))
        // Whole lines that are gone from the end: only a digest kept elsewhere tells.
        #expect(verify().fault == nil)
        #expect(verify(anchor: last).fault == nil)
        let whole = AuditChain.digest(Array(lines[3].utf8))
        #expect(verify(anchor: whole).fault?.problem.contains("no line has the digest") == true)
    }

    @Test("a line that a crash broke stays, is noted by the next one, and the chain goes on", arguments: [1, 30, 200])
    func torn(kept: Int) async throws {
        defer { remove() }
        let lines = try await write(3)
        try put(Array(lines[..<2]) + [String(lines[2].prefix(kept))], end: "")
        let after = try await write(2, from: 10)
        #expect(after[3].contains("\"event\":\"recovered\""))
        let result = verify()
        #expect(result.fault == nil)
        #expect(result.lines == 5)
        #expect(result.recovered == ["\(path):3"])
        // The note cannot be used for another line.
        var forged = after
        forged[2] = String(forged[2].dropLast())
        try put(forged)
        #expect(verify().fault?.line == 3)
    }

    @Test("whole lines that were changed are no crash: the next line says so", arguments: [0, 1])
    func tampered(cut: Int) async throws {
        defer { remove() }
        let log = try AuditLog(path: path)
        for number in 0..<3 { try await log.append(entry(number)) }
        let before = try lines()
        // In place, as whoever has it open would.
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        let changed = before.dropLast(cut).dropLast() + [before[2 - cut].replacing("user-", with: "eve--")]
        let content = Data((changed.joined(separator: "\n") + "\n").utf8)
        try handle.write(contentsOf: content)
        try handle.truncate(atOffset: UInt64(content.count))
        try handle.close()
        try await log.append(entry(3))
        #expect(log.close())
        #expect(try lines()[3 - cut].contains("\"event\":\"tampered\""))
        #expect(verify().fault?.line == 3 - cut)
        // The next run goes on behind it.
        try await write(1, from: 4)
        #expect(verify().fault?.line == 3 - cut)
    }

    @Test("a line that says so is a fault, even where all lines are in order")
    func alarm() async throws {
        defer { remove() }
        let log = try AuditLog(path: path)
        try await log.append(entry(0))
        try await log.append(AuditEntry("tampered", time: 1_795_456_339_042))
        var forged = entry(1)
        forged.account = "x\",\"event\":\"tampered\","
        try await log.append(forged)
        #expect(log.close())
        #expect(verify().fault?.line == 2)
        try put([try lines()[0]])
        try await write(1, from: 5)
        #expect(verify().fault == nil)
    }

    @Test("a log whose last line was changed between two runs goes on, and is found")
    func tamperedBetween() async throws {
        defer { remove() }
        var before = try await write(3)
        before[2] = before[2].replacing("user-", with: "eve--")
        try put(before)
        let after = try await write(1, from: 3)
        #expect(after[3].contains("\"event\":\"tampered\""))
        #expect(verify().fault?.line == 3)
    }

    @Test("a file that has no name any more is not written: a new one is made")
    func unlinked() async throws {
        defer { remove() }
        let log = try AuditLog(path: path)
        try await log.append(entry(0))
        try FileManager.default.removeItem(atPath: path)
        try await log.append(entry(1))
        #expect(log.close())
        #expect(try lines().count == 2)
        #expect(verify().fault == nil)
    }

    @Test("an emptied file goes on with the chain")
    func emptied() async throws {
        defer { remove() }
        let log = try AuditLog(path: path)
        for number in 0..<4 { try await log.append(entry(number)) }
        let copy = path + ".1"
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.truncate(atOffset: 0)
        try handle.close()
        for number in 4..<7 { try await log.append(entry(number)) }
        #expect(log.close())
        #expect(AuditVerification.of([copy, path]).fault == nil)
    }

    @Test("a log that holds nothing but a broken line begins anew behind it")
    func tornFirst() async throws {
        defer { remove() }
        try put(["{\"seq\":1,\"ti"], end: "")
        try await write(1)
        #expect(verify().fault == nil)
        #expect(verify().lines == 2)
    }

    @Test("a file that is no audit log is refused, and left as it is")
    func foreign() async throws {
        defer { remove() }
        try put(["something", "else", "entirely"])
        #expect(throws: AuditFileError.self) { try AuditLog(path: path) }
        #expect(try lines() == ["something", "else", "entirely"])
    }

    @Test("two writers of the same file make one chain, through a rotation as well")
    func shared() async throws {
        defer { remove() }
        let both = [try AuditLog(path: path), try AuditLog(path: path)]
        for number in 0..<20 { try await both[number % 2].append(entry(number)) }
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        // The one that is not told goes on in the old file until there is a new one.
        try await both[1].append(entry(20))
        both[0].reopen()
        for number in 21..<30 { try await both[number % 2].append(entry(number)) }
        for log in both { #expect(log.close()) }
        let result = AuditVerification.of([path + ".1", path])
        #expect(result.fault == nil)
        let text = try [path + ".1", path].map { try String(contentsOfFile: $0, encoding: .utf8) }.joined()
        for number in 0..<30 { #expect(text.contains("\"user-\(number)\"")) }
    }

    @Test("two writers at the same time make one chain")
    func sharedAtOnce() async throws {
        defer { remove() }
        let both = [try AuditLog(path: path), try AuditLog(path: path)]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<400 { group.addTask { try await both[number % 2].append(entry(number)) } }
            try await group.waitForAll()
        }
        for log in both { #expect(log.close()) }
        #expect(verify().fault == nil)
        #expect(verify().lines == 400)
    }

    @Test("after a rotation the chain goes on in the new file, a restart included")
    func rotation() async throws {
        defer { remove() }
        let log = try AuditLog(path: path)
        for number in 0..<3 { try await log.append(entry(number)) }
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        log.reopen()
        try await log.append(entry(3))
        log.close()
        try await write(1, from: 4)
        #expect(try lines()[0].contains("\"event\":\"continued\""))
        let result = AuditVerification.of([path + ".1", path])
        #expect(result.fault == nil)
        #expect(result.lines == 6)
        #expect(verify().first == 4)
        #expect(AuditVerification.of([path, path + ".1"]).fault?.file == path + ".1")
    }

    @Test("lines of many tasks at once are all there, in one chain")
    func concurrent() async throws {
        defer { remove() }
        let log = try AuditLog(path: path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<500 { group.addTask { try await log.append(entry(number)) } }
            try await group.waitForAll()
        }
        #expect(log.writtenLines == 500)
        log.close()
        #expect(verify().fault == nil)
        #expect(verify().lines == 500)
    }

    @Test("a line that cannot be written is an error, and a closed log takes none")
    func failing() async throws {
        defer { remove() }
        let log = try AuditLog(path: "/dev/full")
        await #expect(throws: AuditLogError.failed) { try await log.append(entry(0)) }
        #expect(log.lostLines == 1)
        log.close()
        await #expect(throws: AuditLogError.closed) { try await log.append(entry(0)) }
    }
}

extension AuditChain {
    fileprivate static func digest(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBufferPointer { String(decoding: digest($0, closing: false), as: UTF8.self) }
    }
}
