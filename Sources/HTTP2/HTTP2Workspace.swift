// HOT. Memory that the HTTP/2 connections of one thread share, because each needs it for one call only.
public import Bytes
import CNghttp2

/// Buffers and arrays for all codecs of one thread, so that an idle connection holds none of them.
public final class HTTP2Workspace {
    /// Where queues and heads take their buffers from.
    let pool: BufferPool
    /// Fields on their way into the compression.
    let fields: UnsafeMutablePointer<nghttp2_nv>
    /// The most fields of one section that we send.
    static let capacity = 512
    /// Credentials that were decompressed already.
    let credentials = CredentialMemo()
    private var random = SystemRandomNumberGenerator()

    /// A workspace whose buffers come from `pool`.
    public init(pool: BufferPool) {
        self.pool = pool
        fields = .allocate(capacity: Self.capacity)
        fields.initialize(repeating: nghttp2_nv(), count: Self.capacity)
    }

    deinit { fields.deallocate() }

    /// A random number for the key of a WebSocket handshake.
    func randomWord() -> UInt64 { random.next() }
}
