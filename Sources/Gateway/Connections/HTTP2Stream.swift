// HOT. The client's side of an exchange that a stream of an HTTP/2 connection carries.
import Bytes
import HTTP
import HTTP2
import Reactor
import Telemetry

/// One stream of a client's HTTP/2 connection; reused by its connection for one request after another.
///
/// Content that came waits in `input` until the exchange takes it; only then the client may send as much again, so that
/// no more than a window's worth is ever held.
final class HTTP2Stream: DownstreamConnection {
    unowned(unsafe) let carrier: HTTP2Connection
    /// Its place in the connection's table, which the codec gives back with each event.
    let tag: Int32
    /// The number of the stream, 0 while it is not in use.
    private(set) var id: Int32 = 0
    private var isTunnelling = false
    private var hasEnded = false
    /// It waits to be run again.
    private var isQueued = false

    init(carrier: HTTP2Connection, tag: Int32) {
        self.carrier = carrier
        self.tag = tag
        super.init(
            worker: carrier.worker,
            key: carrier.key,
            peer: carrier.peer,
            listener: carrier.listener,
            tls: carrier.transport.tls,
            certificate: carrier.certificate,
            isStream: true
        )
    }

    /// Takes a new stream.
    func open(_ id: Int32, hasContent: Bool) {
        self.id = id
        self.hasContent = hasContent
        wantsTunnel = false
        canRead = false
        hangup = false
        sawEnd = !hasContent
        broken = false
        isTunnelling = false
        hasEnded = false
        isQueued = false
    }

    // MARK: The request

    /// Content came; the exchange takes what it can.
    func received(_ bytes: UnsafeBufferPointer<UInt8>, isLast: Bool) {
        if isLast { ended() }
        guard exchange != nil else { return carrier.codec.consumed(id, bytes.count) }
        if bytes.count > 0 {
            let buffer = input ?? worker.small.take()
            input = buffer
            buffer.append(bytes)
        }
        pump()
    }

    /// The client has sent everything.
    func ended() {
        sawEnd = true
        canRead = true
    }

    /// Lets the exchange take what is there.
    func pump() {
        isQueued = false
        guard let exchange else { return }
        if isTunnelling { exchange.pumpTunnelFromClient() } else { exchange.pumpRequest() }
    }

    override func fill(atLeast room: Int) -> Int { sawEnd ? 0 : IO.wouldBlock }

    override func took(_ count: Int) {
        carrier.codec.consumed(id, count)
        carrier.flushLater()
    }

    override func later() {
        guard !isQueued else { return }
        isQueued = true
        carrier.pumpLater(tag)
    }

    override func holdsRequest() -> Bool { carrier.holdRequest(tag) }

    override func beginTunnelling() { isTunnelling = true }

    // MARK: The answer

    /// All or nothing: the codec tells when a stream that was full has room again.
    override var backlog: Int { carrier.isFull(id) ? Int.max : 0 }

    override func send(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        guard !broken, count > 0 else { return }
        worker.metrics.add(.bytesOut, UInt64(count))
        if !carrier.codec.send(id, bytes, count) { fail() }
        carrier.flushLater()
    }

    override func sendHead(_ bytes: UnsafePointer<UInt8>, _ count: Int, ends: Bool) {
        guard !broken else { return }
        let head = UnsafeBufferPointer(start: bytes, count: count)
        // `HTTP/1.1 1xx`, but a 101 is the answer to the extended CONNECT.
        let isInterim = count > 11 && bytes[9] == 0x31 && !(bytes[10] == 0x30 && bytes[11] == 0x31)
        if isInterim {
            carrier.codec.respondInterim(id, head: head)
        } else {
            if !carrier.codec.respond(id, head: head, ends: ends) { fail() }
            hasEnded = ends
        }
        carrier.flushLater()
    }

    override func sendEnd(trailers: UnsafeBufferPointer<UInt8>) {
        guard !hasEnded, !broken else { return }
        hasEnded = true
        if trailers.count > 0 {
            carrier.codec.finish(id, trailers: trailers)
        } else {
            carrier.codec.finish(id)
        }
        carrier.flushLater()
    }

    override func endWriting() {
        guard !hasEnded, !broken else { return }
        hasEnded = true
        carrier.codec.endWriting(id)
        carrier.flushLater()
    }

    private func fail() {
        broken = true
        later()
    }

    // MARK: Ends

    override func exchangeFinished(keepAlive: Bool) {
        exchange = nil
        if broken { return close() }
        // What still comes of a request that was answered early is dropped by the codec.
        if hasEnded, isTunnelling { carrier.codec.ignoreRest(id) }
        sendEnd(trailers: UnsafeBufferPointer(start: nil, count: 0))
        release()
    }

    override func close() {
        guard id != 0 else { return }
        carrier.codec.reset(id, HTTP2Code.cancel)
        carrier.flushLater()
        release()
    }

    override func abort() {
        guard leaveExchange() else { return }
        carrier.codec.reset(id, HTTP2Code.internalError)
        carrier.flushLater()
        release()
    }

    override func cut() {
        guard leaveExchange() else { return }
        carrier.codec.cut(id)
        carrier.flushLater()
        release()
    }

    /// Lets the exchange go; whether the stream is there to be ended.
    private func leaveExchange() -> Bool {
        guard id != 0 else { return false }
        if let exchange {
            self.exchange = nil
            exchange.abandoned()
        }
        return id != 0
    }

    /// The codec says that the stream is gone.
    func lost() {
        guard id != 0 else { return }
        if let exchange { exchange.clientGone() }
        release()
    }

    private func release() {
        guard id != 0 else { return }
        carrier.codec.setTag(id, -1)
        id = 0
        giveInput()
        carrier.released(self)
    }
}
