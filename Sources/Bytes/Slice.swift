// HOT. A range of bytes inside some buffer that the holder knows; it keeps nothing alive.

/// A range of bytes by offset and length, relative to the start of the buffer it was found in.
///
/// At most 4 GiB; the bytes are valid as long as the owner of that buffer says so.
@frozen
public struct Slice: Equatable, Sendable {
    /// Offset of the first byte.
    public var offset: UInt32
    /// Number of bytes.
    public var length: UInt32

    /// The empty range at the start.
    @inlinable
    public init() {
        offset = 0
        length = 0
    }

    /// The bytes `start..<end`.
    @inlinable
    public init(_ start: Int, _ end: Int) {
        offset = UInt32(truncatingIfNeeded: start)
        length = UInt32(truncatingIfNeeded: end &- start)
    }

    /// Index of the first byte.
    @inlinable
    public var start: Int { Int(offset) }
    /// Index behind the last byte.
    @inlinable
    public var end: Int { Int(offset) &+ Int(length) }
    /// Number of bytes.
    @inlinable
    public var count: Int { Int(length) }
    /// Whether it holds no byte.
    @inlinable
    public var isEmpty: Bool { length == 0 }
}
