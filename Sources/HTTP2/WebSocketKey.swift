// HOT. The key of a WebSocket handshake (RFC 6455 §4), which HTTP/2 does not have and HTTP/1 wants.
import Bytes

/// Makes keys and the answers to them.
///
/// SHA-1 is what the protocol asks for; nothing secret depends on it.
public enum WebSocketKey {
    private static let letters: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    /// Appends a new key: 16 random bytes in Base64.
    static func append(to out: OutputBuffer, _ high: UInt64, _ low: UInt64) {
        let bytes = (0..<16).map { i in UInt8(truncatingIfNeeded: (i < 8 ? high : low) >> UInt64((i & 7) * 8)) }
        out.append(base64(bytes))
    }

    /// The value of `Sec-WebSocket-Accept` for a key.
    public static func accept(for key: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        base64(sha1(Array(key) + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }

    /// Whether the bytes are a key: Base64 of 16 bytes (RFC 6455 §4.1).
    public static func isKey(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        guard key.count == 24, key[22] == 0x3d, key[23] == 0x3d else { return false }
        return key[..<22].allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2f: true
            default: false
            }
        }
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var i = 0
        while i < bytes.count {
            let left = min(3, bytes.count - i)
            let b = left > 1 ? bytes[i + 1] : 0
            let c = left > 2 ? bytes[i + 2] : 0
            let word = UInt32(bytes[i]) << 16 | UInt32(b) << 8 | UInt32(c)
            for place in 0..<4 {
                let index = Int(word >> UInt32(18 - place * 6) & 63)
                out.append(place <= left ? letters.utf8Start[index] : 0x3d)
            }
            i += 3
        }
        return out
    }

    private static func sha1(_ message: [UInt8]) -> [UInt8] {
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        for i in 0..<8 { padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(56 - i * 8))) }
        var h: (UInt32, UInt32, UInt32, UInt32, UInt32) =
            (0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0)
        var w = [UInt32](repeating: 0, count: 80)
        for block in stride(from: 0, to: padded.count, by: 64) {
            for i in 0..<16 {
                let at = block + i * 4
                w[i] =
                    UInt32(padded[at]) << 24 | UInt32(padded[at + 1]) << 16 | UInt32(padded[at + 2]) << 8
                    | UInt32(padded[at + 3])
            }
            for i in 16..<80 { w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1) }
            var (a, b, c, d, e) = h
            for i in 0..<80 {
                let (f, k): (UInt32, UInt32) =
                    switch i {
                    case 0..<20: (b & c | ~b & d, 0x5a82_7999)
                    case 20..<40: (b ^ c ^ d, 0x6ed9_eba1)
                    case 40..<60: (b & c | b & d | c & d, 0x8f1b_bcdc)
                    default: (b ^ c ^ d, 0xca62_c1d6)
                    }
                let next = rotate(a, 5) &+ f &+ e &+ k &+ w[i]
                (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
            }
            h = (h.0 &+ a, h.1 &+ b, h.2 &+ c, h.3 &+ d, h.4 &+ e)
        }
        return [h.0, h.1, h.2, h.3, h.4].flatMap { word in
            (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - $0 * 8)) }
        }
    }

    private static func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x << n | x >> (32 - n) }
}
