// COLD. The process log's writer: nobody waits for a reader, and what was lost is said.
import Foundation
import Glibc
import Testing

@testable import Telemetry

@Suite struct LogWriterTests {
    private func confession(_ count: Int) -> [UInt8] { Array("lost \(count)\n".utf8) }

    private func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test func everythingIsWrittenBeforeItStops() throws {
        let (read, write) = try pipe()
        let writer = try LogWriter(descriptor: write, limit: 1 << 20, confession: confession)
        for number in 0..<100 { writer.submit(Array("line \(number)\n".utf8)) }
        writer.stop(within: 5000)
        close(write)
        let text = String(
            decoding: FileHandle(fileDescriptor: read, closeOnDealloc: true).readDataToEndOfFile(),
            as: UTF8.self
        )
        #expect(text == (0..<100).map { "line \($0)\n" }.joined())
        #expect(writer.lost == 0)
        // What comes too late is lost, and nobody waits for it.
        writer.submit([0x0a])
        #expect(writer.lost == 1)
    }

    @Test func whatFindsNoRoomIsLostAndSaid() throws {
        let (read, write) = try pipe()
        let writer = try LogWriter(descriptor: write, limit: 4096, confession: confession)
        let line = Array(String(repeating: "x", count: 999).utf8) + [0x0a]
        // Far more than the pipe and the queue hold.
        for _ in 0..<500 { writer.submit(line) }
        #expect(writer.lost > 0)
        // It stands still: nobody waits for its end either.
        writer.stop(within: 10)
        let reader = FileHandle(fileDescriptor: read, closeOnDealloc: true)
        var text = ""
        var said: UInt64 {
            let lines = text.split(separator: "\n").filter { $0.hasPrefix("lost ") }
            return lines.reduce(0) { $0 + (UInt64($1.dropFirst(5)) ?? 0) }
        }
        while said < writer.lost || !text.hasSuffix("\n"), case let more = reader.availableData, !more.isEmpty {
            text += String(decoding: more, as: UTF8.self)
        }
        #expect(said == writer.lost)
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("x") }.count == 500 - Int(writer.lost))
        close(write)
    }
}
