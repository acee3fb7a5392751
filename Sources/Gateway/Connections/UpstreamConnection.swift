// HOT. The backend's side of an exchange, whatever protocol carries it: where its request goes, where answers come from.
import Bytes
import HTTP
import Reactor
import Telemetry
import Upstreams

/// What an exchange knows of its backend: an HTTP/1 connection that is lent to it, or a stream of an HTTP/2 connection.
class UpstreamConnection {
    final let worker: Worker
    /// The registration of the socket that carries it.
    final let key: UInt64
    final let backend: Backend
    final let upstream: Upstream
    /// Whether it is a stream among others: heads and ends are told apart by frames, never by bytes.
    final let isStream: Bool
    final var exchange: Exchange?
    /// Bytes of an answer that could not be used yet: a head or a chunk line cut in the middle.
    final var input: OutputBuffer?
    final var isConnected: Bool
    final var canRead = false
    final var canWrite: Bool
    final var hangup = false
    /// Exchanges so far, the current one included.
    final var exchanges: UInt32 = 0
    final var idleSince: Int64 = 0

    init(worker: Worker, key: UInt64, isConnected: Bool, isStream: Bool, backend: Backend, upstream: Upstream) {
        self.worker = worker
        self.key = key
        self.backend = backend
        self.upstream = upstream
        self.isStream = isStream
        self.isConnected = isConnected
        canWrite = isConnected
    }

    @inline(__always)
    final func giveInput() {
        if let buffer = input.take() { worker.small.give(buffer) }
    }

    // MARK: Bytes; connections only

    /// Reads up to `count` bytes: a count, 0 at the end, or a negative `IO`.
    func read(_ place: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int { IO.wouldBlock }

    /// Writes up to `count` bytes: a count or a negative `IO`.
    func write(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int { IO.wouldBlock }

    /// Whether a pooled connection still has nothing to say.
    var isQuiet: Bool { true }

    // MARK: Frames; streams only

    /// What came of beginning a request.
    enum Begun {
        case sent
        /// No stream can be opened on this connection.
        case full
        /// A tunnel, and the backend takes none.
        case tunnelless
        /// The backend's protocol has no way to say it.
        case impossible
    }

    /// Begins a request with a head that stands in HTTP/1 form.
    func sendHead(_ bytes: UnsafePointer<UInt8>, _ count: Int, ends: Bool) -> Begun { .impossible }

    /// Queues content; how much was taken.
    func sendContent(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int { 0 }

    /// Ends the content, with trailers as `name: value` lines.
    func sendEnd(trailers: UnsafeBufferPointer<UInt8>) {}

    /// The client took what was queued: the backend may send more.
    func clientHasRoom() {}

    // MARK: Ends

    /// Ends our direction; the other one goes on.
    func endWriting() {}

    /// Closes what no exchange uses.
    func closeIdle() {}

    /// Ends what an exchange uses, and gives its lease back.
    func close() {}

    /// Ends it when both directions have ended: what is queued still arrives.
    func closeEnded() { close() }

    /// Ends it after these last bytes.
    func close(saying bytes: UnsafePointer<UInt8>, _ count: Int) { close() }

    /// Whether a backend that has said nothing yet turned us away in the words of TLS, which is reported then: in TLS 1.3
    /// it looks at our certificate when for us the handshake is done.
    func reportsRejection() -> Bool { false }

    /// Gives it back whole: the answer was read to its end.
    func release() {}
}
