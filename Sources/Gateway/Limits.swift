// COLD. Limits of heads from the settings.
import HTTP
import HTTP2
import Settings
import Telemetry

extension LimitSettings {
    /// What a client's head may be.
    var requestHeadLimits: HeadLimits {
        var limits = HeadLimits()
        limits.requestLine = requestLine.bytes
        limits.head = headers.bytes
        limits.field = header.bytes
        limits.fields = fields
        limits.authorizationField = max(header.bytes, token.bytes + 64)
        limits.cookieField = headers.bytes
        limits.trailers = trailers.bytes
        return limits
    }

    /// What a backend's head may be.
    var responseHeadLimits: HeadLimits {
        var limits = HeadLimits.response
        limits.head = responseHeaders.bytes
        limits.field = responseHeaders.bytes
        limits.trailers = trailers.bytes
        return limits
    }
}

extension LimitSettings {
    /// What a client's HTTP/2 connection may ask for.
    var http2Limits: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.concurrentStreams = http2.concurrentStreams
        limits.streamWindow = http2.streamWindow.bytes
        limits.connectionWindow = http2.connectionWindow.bytes
        limits.headerList = http2.headerList.bytes
        limits.fields = fields
        limits.continuations = http2.continuations
        limits.outboundFrames = http2.outboundFrames
        limits.queueHigh = buffer.bytes
        limits.queueLow = buffer.bytes / 4
        limits.stalled = http2.stalled.bytes
        limits.resetsReceived = HTTP2Budget(http2.resets)
        limits.resetsProvoked = HTTP2Budget(http2.provokedResets)
        limits.settings = HTTP2Budget(http2.settings)
        limits.pings = HTTP2Budget(http2.pings)
        limits.emptyData = HTTP2Budget(http2.emptyData)
        limits.priorities = HTTP2Budget(http2.priorities)
        limits.windowUpdates = HTTP2Budget(http2.windowUpdates)
        limits.tinyWindows = HTTP2Budget(http2.tinyWindows)
        limits.unknownFrames = HTTP2Budget(http2.unknownFrames)
        limits.glitches = HTTP2Budget(http2.oddities)
        return limits
    }
}

extension ProtocolError {
    /// The limit that was passed, if it was one.
    var limit: LimitKind? {
        switch self {
        case .requestLineTooLong: .requestLine
        case .headTooLarge: .headers
        case .fieldTooLarge: .header
        case .tooManyFields: .fields
        case .tooManyCookies: .cookies
        case .chunkExtensionTooLong: .chunkExtension
        case .trailersTooLarge: .trailers
        case .upstreamHeadTooLarge: .responseHeaders
        default: nil
        }
    }
}

extension AbuseKind {
    /// The limit whose metric counts connections ended for it.
    var limit: LimitKind {
        switch self {
        case .resetsReceived: .http2ResetsReceived
        case .resetsProvoked: .http2ResetsProvoked
        case .continuations: .http2Continuations
        case .settings: .http2Settings
        case .pings: .http2Pings
        case .emptyData: .http2EmptyData
        case .priorities: .http2Priorities
        case .windowUpdates: .http2WindowUpdates
        case .tinyWindows: .http2TinyWindows
        case .unknownFrames: .http2UnknownFrames
        case .outboundFrames: .http2OutboundFrames
        case .headerList: .http2HeaderList
        case .stalled: .http2Stalled
        case .glitches: .http2Glitches
        }
    }
}
