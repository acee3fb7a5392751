// HOT. Bytes in: frame by frame to the library, one occurrence at a time to the caller.
import Bytes
import CNghttp2

/// The nine bytes before every frame (RFC 9113 §4.1).
struct FrameHeader {
    var length = 0
    var type: UInt8 = 0
    var flags: UInt8 = 0
    var stream: Int32 = 0

    init() {}

    @inline(__always)
    init(_ bytes: UnsafePointer<UInt8>) {
        length = Int(bytes[0]) &<< 16 | Int(bytes[1]) &<< 8 | Int(bytes[2])
        type = bytes[3]
        flags = bytes[4]
        let word = UnsafeRawPointer(bytes).loadUnaligned(fromByteOffset: 5, as: UInt32.self).bigEndian
        stream = Int32(bitPattern: word & 0x7fff_ffff)
    }

    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let resetStream: UInt8 = 3
    static let settings: UInt8 = 4
    static let pushPromise: UInt8 = 5
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let windowUpdate: UInt8 = 8
    static let continuation: UInt8 = 9
    static let priorityUpdate: UInt8 = 16

    /// A field section in one frame, with nothing but it in the payload.
    @inline(__always)
    var isWholeSection: Bool { type == Self.headers && flags & ~Self.endStream == Self.endHeaders }

    /// Its payload begins with the number of a stream, which the library does not judge.
    @inline(__always)
    var namesStream: Bool { type == Self.priority || type == Self.priorityUpdate }

    /// END_STREAM, and ACK of SETTINGS and PING.
    static let endStream: UInt8 = 1
    static let acknowledge: UInt8 = 1
    static let endHeaders: UInt8 = 4
    static let padded: UInt8 = 8
}

extension Multiplexer {
    /// The next thing that happened, reading from `bytes[offset..<count]` as far as needed.
    @inline(__always)
    func next(_ bytes: UnsafePointer<UInt8>, _ count: Int, at offset: inout Int) -> Occurrence {
        if headIsDone { releaseHead() }
        while true {
            if pending.kind != .none, failure == nil {
                let happened = pending
                pending.kind = .none
                return happened
            }
            if failure != nil { return Occurrence(kind: .failed) }
            while closed != nil {
                if let happened = popClosed() { return happened }
            }
            guard offset < count else { return Occurrence() }
            offset &+= step(bytes + offset, count &- offset)
        }
    }

    /// Whether `next` has something to say although no byte came.
    var hasNews: Bool { pending.kind != .none || closed != nil || failure != nil }

    /// Takes the next part: the preface, a frame header, a frame, or what there is of them.
    private func step(_ bytes: UnsafePointer<UInt8>, _ available: Int) -> Int {
        if prefaceLeft > 0 {
            let n = min(prefaceLeft, available)
            prefaceLeft &-= n
            feed(bytes, n)
            return n
        }
        if frameLeft > 0 {
            let n = min(frameLeft, available)
            frameLeft &-= n
            if frame.namesStream { notePriority(bytes, n) }
            feed(bytes, n)
            if frameLeft == 0 { endFrame() }
            return n
        }
        // The frames of a field section count as one.
        if partialCount == 0, !sectionIsOpen { frameStarted = now }
        if partialCount == 0, available >= 9 {
            frame = FrameHeader(bytes)
            guard judge(frame) else { return 9 }
            let n = min(available, 9 &+ frame.length)
            frameLeft = 9 &+ frame.length &- n
            if frame.namesStream { notePriority(bytes + 9, n &- 9) }
            if frame.isWholeSection, frame.length > CredentialMemo.shortest, isServer, frameLeft == 0 {
                feedHead(bytes, n)
            } else {
                feed(bytes, n)
            }
            if frameLeft == 0 { endFrame() }
            return n
        }
        let n = min(9 &- partialCount, available)
        (partial + partialCount).update(from: bytes, count: n)
        partialCount &+= n
        if partialCount == 9 {
            partialCount = 0
            frame = FrameHeader(partial)
            guard judge(frame) else { return n }
            frameLeft = frame.length
            feed(partial, 9)
            if frameLeft == 0 { endFrame() }
        }
        return n
    }

    /// Gives a whole field section to the library, without the credential that was seen before.
    private func feedHead(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        guard let (frame, value) = workspace.credentials.shorten(bytes, count), let start = frame.baseAddress else {
            return feed(bytes, count)
        }
        credential = value
        feed(start, frame.count)
        credential = UnsafeBufferPointer(start: nil, count: 0)
    }

    /// Gives bytes to the library; what they mean comes back through the callbacks.
    private func feed(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        let waiting = nghttp2_session_get_outbound_queue_size(session)
        let result = nghttp2_session_mem_recv(session, bytes, count)
        if result == count {
            let more = nghttp2_session_get_outbound_queue_size(session) &- waiting
            guard more > 0, failure == nil else { return }
            // Acknowledgements aside, what the library has to say now is that something was wrong.
            if frame.type == FrameHeader.settings {
                judgeSettings(answers: more)
            } else if frame.type != FrameHeader.ping {
                settle()
            }
            return
        }
        if failure != nil { return }
        switch Int32(truncatingIfNeeded: result) {
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue: fail(.preface)
        case NGHTTP2_ERR_FLOODED.rawValue: fail(.calm(.outboundFrames))
        default: fail(.internalFailure)
        }
    }

    /// Besides the acknowledgement the library resets the streams whose windows the new first one made too large: that
    /// is an error of the connection (RFC 9113 §6.9.2).
    private func judgeSettings(answers: Int) {
        guard answers > 1, frame.flags & FrameHeader.acknowledge == 0 else { return }
        fail(.connection(code: HTTP2Code.flowControlError))
    }

    /// A whole frame has been read.
    @inline(__always)
    private func endFrame() {
        if frame.type == FrameHeader.data {
            let isEmpty = frame.length == 0 || !frameHasContent && frame.flags & FrameHeader.padded != 0
            if isEmpty, frame.flags & FrameHeader.endStream == 0 { charge(.emptyData) }
        } else if frame.type == FrameHeader.priority, priorityBytes == 4,
            priorityParent & 0x7fff_ffff == UInt32(bitPattern: frame.stream)
        {
            // RFC 7540 §5.3.1; the library does not look when priorities are those of RFC 9218.
            fail(.connection(code: HTTP2Code.protocolError))
        } else if frame.type == FrameHeader.priorityUpdate, priorityBytes == 4, priorityParent & 0x7fff_ffff == 0 {
            // RFC 9218 §7.1.
            fail(.connection(code: HTTP2Code.protocolError))
        }
    }

    /// A field section has begun and frames of it are missing.
    private var sectionIsOpen: Bool {
        (frame.type == FrameHeader.headers || frame.type == FrameHeader.continuation)
            && frame.flags & FrameHeader.endHeaders == 0
    }

    /// Since when a frame or field section has been incomplete, -1 if none is; content may come as slowly as it does.
    var partialSince: Int64 {
        if partialCount > 0 || sectionIsOpen { return frameStarted }
        return frameLeft > 0 && frame.type != FrameHeader.data ? frameStarted : -1
    }

    private func notePriority(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        var i = 0
        while i < count, priorityBytes < 4 {
            priorityParent = priorityParent << 8 | UInt32(bytes[i])
            priorityBytes &+= 1
            i &+= 1
        }
    }

    func releaseHead() {
        headIsDone = false
        if let head {
            self.head = nil
            workspace.pool.give(head)
        }
    }
}
