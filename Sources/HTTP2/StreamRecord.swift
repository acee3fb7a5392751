// HOT. What is known of one stream: how far each direction is, what waits, and what the gateway calls it.
import Bytes

/// How far a stream is.
struct StreamState: OptionSet {
    let rawValue: UInt32
    /// The caller was told of the stream, or opened it.
    static let announced = StreamState(rawValue: 1 << 0)
    /// The other side has ended its direction.
    static let remoteEnded = StreamState(rawValue: 1 << 1)
    /// Our head was handed to the library.
    static let headSent = StreamState(rawValue: 1 << 2)
    /// The caller gave its last byte.
    static let finished = StreamState(rawValue: 1 << 3)
    /// Our END_STREAM is written.
    static let localEnded = StreamState(rawValue: 1 << 4)
    /// The library asked for content and there was none.
    static let deferred = StreamState(rawValue: 1 << 5)
    /// The queue was over its mark and has not been under the low one since.
    static let full = StreamState(rawValue: 1 << 6)
    /// The stream carries a WebSocket (RFC 8441).
    static let tunnel = StreamState(rawValue: 1 << 7)
    /// The caller wants to hear no more of it.
    static let quiet = StreamState(rawValue: 1 << 8)
    /// Its RST_STREAM is ours by choice, not for an error of the other side.
    static let resetByChoice = StreamState(rawValue: 1 << 9)
    /// The answer is to a HEAD request: a length says nothing of the content.
    static let noContent = StreamState(rawValue: 1 << 10)
    /// In the list of drained streams.
    static let listed = StreamState(rawValue: 1 << 11)
    /// It cannot be completed: after what is queued follows its reset.
    static let cut = StreamState(rawValue: 1 << 15)
    /// It is reset as soon as our END_STREAM is written.
    static let leaving = StreamState(rawValue: 1 << 16)
    /// Its end is noted in the table already.
    static let noted = StreamState(rawValue: 1 << 13)
    /// No longer in the table.
    static let gone = StreamState(rawValue: 1 << 14)
    /// The final head of the answer was received.
    static let answered = StreamState(rawValue: 1 << 12)
}

/// One stream; pooled by its connection.
final class StreamRecord {
    var id: Int32 = 0
    var state = StreamState()
    var tag: Int32 = -1
    /// Content that waits to be framed.
    var queue: OutputBuffer?
    /// Trailers that follow it, as text.
    var trailers: OutputBuffer?
    /// Bytes received that the caller has not passed on.
    var held = 0
    /// The length that was announced, -1 if none was.
    var expected: Int64 = -1
    var received: Int64 = 0
    var closeCode: UInt32 = 0
    /// When its content was last taken by more than a few bytes, or first had to wait.
    var progress: Int64 = 0
    /// `Sec-WebSocket-Accept` for the caller's side of a tunnel to a backend.
    var accept: [UInt8] = []
    /// The next one in the list of closed or idle records.
    var next: StreamRecord?
    /// The next one in the list of drained ones.
    var nextDrained: StreamRecord?

    var backlog: Int { queue?.count ?? 0 }

    func reset(id: Int32) {
        self.id = id
        state = []
        tag = -1
        held = 0
        expected = -1
        received = 0
        closeCode = 0
        if !accept.isEmpty { accept = [] }
    }
}
