// COLD. What goes into a log line: escaped values and timestamps.
import Bytes
import Foundation
import Testing

@testable import Telemetry

private func escaped(_ bytes: [UInt8], cap: Int = 1000) -> String {
    let out = OutputBuffer(capacity: 64)
    bytes.withUnsafeBufferPointer { JSONText.append($0, cap: cap, to: out) }
    return String(decoding: out.bytes, as: UTF8.self)
}

@Suite("JSON text")
struct JSONTextTests {
    @Test("any byte in any place gives one line of valid JSON")
    func anyByte() throws {
        for byte in UInt8.min...UInt8.max {
            for place in [0, 3, 15, 16, 17, 31] {
                var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 32)
                bytes[place] = byte
                let text = escaped(bytes)
                #expect(text.utf8.allSatisfy { $0 >= 0x20 })
                let value = try JSONDecoder().decode([String].self, from: Data("[\"\(text)\"]".utf8))
                #expect(value == [String(decoding: bytes, as: UTF8.self)])
            }
        }
    }

    @Test("a byte that needs escaping is found in every place of every length", arguments: 1...40)
    func everyPlace(length: Int) {
        let plain = [UInt8](repeating: UInt8(ascii: "~"), count: length)
        let place = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
        defer { place.deallocate() }
        for index in 0..<length {
            for (byte, isPlain) in [
                (0x00, false), (0x1f, false), (0x20, true), (0x21, true), (0x22, false), (0x23, true), (0x5b, true),
                (0x5c, false), (0x5d, true), (0x7e, true), (0x7f, false), (0x80, false), (0xa2, false), (0xff, false),
            ] as [(UInt8, Bool)] {
                var bytes = plain
                bytes[index] = byte
                let found = bytes.withUnsafeBufferPointer { text in
                    text.baseAddress.map { JSONText.copyPlain($0, length, to: place) }
                }
                #expect(found == isPlain)
                if isPlain { #expect(Array(UnsafeBufferPointer(start: place, count: length)) == bytes) }
            }
        }
    }

    @Test("UTF-8 is kept, invalid or overlong UTF-8 is replaced")
    func utf8() {
        #expect(escaped(Array("Zoë 東京 🎉".utf8)) == "Zoë 東京 🎉")
        #expect(escaped([0xc0, 0xaf]) == "\\ufffd\\ufffd")
        #expect(escaped([0xed, 0xa0, 0x80]) == "\\ufffd\\ufffd\\ufffd")
        #expect(escaped([0xf4, 0x90, 0x80, 0x80]) == "\\ufffd\\ufffd\\ufffd\\ufffd")
        #expect(escaped([0xe2, 0x82]) == "\\ufffd\\ufffd")
    }

    @Test("A45: what could forge a line or steer a terminal is escaped")
    func hostile() {
        #expect(escaped(Array("a\r\n{\"time\":".utf8)) == #"a\r\n{\"time\":"#)
        #expect(escaped(Array("\u{1b}[2J\u{7f}\u{9b}x".utf8)) == #"\u001b[2J\u007f\u009bx"#)
        #expect(escaped(Array("\u{202e}\u{2028}\u{2066}".utf8)) == #"\u202e\u2028\u2066"#)
    }

    @Test("long values are cut between characters and marked")
    func cap() {
        #expect(escaped(Array("abcdef".utf8), cap: 6) == "abcdef")
        #expect(escaped(Array("abcdefg".utf8), cap: 6) == "abcdef…")
        #expect(escaped(Array("aaé".utf8) + [0x61], cap: 3) == "aa…")
        #expect(escaped(Array("a🎉b".utf8), cap: 4) == "a…")
    }
}

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "it is what Foundation says",
        arguments: [0, 951_782_399_000, 951_782_400_000, 1_795_456_339_000, 4_107_542_399_000]
    )
    func agrees(milliseconds: Int64) {
        let out = OutputBuffer(capacity: 64)
        var timestamp = Timestamp()
        defer { timestamp.deallocate() }
        timestamp.append(unixMilliseconds: 0, to: out)
        out.removeAll()
        timestamp.append(unixMilliseconds: milliseconds, to: out)
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        #expect(String(decoding: out.bytes, as: UTF8.self) == date.formatted(style))
    }

    @Test("the milliseconds change while the second stays")
    func cached() {
        let out = OutputBuffer(capacity: 64)
        var timestamp = Timestamp()
        defer { timestamp.deallocate() }
        timestamp.append(unixMilliseconds: 1_795_456_339_042, to: out)
        timestamp.append(unixMilliseconds: 1_795_456_339_999, to: out)
        #expect(String(decoding: out.bytes, as: UTF8.self) == "2026-11-23T17:52:19.042Z2026-11-23T17:52:19.999Z")
    }
}
