// HOT. The backend's side of an exchange that a stream of an HTTP/2 connection carries.
import Bytes
import HTTP
import HTTP2
import Reactor
import Upstreams

/// One request on a multiplexed connection to a backend.
final class HTTP2UpstreamStream: UpstreamConnection {
    unowned(unsafe) let carrier: HTTP2Backend
    /// Its place in the connection's table, which the codec gives back with each event.
    let tag: Int32
    /// The number of the stream, 0 while it has none.
    private(set) var id: Int32 = 0
    /// Content that was relayed while the client was full: the backend may not send more yet.
    private var owed = 0
    /// When its request was sent.
    private var begun: Int64 = 0
    private var isOver = false

    /// Milliseconds of silence after a request that raise doubts about the connection when it ends unanswered.
    private static let suspiciousSilence: Int64 = 1000

    /// How a stream ends before its answer is whole.
    enum Loss {
        /// The backend did nothing with the request.
        case refused
        /// The backend gave it up.
        case reset
        /// The whole connection is gone.
        case connectionLost
    }

    init(carrier: HTTP2Backend, tag: Int32, isConnected: Bool) {
        self.carrier = carrier
        self.tag = tag
        super.init(
            worker: carrier.worker,
            key: carrier.key,
            isConnected: isConnected,
            isStream: true,
            backend: carrier.backend,
            upstream: carrier.upstream
        )
    }

    // MARK: The request

    override func sendHead(_ bytes: UnsafePointer<UInt8>, _ count: Int, ends: Bool) -> Begun {
        guard id == 0, !isOver else { return .full }
        switch carrier.codec.request(UnsafeBufferPointer(start: bytes, count: count), ends: ends, tag: tag) {
        case .opened(let stream):
            id = stream
            begun = worker.now
            carrier.flushLater()
            return .sent
        case .full: return .full
        case .notSupported: return .tunnelless
        case .malformed: return .impossible
        }
    }

    override func sendContent(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        guard id != 0, !carrier.isFull(id) else { return 0 }
        let part = min(count, HTTP2Backend.largestPiece)
        guard carrier.codec.send(id, bytes, part) else { return count }
        carrier.flushLater()
        return part
    }

    override func sendEnd(trailers: UnsafeBufferPointer<UInt8>) {
        guard id != 0 else { return }
        if trailers.count > 0 {
            carrier.codec.finish(id, trailers: trailers)
        } else {
            carrier.codec.finish(id)
        }
        carrier.flushLater()
    }

    override func endWriting() { sendEnd(trailers: UnsafeBufferPointer(start: nil, count: 0)) }

    // MARK: The answer

    /// Content came; `isLast` ends it.
    func received(_ bytes: UnsafeBufferPointer<UInt8>, isLast: Bool) {
        guard let exchange, let start = bytes.baseAddress else { return carrier.codec.consumed(id, bytes.count) }
        let stream = id
        exchange.streamContent(UnsafeMutablePointer(mutating: start), bytes.count)
        if self.exchange === exchange, id == stream, exchange.isClientFull {
            owed += bytes.count
            carrier.codec.heldBack(stream, bytes.count)
        } else {
            carrier.codec.consumed(stream, bytes.count)
        }
        if isLast, self.exchange === exchange, id == stream { exchange.streamEnded() }
    }

    override func clientHasRoom() {
        guard owed > 0 else { return }
        carrier.codec.resumed(id, owed)
        owed = 0
        carrier.flushLater()
    }

    // MARK: Ends

    /// The connection is there, and takes another request.
    func opened() {
        guard let exchange else { return }
        isConnected = true
        canWrite = true
        exchange.connected()
        exchange.flushRequest()
    }

    /// The stream is gone.
    func lost(_ loss: Loss) {
        id = 0
        guard let exchange else { return close() }
        exchange.streamLost(loss)
    }

    override func close() { end(whole: false) }

    override func closeIdle() { end(whole: false) }

    override func release() { end(whole: true) }

    override func closeEnded() { end(whole: true, hasLeft: true) }

    override func close(saying bytes: UnsafePointer<UInt8>, _ count: Int) {
        guard id != 0, !isOver, carrier.codec.send(id, bytes, count) else { return close() }
        carrier.codec.leave(id)
        end(whole: true, hasLeft: true)
    }

    private func end(whole: Bool, hasLeft: Bool = false) {
        guard !isOver else { return }
        isOver = true
        exchange = nil
        if id != 0 {
            carrier.codec.setTag(id, -1)
            if !hasLeft { if whole { carrier.codec.release(id) } else { carrier.codec.reset(id) } }
            if !whole, worker.now &- begun >= Self.suspiciousSilence { carrier.doubt(since: begun) }
            carrier.flushLater()
        }
        upstream.forget(backend)
        carrier.released(self)
    }
}
