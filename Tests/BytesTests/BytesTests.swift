import Testing

@testable import Bytes

@Suite("Bytes")
struct BytesTests {
    @Test(
        "sixteen hexadecimal digits stand in order, with leading zeros",
        arguments: [0, 1, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, UInt64.max, 0x0000_9a00_00f0_0a09]
    )
    func sixteenDigits(value: UInt64) {
        let out = OutputBuffer(capacity: 8)
        out.append(byte: 0x78)
        out.append(hex: value, digits: 16)
        let digits = String(value, radix: 16)
        #expect(Array(out.bytes) == Array(("x" + String(repeating: "0", count: 16 - digits.count) + digits).utf8))
    }

    @Test("numbers are appended in decimal and hexadecimal", arguments: [0, 7, 10, 99, 100, 65535, UInt64.max])
    func numbers(value: UInt64) {
        let out = OutputBuffer(capacity: 8)
        out.append(decimal: value)
        out.append(byte: 0x20)
        out.append(hex: value)
        #expect(String(decoding: out.bytes, as: UTF8.self) == "\(value) \(String(value, radix: 16))")
    }

    @Test("a buffer keeps its unread bytes when it grows")
    func growth() {
        let out = OutputBuffer(capacity: 64)
        var expected: [UInt8] = []
        for round in 0..<200 {
            let chunk = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: round % 37)
            out.append(chunk)
            expected += chunk
            let drop = min(expected.count, round % 11)
            out.consume(drop)
            expected.removeFirst(drop)
            #expect(Array(out.bytes) == expected)
        }
    }

    @Test("the keyed hash sees every byte, the length and the tag")
    func hash() {
        let keyed = KeyedHash()
        for length in 1...70 {
            var bytes = [UInt8](repeating: 7, count: length)
            let before = keyed.hash(bytes, length)
            #expect(keyed.hash(bytes, length) == before)
            #expect(keyed.hash(bytes, length, tag: 1) != before)
            for i in 0..<length {
                bytes[i] ^= 1
                #expect(keyed.hash(bytes, length) != before)
                bytes[i] ^= 1
            }
        }
    }
}
