// HOT. Where the library calls back: plain functions that find the connection and tell it.
import Bytes
import CNghttp2

/// The functions that nghttp2 calls.
enum Callbacks {
    /// Calls `body` with the connection, without counting the reference: whoever called the library holds it.
    @inline(__always)
    private static func owner<Result>(
        _ user: UnsafeMutableRawPointer?,
        orElse none: Result,
        _ body: (Multiplexer) -> Result
    ) -> Result {
        guard let user else { return none }
        return Unmanaged<Multiplexer>.fromOpaque(user)._withUnsafeGuaranteedRef(body)
    }

    /// Puts them into a set of callbacks.
    static func install(in set: OpaquePointer) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(set) { _, frame, user in
            guard let frame else { return Callbacks.failed }
            return Callbacks.owner(user, orElse: Callbacks.failed) {
                $0.beginSection(pc_frame_hd(frame).pointee, category: pc_headers_category(frame))
            }
        }
        nghttp2_session_callbacks_set_on_header_callback(set) { _, _, name, nameCount, value, valueCount, _, user in
            guard let name, let value else { return Callbacks.failed }
            return Callbacks.owner(user, orElse: Callbacks.failed) {
                if valueCount == CredentialMemo.markLength, let known = $0.credential.baseAddress,
                    $0.workspace.credentials.isMark(value, valueCount)
                {
                    return $0.addField(name, nameCount, known, $0.credential.count)
                }
                return $0.addField(name, nameCount, value, valueCount)
            }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(set) { _, frame, user in
            guard let frame else { return Callbacks.failed }
            return Callbacks.owner(user, orElse: Callbacks.failed) { $0.frameReceived(frame) }
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(set) { _, frame, code, user in
            guard let frame else { return Callbacks.failed }
            Callbacks.owner(user, orElse: ()) { $0.frameRefused(pc_frame_hd(frame).pointee, code) }
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(set) { _, _, stream, bytes, count, user in
            guard let bytes else { return Callbacks.failed }
            Callbacks.owner(user, orElse: ()) {
                $0.dataReceived(stream, UnsafeBufferPointer(start: bytes, count: count))
            }
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(set) { _, stream, code, user in
            Callbacks.owner(user, orElse: ()) { owner in
                if let record = owner.streams.find(stream) { owner.closeStream(record, code) }
            }
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(set) { _, frame, user in
            guard let frame else { return Callbacks.failed }
            Callbacks.owner(user, orElse: ()) { $0.frameSent(frame) }
            return 0
        }
        nghttp2_session_callbacks_set_send_data_callback(set) { _, frame, header, count, _, user in
            guard let frame, let header else { return Callbacks.failed }
            return Callbacks.owner(user, orElse: Callbacks.failed) {
                $0.sendData(pc_frame_hd(frame).pointee.stream_id, header, count)
            }
        }
    }

    /// What tells the library that it cannot go on.
    static let failed = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
    /// What tells the library to drop the rest of a field section; we have reset the stream.
    static let dropped = NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
}

extension Multiplexer {
    /// A frame has been read whole.
    @inline(__always)
    fileprivate func frameReceived(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
        let header = pc_frame_hd(frame).pointee
        switch header.type {
        case FrameHeader.headers:
            return endSection(header.stream_id, ends: header.flags & FrameHeader.endStream != 0)
        case FrameHeader.data:
            if header.flags & FrameHeader.endStream != 0 { remoteEnded(header.stream_id) }
        case FrameHeader.goAway:
            sawGoAway = true
            pending = Occurrence(kind: .goAway, stream: pc_last_stream_id(frame), code: pc_error_code(frame))
        case FrameHeader.settings:
            if header.flags & FrameHeader.acknowledge == 0 { pending = Occurrence(kind: .settings) }
        case FrameHeader.ping:
            guard header.flags & FrameHeader.acknowledge != 0 else { break }
            if pingsOut > 0 {
                pingsOut &-= 1
                pending = Occurrence(kind: .pingAcknowledged)
            } else {
                charge(.glitches)
            }
        default: break
        }
        return 0
    }

    /// The library refuses a frame and resets its stream, or the connection.
    fileprivate func frameRefused(_ header: nghttp2_frame_hd, _ code: Int32) {
        guard header.stream_id > 0 else { return }
        if let record = streams.find(header.stream_id) {
            noteReset(record)
        } else if streams.endedByReset(header.stream_id) == nil {
            streams.noteEnd(header.stream_id, reset: true)
        }
    }

    @inline(__always)
    fileprivate func dataReceived(_ stream: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        frameHasContent = true
        guard let record = streams.find(stream), !record.state.contains(.quiet) else {
            if nghttp2_session_consume(session, stream, bytes.count) != 0 { fail(.internalFailure) }
            return
        }
        record.received &+= Int64(bytes.count)
        record.held &+= bytes.count
        totalHeld &+= bytes.count
        if record.expected >= 0, record.received > record.expected {
            return resetStream(record, HTTP2Code.protocolError, byChoice: false)
        }
        pending = Occurrence(kind: .data, stream: stream, tag: record.tag, bytes: bytes)
    }

    /// The content of a message ends with the DATA frame just read.
    private func remoteEnded(_ stream: Int32) {
        guard let record = streams.find(stream) else { return }
        record.state.insert(.remoteEnded)
        if record.state.contains(.quiet) { return }
        if record.expected >= 0, record.received != record.expected {
            return resetStream(record, HTTP2Code.protocolError, byChoice: false)
        }
        if pending.kind == .data {
            pending.isLast = true
        } else {
            pending = Occurrence(kind: .end, stream: stream, tag: record.tag)
        }
        // Where both directions have ended, the end of the stream says nothing more.
        if !isServer || record.state.contains(.finished) { record.state.insert(.quiet) }
    }

    @inline(__always)
    fileprivate func frameSent(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = pc_frame_hd(frame).pointee
        switch header.type {
        case FrameHeader.data, FrameHeader.headers:
            if header.type == FrameHeader.data { budget.countData(limits) }
            guard header.flags & FrameHeader.endStream != 0, let record = streams.find(header.stream_id) else { return }
            record.state.insert(.localEnded)
            // A complete answer before the request was: the rest of it is not wanted (RFC 9113 §8.1).
            if isServer, record.state.isDisjoint(with: .remoteEnded.union(.tunnel)) {
                resetStream(record, HTTP2Code.noError, byChoice: true)
            } else if record.state.contains(.leaving), !record.state.contains(.remoteEnded) {
                resetStream(record, HTTP2Code.cancel, byChoice: true)
            }
        case FrameHeader.resetStream:
            let record = streams.find(header.stream_id)
            if let record { noteReset(record) }
            let byChoice = record?.state.contains(.resetByChoice) ?? false
            if !byChoice, pc_error_code(frame) != HTTP2Code.noError { charge(.resetsProvoked) }
        case FrameHeader.goAway:
            let code = pc_error_code(frame)
            if code != HTTP2Code.noError, failure == nil {
                failure = .connection(code: code)
                goAwayWritten = true
            } else if isServer, pc_last_stream_id(frame) == .max {
                // Not before: the library lets pings go ahead of everything else.
                ping()
            }
        default: break
        }
    }
}
