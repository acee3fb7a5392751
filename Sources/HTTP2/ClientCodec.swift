// HOT. A connection to a backend over HTTP/2: HTTP/1 heads in, responses as HTTP/1 heads out. No I/O.
public import Bytes
import CNghttp2

/// What a backend did.
public enum ClientEvent {
    /// All bytes are read; there must be more.
    case needMore
    /// A response's head is in `head`; with `isComplete` it has no content. An interim one is followed by another.
    case response(stream: Int32, tag: Int32, isInterim: Bool, isComplete: Bool)
    /// Content, valid until the next call; `consumed` must follow when it went on.
    case data(stream: Int32, tag: Int32, bytes: UnsafeBufferPointer<UInt8>, isLast: Bool)
    /// The content has ended with the trailers in `head`, field lines and an empty line.
    case trailers(stream: Int32, tag: Int32)
    /// The content has ended.
    case end(stream: Int32, tag: Int32)
    /// The stream is gone before the response was complete; with `isRefused` the backend has not looked at the request.
    case reset(stream: Int32, tag: Int32, code: UInt32, isRefused: Bool)
    /// The backend takes no further stream; those above `lastStream` come back as refused.
    case goAway(lastStream: Int32)
    /// The backend said how many streams it takes.
    case settings(maxConcurrent: Int)
    /// The backend answered a ping.
    case pingAcknowledged
    /// The connection is over: `write` once more, then close. No stream exists any more.
    case failed(HTTP2Error)
}

/// What came of asking for a stream.
public enum RequestOutcome: Equatable, Sendable {
    /// The request is queued on this stream.
    case opened(Int32)
    /// No stream can be opened now, or ever: see `canOpen` and `shouldReplace`.
    case full
    /// The request is a WebSocket's and the backend does not take them over HTTP/2 (RFC 8441).
    case notSupported
    /// The head is not one of HTTP/1.1.
    case malformed
}

/// The client's end of one HTTP/2 connection.
///
/// Owned by one thread. A stream that is unknown, because it has ended, is ignored by every method. When the response
/// is complete no further event of the stream comes: the caller finishes the request or resets the stream.
public final class ClientCodec {
    private let mux: Multiplexer

    /// A connection at its beginning; `write` gives the preface.
    public init(limits: HTTP2Limits = .upstream, isTLS: Bool, workspace: HTTP2Workspace) {
        mux = Multiplexer(isServer: false, isTLS: isTLS, limits: limits, workspace: workspace)
    }

    /// Milliseconds of a monotonic clock; the caller sets it before it calls anything else in a turn.
    public var now: Int64 {
        get { mux.now }
        set { mux.now = newValue }
    }

    // MARK: Requests

    /// Opens a stream for a request: request line in origin form, field lines and an empty line, as for HTTP/1.
    ///
    /// `Host` becomes `:authority`; the fields of the connection are left out. A head with `Upgrade: websocket` becomes
    /// an extended CONNECT. With `ends` the request has no content.
    public func request(_ head: UnsafeBufferPointer<UInt8>, ends: Bool, tag: Int32 = -1) -> RequestOutcome {
        guard canOpen else { return .full }
        return mux.request(head, ends: ends, tag: tag)
    }

    /// Queues content of a request; false if the stream is gone or holds more than `queueMost`.
    @discardableResult
    public func send(_ stream: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        mux.send(stream, bytes, count)
    }

    /// The request is complete.
    public func finish(_ stream: Int32) { mux.finish(stream, trailers: nil) }

    /// The request is complete with trailers: field lines, with or without an empty line.
    public func finish(_ stream: Int32, trailers: UnsafeBufferPointer<UInt8>) {
        mux.finish(stream, trailers: trailers)
    }

    /// Ends a stream at once; no further event of it comes.
    public func reset(_ stream: Int32, _ code: UInt32 = HTTP2Code.cancel) {
        guard let record = mux.streams.find(stream) else { return }
        mux.ignoreRest(record)
        mux.resetStream(record, code, byChoice: true)
    }

    /// The answer of a stream is whole, and nobody cares for it any more.
    ///
    /// A stream whose request ended as well is over. Any other would stay open for as long as the connection, for no
    /// server has to reset what it has answered (RFC 9113 §8.1).
    public func release(_ stream: Int32) {
        guard let record = mux.streams.find(stream), !record.state.contains(.localEnded) else { return }
        reset(stream)
    }

    /// The request is complete, and its answer is not cared for: the stream ends when what is queued was sent.
    public func leave(_ stream: Int32) {
        guard let record = mux.streams.find(stream) else { return }
        mux.ignoreRest(record)
        mux.leave(record)
    }

    /// Bytes of a stream that are queued and not framed.
    public func backlog(_ stream: Int32) -> Int { mux.streams.find(stream)?.backlog ?? 0 }

    /// A stream whose backlog had reached `queueHigh` and has fallen to `queueLow`; to be asked after `write` until nil.
    public func nextDrained() -> (stream: Int32, tag: Int32)? {
        guard let record = mux.popDrained() else { return nil }
        return (record.id, record.tag)
    }

    // MARK: Receiving

    /// The next event, reading `bytes[offset..<count]` as far as needed and moving `offset`.
    ///
    /// To be called until `.needMore`, also with no bytes when `hasNews`.
    public func next(_ bytes: UnsafePointer<UInt8>, _ count: Int, at offset: inout Int) -> ClientEvent {
        let happened = mux.next(bytes, count, at: &offset)
        let stream = happened.stream
        let tag = happened.tag
        switch happened.kind {
        case .none, .refuse: return .needMore
        case .head:
            return .response(stream: stream, tag: tag, isInterim: happened.flag, isComplete: happened.isLast)
        case .data: return .data(stream: stream, tag: tag, bytes: happened.bytes, isLast: happened.isLast)
        case .trailers: return .trailers(stream: stream, tag: tag)
        case .end: return .end(stream: stream, tag: tag)
        case .reset: return .reset(stream: stream, tag: tag, code: happened.code, isRefused: happened.flag)
        case .goAway: return .goAway(lastStream: stream)
        case .settings: return .settings(maxConcurrent: mux.peerStreams)
        case .pingAcknowledged: return .pingAcknowledged
        case .failed: return .failed(mux.failure ?? .internalFailure)
        }
    }

    /// The head of the response or the trailers just announced; valid until the next call of `next`.
    public var head: UnsafeBufferPointer<UInt8> { mux.head?.bytes ?? UnsafeBufferPointer(start: nil, count: 0) }

    /// Whether `next` has an event although no byte came; to be asked after `write`.
    public var hasNews: Bool { mux.hasNews }

    /// Content of a stream has gone on: the backend may send as much again.
    public func consumed(_ stream: Int32, _ count: Int) { mux.consume(stream, count) }

    /// Content of a stream waits for its client: others may be sent as much, this one when `resumed` says so.
    ///
    /// Otherwise a few clients that do not read would keep all others of the connection waiting.
    public func heldBack(_ stream: Int32, _ count: Int) { mux.consumeConnection(stream, count) }

    /// Content that was held back has gone on.
    public func resumed(_ stream: Int32, _ count: Int) { mux.consumeStream(stream, count) }

    // MARK: The caller's name for a stream

    /// What `request` or `setTag` gave the stream; -1 if nothing, or if the stream is unknown.
    public func tag(_ stream: Int32) -> Int32 { mux.streams.find(stream)?.tag ?? -1 }

    /// Gives a stream a number, which comes with each of its events.
    public func setTag(_ stream: Int32, _ tag: Int32) { mux.streams.find(stream)?.tag = tag }

    // MARK: Writing

    /// Appends frames until `out` holds `limit` bytes or nothing is left; the last frame may go over it.
    public func write(into out: OutputBuffer, limit: Int) { mux.write(into: out, limit: limit) }

    /// Whether `write` would append something.
    public var wantsWrite: Bool { mux.wantsWrite }

    /// Whether the connection can be closed: nothing will be read or written any more.
    public var isFinished: Bool { mux.isFinished }

    // MARK: The connection

    /// Streams that are open.
    public var openStreams: Int { mux.streams.count }
    /// Whether no stream is open.
    public var isIdle: Bool { mux.streams.count == 0 }
    /// Whether a further request can be sent now.
    public var canOpen: Bool {
        mux.failure == nil && mux.mayOpen && mux.streams.count < min(mux.limits.concurrentStreams, mux.peerStreams)
    }
    /// Whether another connection should take the next requests: GOAWAY came, or the stream ids run out.
    public var shouldReplace: Bool { mux.failure != nil || mux.sawGoAway || mux.idsRunOut }
    /// Whether the backend takes WebSockets over HTTP/2 (RFC 8441); known after its first `.settings`.
    public var takesExtendedConnect: Bool { mux.peerTakesExtendedConnect }
    /// Bytes of memory that this connection makes us hold: content not passed on, and content not taken.
    public var heldBytes: Int { mux.totalHeld &+ mux.totalBacklog }
    /// Since when content waits without any being taken, in `now`'s milliseconds; -1 if none waits.
    public var stalledSince: Int64 { mux.totalBacklog > 0 ? mux.lastProgress : -1 }
    /// Why the connection has failed, if it has.
    public var failure: HTTP2Error? { mux.failure }

    /// Tells the backend that no further stream will be opened; the open ones go on.
    public func shutdown() { mux.finishShutdown() }

    /// Asks the backend for a sign of life; `.pingAcknowledged` follows.
    public func ping() { mux.ping() }
}
