// HOT. What is judged by the frame header alone, before the library sees the frame: budgets, and streams that are over.
import Bytes
import CNghttp2

extension Multiplexer {
    /// Whether the frame may be read; if not, the connection has failed.
    @inline(__always)
    func judge(_ frame: FrameHeader) -> Bool {
        frameHasContent = false
        if frame.length > max(16384, limits.frame) { fail(.connection(code: HTTP2Code.frameSizeError)) }
        switch frame.type {
        case FrameHeader.data:
            judgeData(frame)
        case FrameHeader.headers:
            continuationsSeen = 0
            if isServer { judgeHeaders(frame) }
        case FrameHeader.windowUpdate:
            charge(.windowUpdates)
        default:
            judgeOther(frame)
        }
        if nghttp2_session_get_outbound_queue_size(session) > limits.outboundFrames { fail(.calm(.outboundFrames)) }
        return failure == nil
    }

    @inline(never)
    private func judgeOther(_ frame: FrameHeader) {
        switch frame.type {
        case FrameHeader.continuation:
            continuationsSeen &+= 1
            if continuationsSeen > limits.continuations { fail(.calm(.continuations)) }
        case FrameHeader.resetStream:
            charge(.resetsReceived)
        case FrameHeader.settings:
            if frame.flags & FrameHeader.acknowledge == 0 { charge(.settings) }
        case FrameHeader.ping:
            if frame.flags & FrameHeader.acknowledge == 0 { charge(.pings) }
        case FrameHeader.priority:
            priorityParent = 0
            priorityBytes = 0
            if frame.stream == 0 { fail(.connection(code: HTTP2Code.protocolError)) }
            charge(.priorities)
        case FrameHeader.priorityUpdate:
            priorityParent = 0
            priorityBytes = 0
            charge(.priorities)
        case FrameHeader.pushPromise:
            // A client may not push, and we never let a backend.
            fail(.connection(code: HTTP2Code.protocolError))
        default:
            charge(.unknownFrames)
        }
    }

    /// DATA for a stream that is over (RFC 9113 §5.1): an error, unless we reset it and it was on its way.
    @inline(__always)
    private func judgeData(_ frame: FrameHeader) {
        if streams.find(frame.stream) != nil { return }
        judgeLateData(frame)
    }

    @inline(never)
    private func judgeLateData(_ frame: FrameHeader) {
        guard frame.stream > 0, frame.stream <= highestStream || !isServer else { return }
        guard charge(.glitches), isServer, streams.endedByReset(frame.stream) == false else { return }
        if nghttp2_submit_rst_stream(session, 0, frame.stream, HTTP2Code.streamClosed) != 0 {
            fail(.internalFailure)
        }
    }

    /// HEADERS for a stream that is over or was passed by.
    @inline(__always)
    private func judgeHeaders(_ frame: FrameHeader) {
        if frame.stream > highestStream {
            highestStream = frame.stream
            budget.countRequest(limits)
            return
        }
        if streams.find(frame.stream) == nil { judgeLateHeaders(frame) }
    }

    @inline(never)
    private func judgeLateHeaders(_ frame: FrameHeader) {
        guard frame.stream > 0 else { return fail(.connection(code: HTTP2Code.protocolError)) }
        switch streams.endedByReset(frame.stream) {
        case true?: charge(.glitches)
        case false?: fail(.connection(code: HTTP2Code.streamClosed))
        // Never opened: ids only grow (RFC 9113 §5.1.1).
        case nil: fail(.connection(code: HTTP2Code.protocolError))
        }
    }
}
