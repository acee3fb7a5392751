// COLD. Limits of heads from the settings.
import HTTP
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
