// HOT. A client's HTTP/2 connection: bytes in, requests as HTTP/1 heads out, and the same way back. No I/O.
public import Bytes
public import HTTP
import CNghttp2

/// What a client did.
public enum ServerEvent {
    /// All bytes are read; there must be more.
    case needMore
    /// A request's head is in `head`; with `isComplete` it has no content.
    ///
    /// An extended CONNECT (RFC 8441) looks like the upgrade of a WebSocket; its content is the tunnel's.
    case request(stream: Int32, isComplete: Bool, isExtendedConnect: Bool)
    /// A request that is well formed and cannot be served: answer with `error`'s status, and without
    /// content when it `isHead`; its content is dropped.
    case refuse(stream: Int32, error: ProtocolError, isHead: Bool)
    /// Content, valid until the next call; `consumed` must follow when it went on.
    case data(stream: Int32, tag: Int32, bytes: UnsafeBufferPointer<UInt8>, isLast: Bool)
    /// The content has ended with the trailers in `head`, field lines and an empty line, as `TrailerParser` reads them.
    case trailers(stream: Int32, tag: Int32)
    /// The content has ended.
    case end(stream: Int32, tag: Int32)
    /// The stream is gone before the answer was finished: reset by the client, or for an error of it.
    case reset(stream: Int32, tag: Int32, code: UInt32)
    /// The client will open no further stream.
    case goAway
    /// The client answered a ping.
    case pingAcknowledged
    /// The connection is over: `write` once more, then close. No stream exists any more.
    case failed(HTTP2Error)
}

/// The server's end of one HTTP/2 connection.
///
/// Requests come out as heads of HTTP/1.1, so that one strict parser and one gate judge all; what cannot be written as
/// one without doubt is refused here (RFC 9113 §8.2–8.3). Owned by one thread. A stream that is unknown, because it has
/// ended, is ignored by every method.
public final class ServerCodec {
    private let mux: Multiplexer

    /// A connection at its beginning; `isTLS` says which `:scheme` is right.
    public init(limits: HTTP2Limits, isTLS: Bool, workspace: HTTP2Workspace) {
        mux = Multiplexer(isServer: true, isTLS: isTLS, limits: limits, workspace: workspace)
    }

    /// Milliseconds of a monotonic clock; the caller sets it before it calls anything else in a turn.
    public var now: Int64 {
        get { mux.now }
        set { mux.now = newValue }
    }

    // MARK: Receiving

    /// The next event, reading `bytes[offset..<count]` as far as needed and moving `offset`.
    ///
    /// To be called until `.needMore`, also with no bytes when `hasNews`.
    public func next(_ bytes: UnsafePointer<UInt8>, _ count: Int, at offset: inout Int) -> ServerEvent {
        let happened = mux.next(bytes, count, at: &offset)
        switch happened.kind {
        case .none: return .needMore
        case .head:
            return .request(
                stream: happened.stream,
                isComplete: happened.isLast,
                isExtendedConnect: happened.flag
            )
        case .refuse: return .refuse(stream: happened.stream, error: happened.error, isHead: happened.flag)
        case .data:
            return .data(
                stream: happened.stream,
                tag: happened.tag,
                bytes: happened.bytes,
                isLast: happened.isLast
            )
        case .trailers: return .trailers(stream: happened.stream, tag: happened.tag)
        case .end: return .end(stream: happened.stream, tag: happened.tag)
        case .reset: return .reset(stream: happened.stream, tag: happened.tag, code: happened.code)
        case .goAway: return .goAway
        case .pingAcknowledged: return .pingAcknowledged
        case .settings: return next(bytes, count, at: &offset)
        case .failed: return .failed(mux.failure ?? .internalFailure)
        }
    }

    /// The head of the request or the trailers just announced; valid until the next call of `next`.
    public var head: UnsafeBufferPointer<UInt8> { mux.head?.bytes ?? UnsafeBufferPointer(start: nil, count: 0) }

    /// Whether `next` has an event although no byte came; to be asked after `write`.
    public var hasNews: Bool { mux.hasNews }

    /// Content of a stream has gone on: the client may send as much again.
    public func consumed(_ stream: Int32, _ count: Int) { mux.consume(stream, count) }

    // MARK: The caller's name for a stream

    /// What `setTag` gave the stream; -1 if nothing, or if the stream is unknown.
    public func tag(_ stream: Int32) -> Int32 { mux.streams.find(stream)?.tag ?? -1 }

    /// Gives a stream a number, which comes with each of its events.
    public func setTag(_ stream: Int32, _ tag: Int32) { mux.streams.find(stream)?.tag = tag }

    // MARK: Answering

    /// Sends the final head: a status line, field lines and an empty line, as for HTTP/1.
    ///
    /// The fields of the connection are left out; the 101 of a WebSocket becomes a 200 (RFC 8441). With `ends` the
    /// answer has no content. False if the stream is gone.
    @discardableResult
    public func respond(_ stream: Int32, head: UnsafeBufferPointer<UInt8>, ends: Bool) -> Bool {
        mux.respond(stream, head, ends: ends, isFinal: true)
    }

    /// Sends an interim head (100, 103).
    @discardableResult
    public func respondInterim(_ stream: Int32, head: UnsafeBufferPointer<UInt8>) -> Bool {
        mux.respond(stream, head, ends: false, isFinal: false)
    }

    /// Queues content of an answer; false if the stream is gone or holds more than `queueMost`.
    @discardableResult
    public func send(_ stream: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        mux.send(stream, bytes, count)
    }

    /// The answer is complete; no further event of this stream comes.
    ///
    /// An answer that is never finished never looks complete: the stream stays open until it is reset.
    public func finish(_ stream: Int32) { mux.finish(stream, trailers: nil) }

    /// The answer is complete with trailers: field lines, with or without an empty line.
    public func finish(_ stream: Int32, trailers: UnsafeBufferPointer<UInt8>) {
        mux.finish(stream, trailers: trailers)
    }

    /// Our direction of a tunnel is complete; the client's goes on.
    public func endWriting(_ stream: Int32) { mux.finish(stream, trailers: nil, listens: true) }

    /// What the client still sends is dropped; no further event of this stream comes.
    public func ignoreRest(_ stream: Int32) {
        if let record = mux.streams.find(stream) { mux.ignoreRest(record) }
    }

    /// Ends a stream at once; no further event of it comes.
    ///
    /// `isClientFault` counts it in the budget of provoked resets.
    public func reset(_ stream: Int32, _ code: UInt32, isClientFault: Bool = false) {
        guard let record = mux.streams.find(stream) else { return }
        mux.ignoreRest(record)
        mux.resetStream(record, code, byChoice: !isClientFault)
    }

    /// Ends a stream whose answer cannot be completed: what is queued goes first; no further event of it comes.
    public func cut(_ stream: Int32) {
        guard let record = mux.streams.find(stream) else { return }
        mux.ignoreRest(record)
        mux.cut(record)
    }

    /// Bytes of a stream that are queued and not framed.
    public func backlog(_ stream: Int32) -> Int { mux.streams.find(stream)?.backlog ?? 0 }

    /// A stream whose backlog had reached `queueHigh` and has fallen to `queueLow`; to be asked after `write` until nil.
    public func nextDrained() -> (stream: Int32, tag: Int32)? {
        guard let record = mux.popDrained() else { return nil }
        return (record.id, record.tag)
    }

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
    /// Bytes of memory that this connection makes us hold: content not passed on, and content not taken.
    public var heldBytes: Int { mux.totalHeld &+ mux.totalBacklog }
    /// Since when content waits without any being taken, in `now`'s milliseconds; -1 if none waits.
    public var stalledSince: Int64 { mux.totalBacklog > 0 ? mux.lastProgress : -1 }
    /// Since when a frame or field section has been incomplete, in `now`'s milliseconds; -1 if none is.
    public var partialSince: Int64 { mux.partialSince }
    /// Why the connection has failed, if it has.
    public var failure: HTTP2Error? { mux.failure }

    /// Resets streams whose content nobody has taken since `time`, and says whether there were any.
    ///
    /// The connection fails when they hold too much.
    public func dropStalled(since time: Int64) -> Bool { mux.dropStalled(since: time) }

    /// Lets go of content that will never be sent, once the connection has failed; GOAWAY still is.
    public func dropContent() { mux.dropContent() }

    /// Ends the connection with ENHANCE_YOUR_CALM: the client keeps us waiting.
    public func giveUp() { mux.fail(.connection(code: HTTP2Code.enhanceYourCalm)) }

    /// Tells the client to open no further stream, but accepts what is on its way (RFC 9113 §6.8).
    ///
    /// A ping follows: with its answer, everything that the client sent before it heard of it has come.
    public func beginShutdown() { mux.beginShutdown() }

    /// Says which stream was the last; a round trip or more after `beginShutdown`.
    public func finishShutdown() { mux.finishShutdown() }

    /// Asks the client for a sign of life; `.pingAcknowledged` follows.
    public func ping() { mux.ping() }

    /// Whether the answer to a ping has not come yet.
    public var awaitsPing: Bool { mux.pingsOut > 0 }
}
