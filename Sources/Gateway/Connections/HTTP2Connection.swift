// HOT. A client's HTTP/2 connection: moves bytes between its socket and the codec, and events to the streams.
import Bytes
import Glibc
import HTTP
import HTTP2
import Reactor
import TLS
import Telemetry

/// A connection that carries many exchanges at once.
///
///     open ──drain, too many requests──► draining ──last stream ended──► closing ──all is sent──► lingering ──► closed
///       ├──────────failed, idle for too long──────────────────────────────►┤
///       └──────────failed, and its client does so often──────► waiting ────►┘
///
/// Owned by its worker's table.
final class HTTP2Connection {
    enum Phase {
        case open
        /// The client was told to open no further stream, but some may be on their way.
        case draining
        /// It has failed, and is told so later: its client had many connections ended, and would come again at once.
        case waiting
        /// Nothing is read any more; what is queued is sent.
        case closing
        /// Our direction is closed; what still comes is read and dropped.
        case lingering
        case closed
    }

    let worker: Worker
    let transport: Transport
    let key: UInt64
    let peer: IPAddress
    let listener: ListenerPlan
    let codec: ServerCodec
    var phase = Phase.open
    /// What it was told, in its SETTINGS and by its budgets.
    let limits: HTTP2Limits
    /// The certificate that the client showed, for all streams; nil without one.
    let certificate: ClientCertificate?
    private var streams: [HTTP2Stream] = []
    private var free: [Int32] = []
    /// Streams that wait to be run again.
    private var queued: [Int32] = []
    var active = 0
    var requests: UInt32 = 0
    var output: OutputBuffer?
    private var canRead = true
    private var canWrite = true
    var hangup = false
    private var willFlush = false
    /// Bytes that were read and dropped.
    private var dropped = 0
    /// The client has had many connections ended, this one included.
    var wasPutOff = false
    /// Its share of the worker's time.
    var turn = ConnectionTurn()
    let timer: TimerID
    var deadline = Int64.max
    /// When the next step of a drain is due; before it has begun, its begin.
    var shutdownAt = Int64.max
    var writeStalled: Int64 = 0
    /// When the last bytes came, and when the client was asked for a sign of life; negative when it was not.
    var heard: Int64
    var asked: Int64 = -1

    /// Most milliseconds between the two steps of a drain, for clients that do not answer the ping between them.
    static let drainGrace: Int64 = 1000
    /// Most milliseconds for which a shutdown without haste waits for a moment without requests.
    static let quietPatience: Int64 = 10_000
    /// From this stream on the client is asked to make a new connection, long before numbers run out.
    static let lastStream: Int32 = 1 << 30
    /// Most bytes that wait for the socket before frames are kept in the codec.
    static let outputLimit = 64 * 1024
    /// Most bytes that a client may go on sending after its connection has failed.
    static let dropLimit = 4 << 20

    init(worker: Worker, transport: Transport, key: UInt64, peer: IPAddress, listener: ListenerPlan) {
        self.worker = worker
        self.transport = transport
        self.key = key
        self.peer = peer
        self.listener = listener
        limits = worker.plan.snapshot.http2Limits(for: peer)
        heard = worker.now
        codec = ServerCodec(limits: limits, isTLS: transport.tls != nil, workspace: worker.workspace)
        timer = worker.wheel.make(owner: key)
        certificate = transport.tls.flatMap { ClientCertificate($0, listener) }
    }

    /// The connection is in the table; `first` are bytes that were read already.
    func opened(_ first: UnsafeBufferPointer<UInt8>? = nil) {
        worker.metrics.adjust(.http2ConnectionsOpen, by: 1)
        setDeadline(worker.now + worker.plan.timeouts.headers)
        codec.now = worker.now
        turn.begin()
        var isDone = true
        if let first, let start = first.baseAddress { isDone = take(start, first.count) }
        if isDone { pump() }
        flush()
    }

    // MARK: Events

    func ready(_ readiness: Readiness) {
        codec.now = worker.now
        if !readiness.isDisjoint(with: .halfClosed.union(.failed)) { hangup = true }
        let isReadable = !readiness.isDisjoint(with: .readable)
        if isReadable {
            canRead = true
            transport.becameReadable()
        }
        if !canWrite, !readiness.isDisjoint(with: .writable) || isReadable && transport.writesWhenReadable {
            canWrite = true
            if transport.readsWhenWritable { canRead = true }
            flushLater()
        }
        if readiness.contains(.error) { return close() }
        if turn.isHeavy, isReadable { return worker.later(key) }
        turn.begin()
        pump()
    }

    /// A turn later, after a share of work was used up.
    func resume() {
        codec.now = worker.now
        turn.begin()
        if !queued.isEmpty {
            let due = queued
            queued.removeAll(keepingCapacity: true)
            for tag in due { streams[Int(tag)].pump() }
        }
        pump()
    }

    /// Reads what the client sends after the end, so that a reset does not overtake our last frames.
    private func discard() {
        var rounds = 0
        while canRead {
            if rounds == 4 { return worker.later(key) }
            rounds += 1
            let count = transport.read(worker.frames, Worker.framesSize)
            if count == IO.wouldBlock {
                canRead = false
                return
            }
            dropped += max(0, count)
            if count <= 0 || dropped > (wasPutOff ? Self.dropLimit >> 4 : Self.dropLimit) { return close() }
        }
    }

    /// Runs a stream again in the next turn.
    func pumpLater(_ tag: Int32) {
        if queued.isEmpty { worker.later(key) }
        queued.append(tag)
    }

    private func pump() {
        if phase == .lingering { return discard() }
        guard takeWaiting() else { return turn.end() }
        var rounds = 0
        while canRead, phase == .open || phase == .draining {
            // The client does not take what we have to say: nothing more of it is heard.
            if (output?.count ?? 0) >= Self.outputLimit { return }
            if rounds == 4 {
                worker.later(key)
                break
            }
            rounds += 1
            let bytes = worker.frames
            let count = transport.read(bytes, Worker.framesSize)
            guard count > 0 else {
                canRead = false
                if count != IO.wouldBlock { return ended() }
                return
            }
            worker.metrics.add(.bytesIn, UInt64(count))
            heard = worker.now
            if !hangup, !transport.mayHaveMore(after: count, of: Worker.framesSize) { canRead = false }
            if !take(bytes, count) { break }
        }
        turn.end()
    }

    /// Deals with what came from `offset` on; false when the turn was over before all was dealt with.
    func receive(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ offset: inout Int) -> Bool {
        while phase == .open || phase == .draining {
            switch codec.next(bytes, count, at: &offset) {
            case .needMore:
                if codec.wantsWrite || codec.isFinished { flushLater() }
                let since = codec.partialSince
                if since >= 0 { wake(since + worker.plan.timeouts.headers) }
                return true
            case .request(let id, let isComplete, let isTunnel): begin(id, isComplete: isComplete, isTunnel: isTunnel)
            case .refuse(let id, let error, let isHead):
                worker.refused(error)
                let stream = take(id, hasContent: false)
                let exchange = worker.takeExchange()
                stream.exchange = exchange
                exchange.refuse(stream, Problem(error), to: isHead ? .head : .other, reading: codec.head)
            case .data(let id, let tag, let content, let isLast):
                if let stream = stream(tag, id) {
                    stream.received(content, isLast: isLast)
                } else {
                    codec.consumed(id, content.count)
                }
            case .trailers(let id, let tag):
                guard let stream = stream(tag, id) else { continue }
                stream.ended()
                let text = codec.head
                guard let start = text.baseAddress else { continue }
                stream.exchange?.requestTrailersCame(UnsafeMutablePointer(mutating: start), text.count)
            case .end(let id, let tag):
                guard let stream = stream(tag, id) else { continue }
                stream.ended()
                stream.pump()
            case .reset(let id, let tag, _): stream(tag, id)?.lost()
            case .goAway: break
            case .pingAcknowledged: if phase == .draining, !codec.awaitsPing { finishShutdown() }
            case .failed(let error): failed(error)
            }
            if turn.isOver() { return false }
        }
        return true
    }

    /// Sends a request on that was held, unless it was withdrawn.
    func forwardHeld(_ tag: Int32) { streams[Int(tag)].exchange?.forwardHeld() }

    private func stream(_ tag: Int32, _ id: Int32) -> HTTP2Stream? {
        guard tag >= 0, Int(tag) < streams.count else { return nil }
        let stream = streams[Int(tag)]
        return stream.id == id ? stream : nil
    }

    // MARK: Requests

    private func take(_ id: Int32, hasContent: Bool) -> HTTP2Stream {
        let stream: HTTP2Stream
        if let tag = free.popLast() {
            stream = streams[Int(tag)]
        } else {
            stream = HTTP2Stream(carrier: self, tag: Int32(streams.count))
            streams.append(stream)
        }
        stream.open(id, hasContent: hasContent)
        codec.setTag(id, stream.tag)
        if active == 0 { watchLife() }
        active += 1
        return stream
    }

    private func begin(_ id: Int32, isComplete: Bool, isTunnel: Bool) {
        let stream = take(id, hasContent: !isComplete)
        // What follows is no content of the request, but what goes through the tunnel.
        stream.wantsTunnel = isTunnel
        if isTunnel { stream.hasContent = false }
        requests &+= 1
        if phase == .open { limitRequests(id) }
        let head = codec.head
        guard let start = head.baseAddress else { return stream.close() }
        let exchange = worker.takeExchange()
        stream.exchange = exchange
        let request = worker.requestHead
        let limits = worker.plan.streamHeadLimits
        switch RequestParser.parse(Span(_unsafeElements: head), into: request, limits: limits) {
        case .complete: exchange.begin(stream, UnsafeMutablePointer(mutating: start), isLast: false)
        case .needMore: exchange.refuse(stream, Problem(.requestLineMalformed), to: request.method, reading: head)
        case .refuse(let error):
            worker.refused(error)
            exchange.refuse(stream, Problem(error), to: request.method, reading: head)
        }
    }

    /// Asks the client for a new connection when this one has served enough.
    private func limitRequests(_ id: Int32) {
        if worker.isDraining || id > Self.lastStream { beginShutdown() }
    }

    /// A stream is free for another request.
    func released(_ stream: HTTP2Stream) {
        free.append(stream.tag)
        active -= 1
        guard active == 0 else { return }
        if shutdownAt < .max { becameQuiet() }
        setDeadline(worker.now + (phase == .draining ? Self.drainGrace : worker.plan.timeouts.idle))
    }

    // MARK: Writing

    /// Whether a stream holds as much as it may.
    func isFull(_ id: Int32) -> Bool { codec.backlog(id) >= limits.queueHigh }

    /// Sends what is queued at the end of this turn, all streams' frames together.
    func flushLater() {
        guard !willFlush, phase != .closed, phase != .lingering, phase != .waiting else { return }
        willFlush = true
        worker.flushLater(key)
    }

    /// Sends what the socket takes.
    func flush() {
        willFlush = false
        guard phase != .closed, phase != .lingering, phase != .waiting else { return }
        codec.now = worker.now
        if let output { sendQueued(output) }
        var rounds = 0
        while canWrite, output == nil, codec.wantsWrite {
            // Frames of a busy connection leave room for the others' work.
            if rounds == 8 { return flushLater() }
            rounds += 1
            let frames = worker.compose
            frames.removeAll()
            codec.write(into: frames, limit: 48 * 1024)
            if frames.isEmpty { break }
            send(frames)
            frames.removeAll()
            wakeDrained()
        }
        if output != nil || codec.stalledSince >= 0 { wake(worker.now + worker.plan.timeouts.write) }
        if codec.hasNews, phase != .closing {
            var nothing: UInt8 = 0
            turn.begin()
            _ = take(&nothing, 0)
        }
        guard phase != .waiting, phase == .closing || codec.isFinished, output == nil else { return }
        finishClosing()
    }

    private func wakeDrained() {
        while let (id, tag) = codec.nextDrained() { stream(tag, id)?.exchange?.clientHasRoom() }
    }

    private func send(_ frames: OutputBuffer) {
        let n = transport.write(frames.readable, frames.count)
        if n == frames.count { return }
        if n < 0, n != IO.wouldBlock { return close() }
        canWrite = false
        let sent = max(0, n)
        let buffer = frames.count - sent > 12 * 1024 ? worker.large.take() : worker.small.take()
        buffer.append(frames.readable + sent, frames.count - sent)
        output = buffer
        writeStalled = worker.now
    }

    private func sendQueued(_ buffer: OutputBuffer) {
        while canWrite, !buffer.isEmpty {
            let n = transport.write(buffer.readable, buffer.count)
            if n == IO.wouldBlock {
                canWrite = false
                return
            }
            if n < 0 { return close() }
            writeStalled = worker.now
            buffer.consume(n)
        }
        guard buffer.isEmpty else { return }
        dropOutput()
        // Reading had stopped while the client did not take what it was sent.
        if canRead || turn.waiting != nil { worker.later(key) }
    }

    private func dropOutput() {
        guard let buffer = output else { return }
        give(buffer)
        output = nil
    }

    // MARK: Ends

    private func failed(_ error: HTTP2Error) {
        if case .calm(let kind) = error { worker.metrics.hit(kind.limit) }
        if case .connection = error { worker.metrics.add(.http2ProtocolErrors, 1) }
        if case .preface = error { worker.metrics.add(.http2ProtocolErrors, 1) }
        loseStreams()
        codec.dropContent()
        if !putOffEnd(error) { beginClosing() }
    }

    /// Nothing more is read; what is queued has a moment to be sent.
    func beginClosing() {
        phase = .closing
        setDeadline(worker.now + worker.plan.timeouts.linger)
        flushLater()
    }

    /// The client ended its direction, or the socket failed: nothing of it can be answered any more.
    private func ended() {
        loseStreams()
        close()
    }

    private func loseStreams() {
        for stream in streams { stream.lost() }
    }

    private func finishClosing() {
        guard phase != .closed, phase != .lingering else { return }
        loseStreams()
        phase = .lingering
        transport.endWriting()
        setDeadline(worker.now + worker.plan.timeouts.linger)
        discard()
    }

    func close() {
        guard phase != .closed else { return }
        endWaiting()
        if requests == 0, transport.tls != nil { worker.cameToNothing(peer) }
        phase = .closed
        loseStreams()
        dropOutput()
        if let waiting = turn.waiting { give(waiting) }
        turn.waiting = nil
        worker.wheel.remove(timer)
        worker.metrics.adjust(.http2ConnectionsOpen, by: -1)
        worker.closed(transport.descriptor, listener)
    }

    /// The worker drains, or this connection has served enough.
    func drain() {
        codec.now = worker.now
        if phase == .open { beginShutdown() }
    }

    func beginShutdown() {
        phase = .draining
        codec.beginShutdown()
        shutdownAt = worker.now + Self.drainGrace
        setDeadline(min(deadline, shutdownAt))
        flushLater()
    }

    /// Everything that was on its way when the shutdown began has come.
    func finishShutdown() {
        guard shutdownAt < .max else { return }
        shutdownAt = .max
        codec.finishShutdown()
        flushLater()
    }

    /// The worker's patience is over.
    func abort() {
        Socket.abortOnClose(transport.descriptor)
        close()
    }
}
