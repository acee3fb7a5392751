// HOT. Where frames of a WebSocket end, so that one of ours can be put between two of them. Reads no content.

/// Follows the frames of one direction (RFC 6455 §5.2).
public struct WebSocketFrames: Sendable {
    /// The close frame's code for an end that has nothing to do with what was said (RFC 6455 §7.4.1).
    public static let goingAway: UInt16 = 1001
    /// The close frame's code for a policy that forbids going on.
    public static let policyViolation: UInt16 = 1008

    /// Bytes of the header that have come.
    private var header = 0
    /// Bytes that the header has, as far as known.
    private var headerLength = 2
    private var lengthBytes = 0
    private var payload: UInt64 = 0

    /// At the beginning of a direction.
    public init() {}

    /// Whether the next byte begins a frame.
    public var isBetweenFrames: Bool { header == 0 && payload == 0 }

    /// Reads on, to the end of the frame at hand or of the bytes; returns how many were read.
    ///
    /// Between frames it reads one whole frame, or what is there of it.
    public mutating func advance(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var i = 0
        while i < count {
            if payload > 0, header == 0 {
                let part = Int(min(payload, UInt64(count &- i)))
                payload &-= UInt64(part)
                i &+= part
                if payload == 0 { return i }
                continue
            }
            takeHeader(unsafe bytes[i])
            i &+= 1
            if header == headerLength {
                header = 0
                headerLength = 2
                lengthBytes = 0
                if payload == 0 { return i }
            }
        }
        return i
    }

    private mutating func takeHeader(_ byte: UInt8) {
        if header == 1 {
            let length = byte & 0x7f
            lengthBytes = length == 126 ? 2 : length == 127 ? 8 : 0
            payload = lengthBytes == 0 ? UInt64(length) : 0
            headerLength = 2 &+ lengthBytes &+ (byte & 0x80 == 0 ? 0 : 4)
        } else if header >= 2, header < 2 &+ lengthBytes {
            payload = payload &<< 8 | UInt64(byte)
        }
        header &+= 1
    }

    /// Reads everything.
    @inline(__always)
    public mutating func advanceAll(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        var i = 0
        while i < count { i &+= unsafe advance(bytes + i, count &- i) }
    }
}
