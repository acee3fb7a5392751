// HOT. One TLS connection: handshake, non-blocking reads and writes in the manner of `Socket`, one close_notify.
internal import CLinux
internal import COpenSSL
public import Reactor

extension IO {
    /// The other side ended the connection without saying so (no close_notify): what came may be cut short.
    public static let truncated = -3
}

/// What a step of a handshake came to.
public enum HandshakeStep: Equatable, Sendable {
    /// The connection can be read and written.
    case done
    /// Go on when the socket is readable.
    case wantRead
    /// Go on when the socket is writable.
    case wantWrite
    /// Close the connection.
    case failed(TLSFailure)
}

/// A TLS connection over a non-blocking socket, owned by one worker.
///
/// The descriptor stays its owner's: close it after the last use of the stream. Keeps its ``ServerTLS`` or
/// ``ClientTLS`` alive.
public final class TLSStream {
    let ssl: OpaquePointer
    let wire: UnsafeMutablePointer<Wire>
    let server: ServerTLS?
    let client: ClientTLS?
    /// Where new sessions with an upstream go, and under which name.
    var sessions: SessionCache?
    var sessionKey = 0
    /// Whether the handshake is done.
    public private(set) var isOpen = false
    /// Whether a read that would block waits for room to write (a key update has to be answered): then try it again
    /// when the socket is writable as well.
    public private(set) var readNeedsWritable = false
    /// Whether a write that would block waits for bytes to read: then try it again when the socket is readable as well.
    public private(set) var writeNeedsReadable = false
    /// Why the last operation failed.
    public private(set) var failure: TLSFailure?
    /// Set by the callback that chooses certificates.
    var refusedName = false
    /// Set by the callback that judges certificates of clients.
    var refusedCertificate = false
    private var hasShutDown = false
    private var extraMessages = 0
    private var extraSince: Int64 = 0

    /// Takes `ssl` over; one of `server` and `client` is given.
    init?(_ ssl: OpaquePointer, _ descriptor: Int32, server: ServerTLS? = nil, client: ClientTLS? = nil) {
        self.ssl = ssl
        self.server = server
        self.client = client
        wire = .allocate(capacity: 1)
        wire.initialize(to: Wire(descriptor: descriptor))
        guard let bio = Wire.makeBIO(wire) else {
            ErrorQueue.clear()
            return nil
        }
        SSL_set_bio(ssl, bio, bio)
        pc_SSL_set_app_data(ssl, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        // Without this OpenSSL takes the session for bad when a connection ends without close_notify.
        if client != nil, isOpen, failure == nil { SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN) }
        SSL_free(ssl)
        wire.deallocate()
    }

    /// The stream of a connection, not retained.
    static func of(_ ssl: OpaquePointer) -> Unmanaged<TLSStream>? {
        pc_SSL_get_app_data(ssl).map { Unmanaged.fromOpaque($0) }
    }

    /// The socket.
    public var descriptor: Int32 { wire.pointee.descriptor }

    // MARK: Handshake

    /// Goes on with the handshake; call it at once after making the stream, and again as it says.
    ///
    /// When it is done, bytes may already wait inside: read without waiting for the poller.
    public func handshake() -> HandshakeStep {
        if isOpen { return .done }
        if let failure { return .failed(failure) }
        ErrorQueue.clear()
        let result = SSL_do_handshake(ssl)
        if result == 1 { return finishHandshake() }
        let step: HandshakeStep
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantRead
        case SSL_ERROR_WANT_WRITE: return .wantWrite
        case SSL_ERROR_SYSCALL: step = fail(wire.pointee.isEnded ? .closed : .lost)
        default: step = fail()
        }
        // The session that was offered may be why.
        if let client { sessions?.remove(client, sessionKey) }
        return step
    }

    private func finishHandshake() -> HandshakeStep {
        if let client, !client.accepts(applicationProtocol) { return fail(.noCommonProtocol) }
        isOpen = true
        extraSince = Clock.milliseconds()
        SSL_set_info_callback(ssl, countMessages)
        return .done
    }

    private var fault: TLSFailure.Fault { client == nil ? .client : .upstream }

    private func fail(_ kind: TLSFailure.Kind, detail: UInt = 0) -> HandshakeStep {
        ErrorQueue.clear()
        let failure = TLSFailure(kind, fault: fault, detail: detail)
        self.failure = failure
        return .failed(failure)
    }

    private func fail() -> HandshakeStep {
        let code = ErrorQueue.take()
        if refusedName { return fail(.unknownName) }
        if refusedCertificate { return fail(.certificateRejected, detail: TLSFailure.unsoundName) }
        if code == 0 { return fail(wire.pointee.isEnded ? .closed : .lost) }
        let failure = TLSFailure(code: code, verification: SSL_get_verify_result(ssl), fault: fault)
        self.failure = failure
        return .failed(failure)
    }

    // MARK: Bytes

    /// Reads up to `count` bytes: 0 is a clean end, negative see ``IO`` (`wouldBlock`, `failed`, `truncated`).
    ///
    /// With an edge-triggered poller go on until it would block or ``mayHaveMore`` is false.
    @inline(__always)
    public func read(_ buffer: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        read(UnsafeMutableRawPointer(buffer), Int32(truncatingIfNeeded: min(count, 1 << 20)))
    }

    @usableFromInline
    func read(_ buffer: UnsafeMutableRawPointer, _ count: Int32) -> Int {
        ErrorQueue.clear()
        readNeedsWritable = false
        let n = SSL_read(ssl, buffer, count)
        if n > 0 { return Int(n) }
        let outcome = outcome(n)
        if outcome == Self.wantsWrite {
            readNeedsWritable = true
            return IO.wouldBlock
        }
        return outcome == Self.wantsRead ? IO.wouldBlock : outcome
    }

    /// Writes up to `count` bytes, negative see ``IO``.
    ///
    /// One call writes one record, 16 KiB at most. After `wouldBlock` the next write must begin with the same bytes,
    /// and be no shorter; where they lie in memory does not matter.
    @inline(__always)
    public func write(_ buffer: UnsafePointer<UInt8>, _ count: Int) -> Int {
        count == 0 ? 0 : write(UnsafeRawPointer(buffer), Int32(truncatingIfNeeded: min(count, 1 << 20)))
    }

    @usableFromInline
    func write(_ buffer: UnsafeRawPointer, _ count: Int32) -> Int {
        ErrorQueue.clear()
        writeNeedsReadable = false
        let n = SSL_write(ssl, buffer, count)
        if n > 0 { return Int(n) }
        let outcome = outcome(n)
        if outcome == Self.wantsRead {
            writeNeedsReadable = true
            return IO.wouldBlock
        }
        return outcome == Self.wantsWrite ? IO.wouldBlock : outcome == 0 ? IO.failed : outcome
    }

    /// Whether another read may bring more without a new event: bytes are inside OpenSSL, or the last read of the
    /// socket took as much as it had room for.
    ///
    /// When the poller also reported an end (`halfClosed`), read on until a read says so.
    public var mayHaveMore: Bool { !wire.pointee.isDrained || SSL_has_pending(ssl) == 1 }

    /// The poller says that there are bytes: what the last read of the socket found is out of date.
    ///
    /// To be told of every such event, also while bytes are still inside OpenSSL, or the event is lost.
    @inline(__always)
    public func becameReadable() { wire.pointee.isDrained = false }

    /// Whether bytes of the other side wait inside OpenSSL, perhaps not a whole record.
    public var hasPending: Bool { SSL_has_pending(ssl) == 1 }

    /// Whether a kept connection still has nothing to say: nothing inside, no byte on the socket, no end, no error.
    ///
    /// A session ticket that came late counts as a byte: read once (it would block) and ask again.
    public var isQuiet: Bool { failure == nil && SSL_has_pending(ssl) == 0 && Socket.isQuiet(descriptor) }

    /// Says that nothing more will be written (close_notify), once; never waits for the answer.
    ///
    /// Returns 0 when it is on its way, `IO.wouldBlock` when the socket has no room: call it again when it has, or
    /// close without it; `IO.failed` when the connection cannot carry it.
    public func shutdown() -> Int {
        if hasShutDown { return 0 }
        guard isOpen, failure == nil else { return IO.failed }
        ErrorQueue.clear()
        let result = SSL_shutdown(ssl)
        if result >= 0 {
            hasShutDown = true
            return 0
        }
        let code = SSL_get_error(ssl, result)
        ErrorQueue.clear()
        if code == SSL_ERROR_WANT_WRITE || code == SSL_ERROR_WANT_READ { return IO.wouldBlock }
        hasShutDown = true
        return IO.failed
    }

    private static let wantsRead = -10
    private static let wantsWrite = -11

    private func outcome(_ result: Int32) -> Int {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return Self.wantsRead
        case SSL_ERROR_WANT_WRITE: return Self.wantsWrite
        case SSL_ERROR_ZERO_RETURN: return 0
        case SSL_ERROR_SYSCALL:
            let hasEnded = wire.pointee.isEnded && !wire.pointee.isFailed
            if failure == nil { _ = fail(extraMessages < 0 ? .tooManyMessages : hasEnded ? .closed : .lost) }
            return hasEnded && extraMessages >= 0 ? IO.truncated : IO.failed
        default:
            // What the other side says is a better reason than that it is gone.
            if failure == nil || failure?.kind == .lost { _ = fail() }
            ErrorQueue.clear()
            return IO.failed
        }
    }

    // MARK: Messages after the handshake

    /// Most messages of the handshake protocol after the handshake in ``extraPeriod``; a busy connection needs a key
    /// update every 350 GB, an upstream sends a few tickets.
    private static let maximumExtraMessages = 64
    private static let extraPeriod: Int64 = 60_000

    /// Each costs much more to handle than to send, and OpenSSL handles any number within one read.
    fileprivate func noteMessage() {
        guard isOpen, extraMessages >= 0 else { return }
        let now = Clock.milliseconds()
        if now - extraSince > Self.extraPeriod {
            extraSince = now
            extraMessages = 0
        }
        extraMessages += 1
        guard extraMessages > Self.maximumExtraMessages else { return }
        extraMessages = -1
        Socket.shutdownBoth(descriptor)
    }
}

private let countMessages: @convention(c) (OpaquePointer?, Int32, Int32) -> Void = { ssl, event, _ in
    guard event & SSL_CB_LOOP != 0, let ssl else { return }
    TLSStream.of(ssl)?._withUnsafeGuaranteedRef { $0.noteMessage() }
}
