// HOT. The client's side of an exchange, whatever protocol carries it: where its request comes from, where answers go.
import Bytes
import HTTP
import Reactor
import TLS

/// What an exchange knows of its client: an HTTP/1 connection, or a stream of an HTTP/2 connection.
///
/// Bytes of a request's content stand in `input`; what carries them is the subclass's.
class DownstreamConnection {
    final let worker: Worker
    /// The registration of the socket that carries it.
    final let key: UInt64
    final let peer: IPAddress
    /// Where it was accepted.
    final let listener: ListenerPlan
    /// The TLS that carries it.
    final let tls: TLSStream?
    /// The certificate that the client showed; nil without one.
    final let certificate: ClientCertificate?
    /// Whether the client chose the certificate by a name, so that it must be for the hosts that it asks for.
    final let hasServerName: Bool
    /// Whether it is a stream among others: heads and ends are told apart by frames, never by bytes.
    final let isStream: Bool
    /// Whether what the peer says about clients is believed, as of the configuration generation beside it.
    final private(set) var isTrusted = false
    final private var judgedBy: UInt64 = 0
    final var exchange: Exchange?
    final var input: OutputBuffer?
    /// Content follows a head that says nothing of it: frames tell where it ends.
    final var hasContent = false
    /// It wants to be a tunnel (RFC 8441), so that an answer of success would be taken for one.
    final var wantsTunnel = false
    /// There may be more to read.
    final var canRead = true
    /// The client sent its end, or the kernel says it will.
    final var hangup = false
    /// The end of what the client sends was read.
    final var sawEnd = false
    /// A write failed: everything ends at the next chance, not in the middle of a caller's work.
    final var broken = false

    init(
        worker: Worker,
        key: UInt64,
        peer: IPAddress,
        listener: ListenerPlan,
        tls: TLSStream?,
        certificate: ClientCertificate?,
        isStream: Bool
    ) {
        self.worker = worker
        self.key = key
        self.peer = peer
        self.listener = listener
        self.tls = tls
        self.certificate = certificate
        hasServerName = tls?.serverName != nil
        self.isStream = isStream
    }

    /// Whether TLS carries it.
    final var isSecure: Bool { tls != nil }

    /// Finds out once per connection and generation whether the peer is a trusted proxy.
    @inline(__always)
    final func judgePeer(_ snapshot: Snapshot) {
        if judgedBy == snapshot.generation { return }
        judgedBy = snapshot.generation
        isTrusted = snapshot.isTrusted(peer)
    }

    @inline(__always)
    final func giveInput() {
        if let buffer = input.take() { worker.small.give(buffer) }
    }

    // MARK: The request

    /// Reads what there is into `input`.
    ///
    /// Returns how many bytes came, 0 at the end, or a negative `IO`.
    func fill(atLeast room: Int) -> Int { IO.wouldBlock }

    /// Reads up to `count` bytes of content past `input`, which must be nil; a count, 0 at the end, or a negative `IO`.
    func read(_ place: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int { IO.wouldBlock }

    /// Runs the connection again in the next turn.
    func later() {}

    /// Whether a request goes to its backend only when all that came with it was read; `forwardHeld` follows then.
    ///
    /// Streams only: a client can withdraw a request as soon as it has made it, at no cost to itself.
    func holdsRequest() -> Bool { false }

    /// `count` bytes of content went on: the client may send as many more.
    func took(_ count: Int) {}

    // MARK: The answer

    /// Bytes that wait for the client to take them.
    var backlog: Int { 0 }

    /// Queues bytes for the client and sends what goes at once: heads and content in the client's framing.
    func send(_ bytes: UnsafePointer<UInt8>, _ count: Int) {}

    /// Sends a head that stands in HTTP/1 form; `ends` when nothing follows it.
    ///
    /// Streams only.
    func sendHead(_ bytes: UnsafePointer<UInt8>, _ count: Int, ends: Bool) {}

    /// Ends the content, with trailers as `name: value` lines.
    ///
    /// Streams only.
    func sendEnd(trailers: UnsafeBufferPointer<UInt8>) {}

    /// From now on bytes pass both ways unread.
    func beginTunnelling() {}

    /// Ends our direction; the other one goes on.
    func endWriting() {}

    // MARK: Ends

    /// The exchange is over and everything it had to say is queued.
    func exchangeFinished(keepAlive: Bool) {}

    /// Ends it.
    func close() {}

    /// Ends it at once, so that the client sees that something is missing: an answer cut short never looks complete.
    func abort() {}

    /// The same, but what is queued may reach the client first.
    func cut() { abort() }
}
