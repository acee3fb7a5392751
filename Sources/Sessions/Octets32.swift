// COLD. 32 octets as four words, and their one base64url form of 43 characters.

/// 32 octets in four big-endian words.
enum Octets32 {
    typealias Words = (UInt64, UInt64, UInt64, UInt64)

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The words of 32 octets.
    static func words(_ bytes: some Sequence<UInt8>) -> Words {
        var words: Words = (0, 0, 0, 0)
        for byte in bytes { push(byte, 8, &words) }
        return words
    }

    /// The octets.
    static func bytes(_ words: Words) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for word in [words.0, words.1, words.2, words.3] {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return bytes
    }

    /// The 43 characters.
    static func encode(_ words: Words) -> String { encode(bytes(words)) }

    /// The base64url form of any octets, without padding.
    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 8 + 5) / 6)
        var held: UInt32 = 0
        var count = 0
        for byte in bytes {
            held = held << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(held >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(held << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The words of exactly 43 characters; nil for anything else, also when the two bits behind the last octet are not 0.
    static func decode(_ text: some Sequence<UInt8>) -> Words? {
        var words: Words = (0, 0, 0, 0)
        var count = 0
        for byte in text {
            guard count < 43, let value = value(of: byte) else { return nil }
            count += 1
            if count < 43 {
                push(value, 6, &words)
            } else {
                guard value & 3 == 0 else { return nil }
                push(value >> 2, 4, &words)
            }
        }
        return count == 43 ? words : nil
    }

    private static func push(_ value: UInt8, _ bits: UInt64, _ words: inout Words) {
        words.0 = words.0 << bits | words.1 >> (64 - bits)
        words.1 = words.1 << bits | words.2 >> (64 - bits)
        words.2 = words.2 << bits | words.3 >> (64 - bits)
        words.3 = words.3 << bits | UInt64(value)
    }

    private static func value(of byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
