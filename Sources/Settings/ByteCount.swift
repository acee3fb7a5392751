// COLD. Amounts of bytes and times, as the file writes them.

/// A number of bytes, 0 or more.
public struct ByteCount: Sendable, Hashable, Comparable, ExpressibleByIntegerLiteral {
    /// The number.
    public var bytes: Int

    /// A number of bytes.
    public init(_ bytes: Int) { self.bytes = bytes }
    /// A number of bytes.
    public init(integerLiteral value: Int) { bytes = value }

    /// No limit (`unlimited` in the file).
    public static let unlimited = ByteCount(Int.max)

    /// `count` times 1024 bytes.
    public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(count << 10) }
    /// `count` times 1024² bytes.
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(count << 20) }
    /// `count` times 1024³ bytes.
    public static func gibibytes(_ count: Int) -> ByteCount { ByteCount(count << 30) }

    /// By number.
    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    public var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }

    /// Whole seconds, rounded towards zero.
    public var wholeSeconds: Int { Int(components.seconds) }

    /// `count` minutes.
    public static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
    /// `count` hours.
    public static func hours(_ count: Int) -> Duration { .seconds(count * 3600) }
}
