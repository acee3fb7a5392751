// HOT. Heads out: HTTP/1 text to compressed fields, for answers and for requests; and the connection's own frames.
import Bytes
import CNghttp2

extension Multiplexer {
    /// Sends the head of an answer; false if the stream is gone or the head is none.
    func respond(_ id: Int32, _ head: UnsafeBufferPointer<UInt8>, ends: Bool, isFinal: Bool) -> Bool {
        guard failure == nil, let record = streams.find(id), let bytes = head.baseAddress,
            record.state.isDisjoint(with: .headSent.union(.noted))
        else { return false }
        guard head.count >= 14, let lineFeed = Scan.first(0x0a, in: bytes, from: 12, to: head.count) else {
            resetStream(record, HTTP2Code.internalError, byChoice: true)
            return false
        }
        let fields = workspace.fields
        let isSwitch = record.state.contains(.tunnel) && FieldRules.equal(bytes + 9, "101")
        let status: UnsafePointer<UInt8> = isSwitch ? literal("200") : bytes + 9
        HeadReader.set(fields, literal(":status"), 7, status, 3)
        let rest = UnsafeBufferPointer(rebasing: head[(lineFeed &+ 1)...])
        let count = HeadReader.fields(rest, into: fields, from: 1, dropping: isSwitch ? .accept : .none)
        let result: Int32
        if count < 0 {
            result = -1
        } else if !isFinal {
            result = nghttp2_submit_headers(session, 0, id, nil, fields, count, nil)
        } else if ends {
            result = nghttp2_submit_response(session, id, fields, count, nil)
        } else {
            var provider = Self.provider(record)
            result = nghttp2_submit_response(session, id, fields, count, &provider)
        }
        guard result == 0 else {
            resetStream(record, HTTP2Code.internalError, byChoice: true)
            return false
        }
        guard isFinal else { return true }
        record.state.insert(.headSent)
        // A tunnel that was refused is a request like any other.
        if !isSwitch { record.state.remove(.tunnel) }
        if ends {
            record.state.insert(.finished)
            ignoreRest(record)
        }
        return true
    }

    /// Opens a stream for a request.
    func request(_ head: UnsafeBufferPointer<UInt8>, ends: Bool, tag: Int32) -> RequestOutcome {
        guard let bytes = head.baseAddress,
            let lineFeed = Scan.first(0x0a, in: bytes, from: 0, to: head.count),
            let space = Scan.first(0x20, in: bytes, from: 0, to: lineFeed), space > 0,
            let second = Scan.first(0x20, in: bytes, from: space &+ 1, to: lineFeed), second > space &+ 1
        else { return .malformed }
        let rest = UnsafeBufferPointer(rebasing: head[(lineFeed &+ 1)...])
        guard let host = HeadReader.value(of: "host", in: rest), let authority = host.baseAddress else {
            return .malformed
        }
        let fields = workspace.fields
        var isTunnel = false
        if let upgrade = HeadReader.value(of: "upgrade", in: rest), let name = upgrade.baseAddress,
            Scan.equalFolded(name, upgrade.count, "websocket")
        {
            guard peerTakesExtendedConnect, !ends else { return .notSupported }
            isTunnel = true
        }
        var count = 0
        if isTunnel {
            HeadReader.set(fields, literal(":method"), 7, literal("CONNECT"), 7)
            HeadReader.set(fields + 1, literal(":protocol"), 9, literal("websocket"), 9)
            count = 2
        } else {
            HeadReader.set(fields, literal(":method"), 7, bytes, space)
            count = 1
        }
        if isTLS {
            HeadReader.set(fields + count, literal(":scheme"), 7, literal("https"), 5)
        } else {
            HeadReader.set(fields + count, literal(":scheme"), 7, literal("http"), 4)
        }
        HeadReader.set(fields + count + 1, literal(":authority"), 10, authority, host.count)
        HeadReader.set(fields + count + 2, literal(":path"), 5, bytes + space + 1, second &- space &- 1)
        count = HeadReader.fields(
            rest,
            into: fields,
            from: count &+ 3,
            dropping: isTunnel ? .hostAndKey : .host
        )
        guard count > 0 else { return .malformed }
        let next = nghttp2_session_get_next_stream_id(session)
        guard next <= UInt32(Int32.max) else { return .full }
        let record = streams.insert(Int32(bitPattern: next))
        record.tag = tag
        record.state.insert([.announced, .headSent])
        if FieldRules.equal(bytes, space, "HEAD") { record.state.insert(.noContent) }
        if isTunnel {
            record.state.insert(.tunnel)
            if let key = HeadReader.value(of: "sec-websocket-key", in: rest) {
                record.accept = WebSocketKey.accept(for: key)
            }
        }
        if ends { record.state.insert(.finished) }
        var provider = Self.provider(record)
        let id = withUnsafePointer(to: &provider) { provider in
            nghttp2_submit_request(session, nil, fields, count, ends ? nil : provider, nil)
        }
        guard id == record.id else {
            streams.remove(record)
            streams.recycle(record)
            return .full
        }
        return .opened(id)
    }

    // MARK: The connection

    func beginShutdown() {
        guard failure == nil else { return }
        if nghttp2_submit_shutdown_notice(session) != 0 { fail(.internalFailure) }
    }

    func finishShutdown() {
        guard failure == nil else { return }
        let last = nghttp2_session_get_last_proc_stream_id(session)
        if nghttp2_submit_goaway(session, 0, last, HTTP2Code.noError, nil, 0) != 0 { fail(.internalFailure) }
    }

    func ping() {
        guard failure == nil, pingsOut < 16 else { return }
        pingsOut &+= 1
        if nghttp2_submit_ping(session, 0, nil) != 0 { fail(.internalFailure) }
    }

    /// The streams that the other side takes at once.
    var peerStreams: Int {
        guard hasSession else { return 0 }
        let value = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return Int(min(value, 1 << 20))
    }

    var peerTakesExtendedConnect: Bool {
        guard hasSession else { return false }
        return nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    }

    var mayOpen: Bool { hasSession && !idsRunOut && nghttp2_session_check_request_allowed(session) != 0 }

    /// The ids of streams are used up but for a reserve.
    var idsRunOut: Bool { !hasSession || nghttp2_session_get_next_stream_id(session) > 0x7fff_0000 }
}
