// HOT. Searching and comparing bytes: the few loops that everything else is built on.
import Glibc

/// Byte searches and comparisons over raw memory; all bounds are the caller's.
public enum Scan {
    /// Index of the first `byte` in `start..<end`, or nil.
    public static func first(_ byte: UInt8, in base: UnsafePointer<UInt8>, from start: Int, to end: Int) -> Int? {
        guard start < end, let hit = memchr(base + start, Int32(byte), end &- start) else { return nil }
        return UnsafeRawPointer(hit) - UnsafeRawPointer(base)
    }

    /// Whether `count` bytes at both places are the same (not constant time).
    public static func equal(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        memcmp(a, b, count) == 0
    }

    /// Whether `bytes[range]` equals `text`, ASCII letters compared without case.
    ///
    /// `text` must be lower case.
    @inlinable
    public static func equalFolded(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let want = text.utf8Start
        var i = 0
        while i < count {
            if lowercase(bytes[i]) != want[i] { return false }
            i &+= 1
        }
        return true
    }

    /// The ASCII lower-case form of a byte; every other byte as it is.
    @inlinable
    public static func lowercase(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Whether both hold the same bytes, in time that depends on the lengths only.
    public static func constantTimeEqual(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for i in 0..<a.count { difference |= a[i] ^ b[i] }
        return difference == 0
    }
}
