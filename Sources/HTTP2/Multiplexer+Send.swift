// HOT. Frames out: queued content is framed when there is a place to write it to, and not before.
import Bytes
import CNghttp2

extension Multiplexer {
    /// Whether `write` would write something.
    var wantsWrite: Bool {
        if early != nil { return true }
        if failure != nil { return !goAwayWritten }
        return nghttp2_session_want_write(session) != 0
    }

    /// Whether nothing will be read or written any more.
    var isFinished: Bool {
        guard early == nil else { return false }
        if failure != nil { return goAwayWritten }
        return nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
    }

    /// Appends frames until `out` holds `limit` bytes or there are none; the last frame may go over it.
    func write(into out: OutputBuffer, limit: Int) {
        if let early {
            out.append(early.bytes)
            self.early = nil
            workspace.pool.give(early)
        }
        if failure == nil { pump(into: out, limit: limit) }
        if failure != nil, !goAwayWritten { writeGoAway(into: out) }
    }

    /// Writes what is not content before anything else is read, so that errors the library found are known at once.
    @inline(never)
    func settle() {
        let out = early ?? workspace.pool.take()
        early = out
        // With no room for content, only other frames are written.
        pump(into: out, limit: -1)
        if out.isEmpty {
            early = nil
            workspace.pool.give(out)
        } else if out.count > 1 << 20 {
            fail(.calm(.outboundFrames))
        }
    }

    private func pump(into out: OutputBuffer, limit: Int) {
        sink = out
        sinkLimit = limit
        while limit < 0 || out.count < limit {
            var bytes: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &bytes)
            if count > 0, let bytes {
                out.append(bytes, count)
            } else if count < 0 {
                fail(.internalFailure)
            }
            if count <= 0 || failure != nil { break }
        }
        sink = nothing
    }

    /// The last frame of a connection that failed.
    private func writeGoAway(into out: OutputBuffer) {
        goAwayWritten = true
        guard let failure else { return }
        let last = hasSession ? nghttp2_session_get_last_proc_stream_id(session) : 0
        let place = out.reserve(17)
        place.initialize(repeating: 0, count: 17)
        place[2] = 8
        place[3] = FrameHeader.goAway
        let raw = UnsafeMutableRawPointer(place)
        raw.storeBytes(of: UInt32(bitPattern: last).bigEndian, toByteOffset: 9, as: UInt32.self)
        raw.storeBytes(of: failure.code.bigEndian, toByteOffset: 13, as: UInt32.self)
        out.advance(17)
    }

    /// Where the library gets a stream's content from: it says how much there is, `sendData` copies it.
    static func provider(_ record: StreamRecord) -> nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        provider.source.ptr = Unmanaged.passUnretained(record).toOpaque()
        provider.read_callback = { _, _, _, room, flags, source, user in
            guard let flags, let pointer = source?.pointee.ptr, let user else { return Int(Callbacks.failed) }
            return Unmanaged<StreamRecord>.fromOpaque(pointer)._withUnsafeGuaranteedRef { record in
                Unmanaged<Multiplexer>.fromOpaque(user)._withUnsafeGuaranteedRef { owner in
                    owner.readData(record, room, flags)
                }
            }
        }
        return provider
    }

    /// Bytes of content between two tiny frames from which on the windows of a connection are of use.
    private static let usefulWindow = 1024

    private func readData(_ record: StreamRecord, _ room: Int, _ flags: UnsafeMutablePointer<UInt32>) -> Int {
        let waiting = record.backlog
        let count = min(room, waiting)
        if count == waiting, record.state.contains(.finished) {
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
            if let trailers = record.trailers {
                flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                record.trailers = nil
                submitTrailers(record, trailers)
                workspace.pool.give(trailers)
            }
        } else if count == 0 {
            // The library resets the stream for it, with INTERNAL_ERROR.
            if record.state.contains(.cut) { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
            record.state.insert(.deferred)
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        } else if room < 256, count < waiting {
            // The window lets almost nothing through: each such frame costs as much as a large one. What is left of a
            // window that was used is no fault.
            if sentSinceTiny < Self.usefulWindow { charge(.tinyWindows) }
            sentSinceTiny = 0
        }
        if count > 0 { flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue }
        return count
    }

    private func submitTrailers(_ record: StreamRecord, _ text: OutputBuffer) {
        let count = HeadReader.fields(text.bytes, into: workspace.fields, from: 0, dropping: .none)
        if count < 0 || nghttp2_submit_trailer(session, record.id, workspace.fields, count) != 0 {
            resetStream(record, HTTP2Code.internalError, byChoice: true)
        }
    }

    /// Writes one DATA frame whose content is at the front of the stream's queue.
    func sendData(_ stream: Int32, _ header: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
        guard sinkLimit > sink.count else { return NGHTTP2_ERR_WOULDBLOCK.rawValue }
        guard let record = streams.find(stream), let queue = record.queue, queue.count >= count else {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        let place = sink.reserve(9 &+ count)
        place.update(from: header, count: 9)
        (place + 9).update(from: queue.readable, count: count)
        sink.advance(9 &+ count)
        queue.consume(count)
        totalBacklog &-= count
        sentSinceTiny &+= count
        // A window that opens by a few bytes now and then holds the rest of the queue as well as a closed one.
        if count >= 256 || queue.isEmpty {
            lastProgress = now
            record.progress = now
        }
        if queue.isEmpty {
            record.queue = nil
            workspace.pool.give(queue)
            // The library asks for no more content while the window is shut.
            if record.state.contains(.cut) { resetStream(record, HTTP2Code.internalError, byChoice: true) }
        }
        if record.state.contains(.full), record.backlog <= limits.queueLow { listDrained(record) }
        return 0
    }

    private func listDrained(_ record: StreamRecord) {
        record.state.remove(.full)
        guard record.state.isDisjoint(with: isServer ? .listed.union(.quiet) : .listed) else { return }
        record.state.insert(.listed)
        record.nextDrained = drained
        drained = record
    }

    /// A stream that was full and has room again; also one whose backend has ended, for a tunnel's other direction goes on.
    func popDrained() -> StreamRecord? {
        while let record = drained {
            drained = record.nextDrained
            record.nextDrained = nil
            record.state.remove(.listed)
            if record.state.isDisjoint(with: isServer ? .gone.union(.quiet) : .gone) { return record }
        }
        return nil
    }

    // MARK: What the caller sends

    /// Queues content; false if the stream is gone, has ended, or holds too much.
    @inline(__always)
    func send(_ id: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard failure == nil, let record = streams.find(id),
            record.state.contains(.headSent), record.state.isDisjoint(with: .finished.union(.noted))
        else { return false }
        guard count > 0 else { return true }
        guard record.backlog &+ count <= limits.queueMost else {
            resetStream(record, HTTP2Code.internalError, byChoice: true)
            return false
        }
        let queue = record.queue ?? workspace.pool.take()
        record.queue = queue
        if queue.isEmpty { record.progress = now }
        queue.append(bytes, count)
        if totalBacklog == 0 { lastProgress = now }
        totalBacklog &+= count
        if queue.count >= limits.queueHigh { record.state.insert(.full) }
        resume(record)
        return true
    }

    /// Ends our direction, with trailers if there are any.
    ///
    /// A server does not care for what still comes, unless it `listens`.
    func finish(_ id: Int32, trailers: UnsafeBufferPointer<UInt8>?, listens: Bool = false) {
        guard failure == nil, let record = streams.find(id), !record.state.contains(.finished) else { return }
        guard record.state.contains(.headSent) else {
            return resetStream(record, HTTP2Code.internalError, byChoice: true)
        }
        record.state.insert(.finished)
        if let trailers, HeadReader.hasFields(trailers), record.state.isDisjoint(with: .noted.union(.tunnel)) {
            let text = workspace.pool.take()
            text.append(trailers)
            record.trailers = text
        }
        resume(record)
        if isServer, !listens || record.state.contains(.remoteEnded) { ignoreRest(record) }
    }

    /// Ends a stream whose content cannot be completed: what is queued is sent first, then RST_STREAM.
    func cut(_ record: StreamRecord) {
        guard record.state.contains(.headSent), record.state.isDisjoint(with: .finished.union(.noted)) else {
            return resetStream(record, HTTP2Code.internalError, byChoice: true)
        }
        let window = nghttp2_session_get_stream_remote_window_size(session, record.id)
        if record.backlog == 0, min(window, nghttp2_session_get_remote_window_size(session)) <= 0 {
            return resetStream(record, HTTP2Code.internalError, byChoice: true)
        }
        record.state.formUnion([.cut, .resetByChoice])
        resume(record)
    }

    /// Ends our direction and then the stream; at once, if the other side does not take what is queued.
    func leave(_ record: StreamRecord) {
        let window = nghttp2_session_get_stream_remote_window_size(session, record.id)
        guard record.backlog <= min(window, nghttp2_session_get_remote_window_size(session)) else {
            return resetStream(record, HTTP2Code.cancel, byChoice: true)
        }
        record.state.insert(.leaving)
        finish(record.id, trailers: nil)
    }

    @inline(__always)
    private func resume(_ record: StreamRecord) {
        guard record.state.contains(.deferred) else { return }
        record.state.remove(.deferred)
        _ = nghttp2_session_resume_data(session, record.id)
    }
}
