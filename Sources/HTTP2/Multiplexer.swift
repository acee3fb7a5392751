// HOT. One HTTP/2 connection without its socket: the nghttp2 session, its streams and budgets. Both codecs are faces of it.
import Bytes
import CNghttp2
import HTTP

/// What happened, for whoever pulls; one at a time.
struct Occurrence {
    enum Kind {
        case none, head, refuse, data, trailers, end, reset, goAway, settings, pingAcknowledged, failed
    }
    var kind = Kind.none
    var stream: Int32 = 0
    var tag: Int32 = -1
    var code: UInt32 = 0
    /// The message is complete with this.
    var isLast = false
    /// Of a request: it is an extended CONNECT; of a refused one: its method is HEAD; of a response: it is an interim
    /// one; of a reset: it may be retried.
    var flag = false
    var bytes = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    var error = ProtocolError.headTooLarge
}

/// The state of one connection; `ServerCodec` and `ClientCodec` translate to and from HTTP/1 heads.
///
///     bytes ──step──► frame header ──judge──► nghttp2 ──callbacks──► pending (one occurrence)
///     queues ──read──► nghttp2 ──sendData──► the caller's buffer
///
/// A final class without `inout` access to its parts while the library runs, because the callbacks come back here.
final class Multiplexer {
    let isServer: Bool
    let isTLS: Bool
    let limits: HTTP2Limits
    let workspace: HTTP2Workspace
    private(set) var session: OpaquePointer
    var streams = StreamTable()
    var budget: AbuseBudget
    /// Milliseconds of a clock that does not run backwards.
    var now: Int64 = 0

    // Receiving.
    var prefaceLeft: Int
    /// A frame header of which only a part has come.
    let partial: UnsafeMutablePointer<UInt8>
    var partialCount = 0
    var frame = FrameHeader()
    /// Bytes of the current frame that have not come yet.
    var frameLeft = 0
    /// When the first byte of the current frame or field section came.
    var frameStarted: Int64 = 0
    /// The current frame brought content.
    var frameHasContent = false
    var priorityParent: UInt32 = 0
    var priorityBytes = 0
    var continuationsSeen = 0
    var highestStream: Int32 = 0
    var pending = Occurrence()
    var closed: StreamRecord?
    var lastClosed: StreamRecord?
    var failure: HTTP2Error?
    /// The other side sent GOAWAY.
    var sawGoAway = false
    var pingsOut = 0

    // The field section that is being received.
    var section = FieldSectionState()
    /// What stands for the mark in it; empty when there is none.
    var credential = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    var head: OutputBuffer?
    var pseudo: OutputBuffer?
    var cookies: OutputBuffer?
    var headIsDone = false

    // Sending.
    unowned(unsafe) var sink: OutputBuffer
    var sinkLimit = 0
    let nothing = OutputBuffer(capacity: 64)
    /// Frames that were written before the caller asked for them.
    var early: OutputBuffer?
    var goAwayWritten = false
    var totalBacklog = 0
    var totalHeld = 0
    /// When content was last sent, or first had to wait.
    var lastProgress: Int64 = 0
    var drained: StreamRecord?
    /// Bytes of content sent since the last frame that a window made tiny.
    var sentSinceTiny = 0

    init(isServer: Bool, isTLS: Bool, limits: HTTP2Limits, workspace: HTTP2Workspace) {
        self.isServer = isServer
        self.isTLS = isTLS
        self.limits = limits
        self.workspace = workspace
        budget = AbuseBudget(limits)
        prefaceLeft = isServer ? 24 : 0
        partial = .allocate(capacity: 9)
        partial.initialize(repeating: 0, count: 9)
        sink = nothing
        session = OpaquePointer(UnsafeRawPointer(partial))
        let user = Unmanaged.passUnretained(self).toOpaque()
        guard let made = Library.shared.session(isServer: isServer, limits: limits, user: user) else {
            // Out of memory: every call is answered without the library.
            failure = .internalFailure
            hasSession = false
            return
        }
        session = made
        submitSettings()
    }

    /// Whether the library could make a session.
    private(set) var hasSession = true

    deinit {
        if hasSession { nghttp2_session_del(session) }
        streams.destroy()
        partial.deallocate()
        var record = closed
        while let current = record {
            record = current.next
            current.next = nil
        }
        record = drained
        while let current = record {
            record = current.nextDrained
            current.nextDrained = nil
        }
    }

    private func submitSettings() {
        var entries: [nghttp2_settings_entry] = []
        func add(_ id: nghttp2_settings_id, _ value: Int) {
            entries.append(
                nghttp2_settings_entry(settings_id: Int32(bitPattern: id.rawValue), value: UInt32(clamping: value))
            )
        }
        if isServer {
            add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.concurrentStreams)
            add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1)
        } else {
            add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0)
        }
        add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindow)
        add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.headerList)
        add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1)
        if limits.headerTable != 4096 { add(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits.headerTable) }
        if limits.frame > 16384 { add(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits.frame) }
        if nghttp2_submit_settings(session, 0, entries, entries.count) != 0 { failure = .internalFailure }
        let window = Int32(clamping: limits.connectionWindow)
        if nghttp2_session_set_local_window_size(session, 0, 0, window) != 0 { failure = .internalFailure }
    }

    /// Ends the connection: nothing is read any more, and all that is still written is GOAWAY.
    @inline(never)
    func fail(_ error: HTTP2Error) {
        if failure == nil { failure = error }
    }

    /// Counts one of `kind`; over the budget the connection fails.
    @inline(__always)
    @discardableResult
    func charge(_ kind: AbuseKind) -> Bool {
        if budget.take(kind, limits, now: now) { return true }
        fail(.calm(kind))
        return false
    }

    // MARK: Streams

    /// Ends a stream from our side.
    ///
    /// `byChoice` is false for an error of the other side, which is counted when the frame is written.
    func resetStream(_ record: StreamRecord, _ code: UInt32, byChoice: Bool) {
        guard failure == nil else { return }
        if byChoice { record.state.insert(.resetByChoice) }
        if !record.state.contains(.remoteEnded) { budget.countReset(limits) }
        noteReset(record)
        dropQueue(record)
        if nghttp2_submit_rst_stream(session, 0, record.id, code) != 0 { fail(.internalFailure) }
    }

    func noteReset(_ record: StreamRecord) {
        guard !record.state.contains(.noted) else { return }
        record.state.insert(.noted)
        streams.noteEnd(record.id, reset: true)
    }

    /// The library has closed a stream.
    func closeStream(_ record: StreamRecord, _ code: UInt32) {
        streams.remove(record)
        record.state.insert(.gone)
        if !record.state.contains(.noted) { streams.noteEnd(record.id, reset: false) }
        dropQueue(record)
        if record.held > 0 {
            totalHeld &-= record.held
            if nghttp2_session_consume_connection(session, record.held) != 0 { fail(.internalFailure) }
            record.held = 0
        }
        record.closeCode = code
        if record.state.contains(.announced), !record.state.contains(.quiet) {
            if let lastClosed { lastClosed.next = record } else { closed = record }
            lastClosed = record
        } else if !record.state.contains(.listed) {
            streams.recycle(record)
        }
    }

    /// The next stream that ended without the caller's doing.
    func popClosed() -> Occurrence? {
        guard let record = closed else { return nil }
        closed = record.next
        if closed == nil { lastClosed = nil }
        record.next = nil
        var happened = Occurrence(kind: .reset, stream: record.id, tag: record.tag, code: record.closeCode)
        happened.flag = record.closeCode == HTTP2Code.refusedStream
        let quiet = record.state.contains(.quiet)
        if !record.state.contains(.listed) { streams.recycle(record) }
        return quiet ? nil : happened
    }

    func dropQueue(_ record: StreamRecord) {
        if let queue = record.queue {
            totalBacklog &-= queue.count
            record.queue = nil
            workspace.pool.give(queue)
        }
        if let trailers = record.trailers {
            record.trailers = nil
            workspace.pool.give(trailers)
        }
    }

    /// Lets go of content that will never be sent, once the connection has failed.
    func dropContent() {
        guard failure != nil else { return }
        streams.forEach { dropQueue($0) }
    }

    /// Gives streams up whose content nobody has taken since `time`; whether there were any.
    ///
    /// Where that is more than a connection may hold for nothing, the connection ends.
    func dropStalled(since time: Int64) -> Bool {
        guard failure == nil, totalBacklog > 0 else { return false }
        var held = 0
        streams.forEach { record in
            if record.backlog > 0, record.progress <= time { held &+= record.backlog }
        }
        if held == 0 { return false }
        guard held <= limits.stalled else {
            fail(.calm(.stalled))
            return true
        }
        streams.forEach { record in
            guard record.backlog > 0, record.progress <= time else { return }
            resetStream(record, HTTP2Code.cancel, byChoice: false)
        }
        return true
    }

    /// Bytes of content have gone on: the other side may send as many again.
    func consume(_ id: Int32, _ count: Int) {
        guard failure == nil, let record = streams.find(id) else { return }
        let count = min(count, record.held)
        guard count > 0 else { return }
        record.held &-= count
        totalHeld &-= count
        let ended = record.state.contains(.remoteEnded)
        let result =
            ended
            ? nghttp2_session_consume_connection(session, count) : nghttp2_session_consume(session, id, count)
        if result != 0 { fail(.internalFailure) }
    }

    /// Bytes of content wait where only their stream can be stopped: the other side may send as many to others.
    func consumeConnection(_ id: Int32, _ count: Int) {
        guard failure == nil, let record = streams.find(id) else { return }
        let count = min(count, record.held)
        record.held &-= count
        totalHeld &-= count
        if count > 0, nghttp2_session_consume_connection(session, count) != 0 { fail(.internalFailure) }
    }

    /// They have gone on.
    func consumeStream(_ id: Int32, _ count: Int) {
        guard failure == nil, let record = streams.find(id), !record.state.contains(.remoteEnded), count > 0 else {
            return
        }
        if nghttp2_session_consume_stream(session, id, count) != 0 { fail(.internalFailure) }
    }

    /// The caller wants no more of a stream's content: what comes is dropped and counts as passed on.
    func ignoreRest(_ record: StreamRecord) {
        record.state.insert(.quiet)
        consume(record.id, record.held)
    }
}
