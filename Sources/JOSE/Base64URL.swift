// HOT. Base64url as JOSE wants it (RFC 7515 §2, RFC 4648 §5): no padding, no other byte, one spelling per value.
public import Bytes

/// Strict base64url: no padding, no white space, no stray bits behind the last octet.
public enum Base64URL {
    /// Bytes that `count` characters decode to.
    @inline(__always)
    public static func decodedCount(_ count: Int) -> Int { (count &* 6) >> 3 }

    /// Characters that `count` bytes encode to.
    @inline(__always)
    public static func encodedCount(_ count: Int) -> Int { (count &* 8 &+ 5) / 6 }

    /// Four tables of 256 words: the six bits of a character at its place in a group of four; 2^24 and more marks a
    /// byte outside the alphabet.
    nonisolated(unsafe) private static let groups: UnsafePointer<UInt32> = {
        let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 1024)
        unsafe table.initialize(repeating: 0xff00_0000, count: 1024)
        for (value, character) in alphabet.enumerated() {
            let bits = UInt32(value)
            // The group's bytes in memory order, so that one little-endian store writes them.
            for place in 0..<4 {
                let group = bits << UInt32(18 - 6 * place)
                unsafe table[place * 256 + Int(character)] = group.byteSwapped >> 8
            }
        }
        return unsafe UnsafePointer(table)
    }()

    private static let alphabet = [UInt8](
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
    )

    nonisolated(unsafe) private static let characters: UnsafePointer<UInt8> = {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
        for (value, character) in alphabet.enumerated() { unsafe table[value] = character }
        return unsafe UnsafePointer(table)
    }()

    /// Decodes `count` characters and returns the number of bytes, or -1 when a rule is broken.
    ///
    /// `out` needs room for `decodedCount(count) + 4` bytes: whole words are stored.
    @unsafe
    public static func decode(_ input: UnsafePointer<UInt8>, _ count: Int, into out: UnsafeMutablePointer<UInt8>) -> Int
    {
        guard count & 3 != 1 else { return -1 }
        let t0 = unsafe groups
        let t1 = unsafe t0 + 256
        let t2 = unsafe t0 + 512
        let t3 = unsafe t0 + 768
        let raw = UnsafeMutableRawPointer(out)
        var bad: UInt32 = 0
        var i = 0
        var o = 0
        let whole = count & ~3
        while i < whole {
            let group =
                unsafe t0[Int(input[i])] | t1[Int(input[i &+ 1])] | t2[Int(input[i &+ 2])] | t3[Int(input[i &+ 3])]
            bad |= group
            unsafe raw.storeBytes(of: group.littleEndian, toByteOffset: o, as: UInt32.self)
            i &+= 4
            o &+= 3
        }
        if whole < count {
            var group = unsafe t0[Int(input[i])] | t1[Int(input[i &+ 1])]
            let three = count &- whole == 3
            if three { group |= unsafe t2[Int(input[i &+ 2])] }
            bad |= group
            // Bits behind the last octet must be zero: else several texts would mean the same bytes.
            bad |= group & (three ? 0x00ff_0000 : 0x00ff_ff00) == 0 ? 0 : 0xff00_0000
            unsafe raw.storeBytes(of: group.littleEndian, toByteOffset: o, as: UInt32.self)
            o &+= three ? 2 : 1
        }
        return bad & 0xff00_0000 == 0 ? o : -1
    }

    /// The decoded bytes, or nil (cold paths).
    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        let count = text.count
        let room = decodedCount(count) + 4
        var length = -1
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
            guard let out = buffer.baseAddress else { return }
            length = unsafe text.withUnsafeBufferPointer { input in
                guard let start = input.baseAddress else { return 0 }
                return unsafe decode(start, count, into: out)
            }
            initialized = max(0, length)
        }
        return length < 0 ? nil : bytes
    }

    /// The decoded bytes, or nil (cold paths).
    public static func decode(_ text: [UInt8]) -> [UInt8]? { decode(text.span) }

    /// Appends the base64url form of `count` bytes.
    @unsafe
    public static func encode(_ bytes: UnsafePointer<UInt8>, _ count: Int, into out: OutputBuffer) {
        let size = encodedCount(count)
        let place = unsafe out.reserve(size)
        let table = unsafe characters
        var i = 0
        var o = 0
        while count &- i >= 3 {
            let group = unsafe UInt32(bytes[i]) << 16 | UInt32(bytes[i &+ 1]) << 8 | UInt32(bytes[i &+ 2])
            unsafe place[o] = table[Int(group >> 18)]
            unsafe place[o &+ 1] = table[Int(group >> 12 & 63)]
            unsafe place[o &+ 2] = table[Int(group >> 6 & 63)]
            unsafe place[o &+ 3] = table[Int(group & 63)]
            i &+= 3
            o &+= 4
        }
        if i < count {
            let two = count &- i == 2
            let group = unsafe UInt32(bytes[i]) << 16 | (two ? UInt32(bytes[i &+ 1]) << 8 : 0)
            unsafe place[o] = table[Int(group >> 18)]
            unsafe place[o &+ 1] = table[Int(group >> 12 & 63)]
            if two { unsafe place[o &+ 2] = table[Int(group >> 6 & 63)] }
        }
        out.advance(size)
    }

    /// The base64url form of some bytes (cold paths).
    public static func encode(_ bytes: [UInt8]) -> String {
        let out = OutputBuffer(capacity: encodedCount(bytes.count))
        unsafe bytes.withUnsafeBufferPointer { buffer in
            if let start = buffer.baseAddress { unsafe encode(start, buffer.count, into: out) }
        }
        return unsafe String(decoding: out.bytes, as: UTF8.self)
    }
}
