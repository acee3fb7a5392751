// HOT. Bytes being written: a growing block of memory with an unread front.
import Glibc

/// A block of bytes that is appended to at its end and consumed from its front.
///
/// Owned by one thread. It grows by doubling up to what the caller allows; everybody who appends bytes from outside
/// checks a limit first. Memory is kept when emptied, so that a reused buffer allocates nothing.
public final class OutputBuffer {
    /// Start of the memory; valid until the next append.
    public private(set) var base: UnsafeMutablePointer<UInt8>
    /// Bytes of memory.
    public private(set) var capacity: Int
    /// Index of the first unread byte.
    public private(set) var head = 0
    /// Index behind the last byte.
    public private(set) var tail = 0

    /// An empty buffer with room for `capacity` bytes.
    public init(capacity: Int) {
        self.capacity = max(64, capacity)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// Number of unread bytes.
    @inline(__always) public var count: Int { tail &- head }
    /// Whether nothing is unread.
    @inline(__always) public var isEmpty: Bool { tail == head }
    /// Start of the unread bytes.
    @inline(__always) public var readable: UnsafeMutablePointer<UInt8> { base + head }
    /// Bytes that fit behind the last one without moving anything.
    @inline(__always) public var room: Int { capacity &- tail }

    /// The unread bytes.
    @inline(__always) public var bytes: UnsafeBufferPointer<UInt8> { .init(start: base + head, count: tail &- head) }

    /// Makes room for `count` more bytes and returns where they go; `advance` counts them in.
    @inline(__always)
    @discardableResult
    public func reserve(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        if capacity &- tail < count { grow(count) }
        return base + tail
    }

    /// Counts `count` bytes, written behind the last one, in.
    @inline(__always)
    public func advance(_ count: Int) { tail &+= count }

    /// Drops `count` unread bytes from the front.
    @inline(__always)
    public func consume(_ count: Int) {
        head &+= count
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Forgets everything but the memory.
    @inline(__always)
    public func removeAll() {
        head = 0
        tail = 0
    }

    /// Forgets the bytes behind the first `count` unread ones.
    public func truncate(to count: Int) { tail = head &+ min(count, self.count) }

    /// Appends `count` bytes.
    @inline(__always)
    public func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        memcpy(reserve(count), bytes, count)
        tail &+= count
    }

    /// Appends the bytes of a slice of `base`.
    @inline(__always)
    public func append(_ bytes: UnsafePointer<UInt8>, _ slice: Slice) {
        append(bytes + slice.start, slice.count)
    }

    /// Appends a buffer.
    @inline(__always)
    public func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if let start = bytes.baseAddress { append(start, bytes.count) }
    }

    /// Appends a literal.
    @inline(__always)
    public func append(_ text: StaticString) {
        append(text.utf8Start, text.utf8CodeUnitCount)
    }

    /// Appends an array of bytes.
    @inline(__always)
    public func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { append($0) }
    }

    /// Appends one byte.
    @inline(__always)
    public func append(byte: UInt8) {
        reserve(1).pointee = byte
        tail &+= 1
    }

    /// Appends a string's UTF-8 (cold paths only).
    public func append(string: String) {
        var string = string
        string.withUTF8 { append($0) }
    }

    /// Appends a number in decimal.
    @inline(__always)
    public func append(decimal value: UInt64) {
        if value < 10 { return append(byte: 0x30 &+ UInt8(truncatingIfNeeded: value)) }
        let place = reserve(20)
        var digits = 0
        var rest = value
        while rest > 0 {
            digits &+= 1
            rest /= 10
        }
        rest = value
        var i = digits &- 1
        while i >= 0 {
            place[i] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            i &-= 1
        }
        tail &+= digits
    }

    /// Appends a number in lower-case hexadecimal, without leading zeros.
    public func append(hex value: UInt64) {
        var digits = 1
        while digits < 16, value >> UInt64(digits &* 4) != 0 { digits &+= 1 }
        append(hex: value, digits: digits)
    }

    /// Appends the low `digits` hexadecimal digits of a number, lower case.
    public func append(hex value: UInt64, digits: Int) {
        let place = reserve(digits)
        if digits == 16 {
            let raw = UnsafeMutableRawPointer(place)
            raw.storeBytes(of: Self.hexDigits(UInt32(truncatingIfNeeded: value >> 32)), as: UInt64.self)
            raw.storeBytes(of: Self.hexDigits(UInt32(truncatingIfNeeded: value)), toByteOffset: 8, as: UInt64.self)
            tail &+= 16
            return
        }
        for i in 0..<digits {
            let nibble = UInt8(truncatingIfNeeded: value >> UInt64((digits &- 1 &- i) &* 4)) & 15
            place[i] = nibble < 10 ? 0x30 &+ nibble : 0x57 &+ nibble
        }
        tail &+= digits
    }

    /// The eight lower-case hexadecimal digits of a number, the highest in the first byte of memory.
    @inline(__always)
    private static func hexDigits(_ value: UInt32) -> UInt64 {
        // One digit in each byte of a word, spread in three steps; then all become characters at once.
        var x = UInt64(value)
        x = (x & 0xffff) | (x & 0xffff_0000) << 16
        x = (x & 0x0000_00ff_0000_00ff) | (x & 0x0000_ff00_0000_ff00) << 8
        x = (x & 0x000f_000f_000f_000f) | (x & 0x00f0_00f0_00f0_00f0) << 4
        let isLetter = (x &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (x &+ 0x3030_3030_3030_3030 &+ isLetter &* 0x27).bigEndian
    }

    @inline(never)
    private func grow(_ count: Int) {
        if head > 0, capacity &- self.count >= count, head >= capacity / 2 {
            memmove(base, base + head, self.count)
            tail &-= head
            head = 0
            return
        }
        var size = capacity * 2
        while size - self.count < count { size *= 2 }
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        memcpy(larger, base + head, self.count)
        base.deallocate()
        base = larger
        tail &-= head
        head = 0
        capacity = size
    }
}
