// HOT. A multiplexed connection to a backend: connects, moves bytes between socket and codec, events to the streams.
import Bytes
import Glibc
import HTTP
import HTTP2
import Reactor
import TLS
import Telemetry
import Upstreams

/// An HTTP/2 connection to a backend, which carries many exchanges at once.
///
///     connecting ──► handshaking ──► open ──GOAWAY, ids run out──► retiring ──last stream ended──► closed
///
/// Owned by its worker's table; `Backend.shared` holds its registration while it takes requests.
final class HTTP2Backend {
    enum Phase {
        case connecting, handshaking, open
        /// It takes no further request.
        case retiring
        case closed
    }

    let worker: Worker
    let descriptor: Int32
    let key: UInt64
    let backend: Backend
    let upstream: Upstream
    let codec: ClientCodec
    private(set) var phase = Phase.connecting
    private let security: UpstreamSecurity?
    private var transport: Transport
    private let limits: HTTP2Limits
    private var streams: [HTTP2UpstreamStream?] = []
    private var free: [Int32] = []
    private var active = 0
    private var output: OutputBuffer?
    private var canRead = false
    private var canWrite = false
    private var hangup = false
    private var willFlush = false
    /// The backend has said how many streams it takes, and whether WebSockets are among them.
    private var knowsPeer = false
    private(set) var idleSince: Int64
    private let timer: TimerID
    private var handshakeDeadline: Int64
    /// Milliseconds of silence after which the backend is asked for a sign of life; 0 for never.
    private let ping: Int64
    /// When the last bytes came, and when it was asked; negative when it was not.
    private var heard: Int64
    private var asked: Int64 = -1

    /// Most content that is queued at once.
    static let largestPiece = 64 * 1024
    static let outputLimit = 64 * 1024
    /// Requests that may wait for a connection that is being made, or for what the backend says of its limits.
    static let maximumWaiting = 100

    init(
        worker: Worker,
        descriptor: Int32,
        isConnected: Bool,
        backend: Backend,
        upstream: Upstream,
        security: UpstreamSecurity?,
        timeout: Int64,
        ping: Int64
    ) {
        self.worker = worker
        self.ping = ping
        heard = worker.now
        self.descriptor = descriptor
        self.backend = backend
        self.upstream = upstream
        self.security = security
        transport = Transport(descriptor: descriptor, tls: nil)
        key = UInt64(worker.nextGeneration(of: descriptor)) << 32 | UInt64(UInt32(bitPattern: descriptor))
        limits = worker.plan.snapshot.http2UpstreamLimits
        codec = ClientCodec(limits: limits, isTLS: security != nil, workspace: worker.workspace)
        idleSince = worker.now
        timer = worker.wheel.make(owner: key)
        handshakeDeadline = worker.now + timeout
        codec.now = worker.now
        worker.wheel.arm(timer, at: handshakeDeadline)
        if isConnected { connected() }
    }

    var isOpen: Bool { phase == .open || phase == .retiring }

    /// Whether another request can be put on it.
    var takesRequests: Bool {
        switch phase {
        case .connecting, .handshaking: active < Self.maximumWaiting
        case .open: !codec.shouldReplace && (knowsPeer ? codec.canOpen : active < Self.maximumWaiting)
        case .retiring, .closed: false
        }
    }

    /// Whether nothing has been on it since then.
    func isIdle(since time: Int64) -> Bool { active == 0 && phase == .open && idleSince <= time }

    /// Whether a request can be sent now, and need not wait until the backend has said what it takes.
    ///
    /// Before that one request goes ahead: any more might be too many, and a WebSocket too much.
    private func mayBegin(upgrades: Bool) -> Bool {
        guard phase == .open else { return false }
        return knowsPeer || !upgrades && codec.openStreams == 0
    }

    /// Puts an exchange on it.
    func makeStream(upgrades: Bool) -> HTTP2UpstreamStream {
        let isConnected = mayBegin(upgrades: upgrades)
        let tag = free.popLast() ?? Int32(streams.count)
        if Int(tag) == streams.count { streams.append(nil) }
        let stream = HTTP2UpstreamStream(carrier: self, tag: tag, isConnected: isConnected)
        streams[Int(tag)] = stream
        if active == 0, ping > 0 { wake(worker.now &+ ping) }
        active += 1
        return stream
    }

    func released(_ stream: HTTP2UpstreamStream) {
        guard streams[Int(stream.tag)] === stream else { return }
        streams[Int(stream.tag)] = nil
        free.append(stream.tag)
        active -= 1
        guard active == 0 else { return }
        idleSince = worker.now
        if phase == .retiring || backend.isRetired || takesNothing { closeLater() }
    }

    /// A request ended unanswered, and nothing has come since it was sent: the way there may be gone, which the kernel
    /// would tell a quarter of an hour later; what is on it goes on, but further requests go elsewhere.
    func doubt(since begun: Int64) {
        guard phase == .open, heard <= begun else { return }
        phase = .retiring
        backend.forget(shared: key)
    }

    // MARK: Events

    func ready(_ readiness: Readiness) {
        codec.now = worker.now
        if !readiness.isDisjoint(with: .halfClosed.union(.failed)) { hangup = true }
        let isReadable = !readiness.isDisjoint(with: .readable)
        let isWritable = !readiness.isDisjoint(with: .writable)
        if isReadable {
            canRead = true
            transport.becameReadable()
        }
        if phase == .connecting {
            guard isWritable else { return }
            let code = Socket.error(of: descriptor)
            if code != 0 { return connectFailed(code) }
            connected()
        }
        if phase == .handshaking { shakeHands() }
        guard isOpen else { return }
        if !canWrite, isWritable || isReadable && transport.writesWhenReadable {
            canWrite = true
            if transport.readsWhenWritable { canRead = true }
            flushLater()
        }
        pump()
    }

    func resume() {
        codec.now = worker.now
        guard isOpen else { return }
        pump()
    }

    private func connected() {
        guard let security else { return open() }
        phase = .handshaking
        guard let tls = security.connect(descriptor, backend: backend, worker: worker) else {
            return handshakeFailed(nil)
        }
        transport = Transport(descriptor: descriptor, tls: tls)
        shakeHands()
    }

    private func shakeHands() {
        guard let tls = transport.tls else { return }
        switch tls.handshake() {
        case .wantRead, .wantWrite: break
        case .done:
            canRead = true
            open()
        case .failed(let failure): handshakeFailed(failure)
        }
    }

    private func open() {
        phase = .open
        canWrite = true
        handshakeDeadline = .max
        beginWaiting()
        flushLater()
        if canRead { worker.laterUpstream(key) }
    }

    /// The backend takes no request at all, and another connection to it would fare no better.
    private var takesNothing: Bool {
        knowsPeer && phase == .open && codec.openStreams == 0 && !codec.canOpen && !codec.shouldReplace
    }

    /// Begins what waits, as far as the backend takes it; the rest goes elsewhere.
    private func beginWaiting() {
        for case let stream? in streams where !stream.isConnected {
            guard let exchange = stream.exchange else { continue }
            if mayBegin(upgrades: exchange.upgrade), codec.canOpen {
                stream.opened()
            } else if takesNothing {
                exchange.connectFailed(stream, code: ECONNREFUSED)
            } else if knowsPeer || phase != .open {
                exchange.leaseElsewhere()
            }
        }
    }

    private func connectFailed(_ code: Int32) { failAll { $0.connectFailed($1, code: code) } }

    private func handshakeFailed(_ failure: TLSFailure?) {
        if let failure { security?.report(failure, backend: backend, worker: worker) }
        failAll { $0.handshakeFailed($1) }
    }

    private func failAll(_ tell: (Exchange, UpstreamConnection) -> Void) {
        let lost = streams
        close()
        for case let stream? in lost {
            if let exchange = stream.exchange { tell(exchange, stream) } else { stream.close() }
        }
    }

    private func pump() {
        var rounds = 0
        while canRead, isOpen {
            if rounds == 4 { return worker.laterUpstream(key) }
            rounds += 1
            let bytes = worker.backendFrames
            let count = transport.read(bytes, Worker.framesSize)
            guard count > 0 else {
                canRead = false
                if count != IO.wouldBlock { lost() }
                return
            }
            heard = worker.now
            if !hangup, !transport.mayHaveMore(after: count, of: Worker.framesSize) { canRead = false }
            receive(bytes, count)
        }
    }

    private func receive(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        var offset = 0
        while isOpen {
            switch codec.next(bytes, count, at: &offset) {
            case .needMore:
                if codec.wantsWrite { flushLater() }
                return
            case .response(let id, let tag, _, let isComplete):
                let head = codec.head
                guard let stream = stream(tag, id), let exchange = stream.exchange, let start = head.baseAddress
                else { continue }
                exchange.streamAnswered(UnsafeMutablePointer(mutating: start), head.count, ends: isComplete)
            case .data(let id, let tag, let content, let isLast):
                if let stream = stream(tag, id) {
                    stream.received(content, isLast: isLast)
                } else {
                    codec.consumed(id, content.count)
                }
            case .trailers(let id, let tag):
                let text = codec.head
                guard let exchange = stream(tag, id)?.exchange, let start = text.baseAddress else { continue }
                exchange.streamTrailers(UnsafeMutablePointer(mutating: start), text.count)
            case .end(let id, let tag): stream(tag, id)?.exchange?.streamEnded()
            case .reset(let id, let tag, _, let isRefused): stream(tag, id)?.lost(isRefused ? .refused : .reset)
            case .goAway: retire()
            case .settings:
                knowsPeer = true
                beginWaiting()
            case .pingAcknowledged: break
            case .failed:
                worker.metrics.add(.http2UpstreamErrors, 1)
                lost()
            }
        }
    }

    private func stream(_ tag: Int32, _ id: Int32) -> HTTP2UpstreamStream? {
        guard tag >= 0, Int(tag) < streams.count, let stream = streams[Int(tag)] else { return nil }
        return stream.id == id ? stream : nil
    }

    // MARK: Writing

    func isFull(_ id: Int32) -> Bool { codec.backlog(id) >= limits.queueHigh }

    func flushLater() {
        guard !willFlush, phase != .closed else { return }
        willFlush = true
        worker.flushLater(key)
    }

    func flush() {
        willFlush = false
        guard isOpen else { return }
        codec.now = worker.now
        if let output { sendQueued(output) }
        var rounds = 0
        while canWrite, isOpen, output == nil, codec.wantsWrite {
            if rounds == 8 { return flushLater() }
            rounds += 1
            let frames = worker.compose
            frames.removeAll()
            codec.write(into: frames, limit: 48 * 1024)
            if frames.isEmpty { break }
            send(frames)
            frames.removeAll()
            while let (id, tag) = codec.nextDrained() { stream(tag, id)?.exchange?.flushRequest() }
        }
        if isOpen, codec.hasNews {
            var nothing: UInt8 = 0
            receive(&nothing, 0)
        }
        if isOpen, codec.shouldReplace { retire() }
    }

    private func send(_ frames: OutputBuffer) {
        let n = transport.write(frames.readable, frames.count)
        if n == frames.count { return }
        if n < 0, n != IO.wouldBlock { return lost() }
        canWrite = false
        let sent = max(0, n)
        let buffer = frames.count - sent > 12 * 1024 ? worker.large.take() : worker.small.take()
        buffer.append(frames.readable + sent, frames.count - sent)
        output = buffer
    }

    private func sendQueued(_ buffer: OutputBuffer) {
        while canWrite, !buffer.isEmpty {
            let n = transport.write(buffer.readable, buffer.count)
            if n == IO.wouldBlock {
                canWrite = false
                return
            }
            if n < 0 { return lost() }
            buffer.consume(n)
        }
        if buffer.isEmpty { dropOutput() }
    }

    private func dropOutput() {
        guard let buffer = output else { return }
        if buffer.capacity > 64 * 1024 { worker.large.give(buffer) } else { worker.small.give(buffer) }
        output = nil
    }

    // MARK: Ends

    /// The backend wants no further request, or there are no more numbers for them.
    private func retire() {
        guard phase == .open else { return }
        phase = .retiring
        backend.forget(shared: key)
        beginWaiting()
        if active == 0 { closeLater() }
    }

    private func closeLater() {
        handshakeDeadline = worker.now
        worker.wheel.arm(timer, at: worker.now + 1)
    }

    /// The connection is gone: what had not been answered may have been acted upon.
    private func lost() {
        if let failure = rejection { return handshakeFailed(failure) }
        let all = streams
        close()
        for case let stream? in all { stream.lost(stream.id == 0 ? .refused : .connectionLost) }
    }

    /// Why a backend that has said nothing yet turned us away, in the words of TLS.
    private var rejection: TLSFailure? {
        guard isOpen, !knowsPeer, let tls = transport.tls, let failure = tls.failure else { return nil }
        // A write that failed says nothing; what there is to read may.
        if failure.kind != .alertReceived { _ = tls.read(worker.backendFrames, Worker.framesSize) }
        return tls.failure.flatMap { $0.kind == .alertReceived ? $0 : nil }
    }

    /// Closes a connection that carries nothing; returns whether it did.
    @discardableResult
    func closeIfIdle() -> Bool {
        guard active == 0 else {
            retire()
            return false
        }
        codec.shutdown()
        flush()
        close()
        return true
    }

    func close() {
        guard phase != .closed else { return }
        phase = .closed
        backend.forget(shared: key)
        dropOutput()
        worker.wheel.remove(timer)
        worker.retire(descriptor)
    }

    func timerFired() {
        guard phase != .closed else { return }
        if worker.now < handshakeDeadline {
            if handshakeDeadline < .max { worker.wheel.arm(timer, at: handshakeDeadline) }
            return askForLife()
        }
        switch phase {
        case .connecting, .handshaking:
            worker.metrics.timedOut(.upstreamConnect)
            failAll { exchange, _ in exchange.connectTimedOut() }
        case .open, .retiring: closeIfIdle()
        case .closed: break
        }
    }

    private func wake(_ due: Int64) {
        if worker.wheel.due(timer) > due { worker.wheel.arm(timer, at: due) }
    }

    /// Asks a backend for a sign of life that says nothing to open requests; without one in time the connection is over.
    private func askForLife() {
        guard active > 0, ping > 0, isOpen else { return }
        if heard >= asked { asked = -1 }
        let patience = worker.plan.timeouts.keepaliveAnswer
        if asked >= 0, worker.now >= asked &+ patience {
            worker.metrics.timedOut(.upstreamKeepalive)
            return lost()
        }
        if asked < 0, worker.now >= heard &+ ping {
            asked = worker.now
            codec.now = worker.now
            codec.ping()
            flushLater()
        }
        wake(asked >= 0 ? asked &+ patience : heard &+ ping)
    }
}
