// COLD. Why an HTTP/2 connection ends, and what is counted.

/// The error codes of RFC 9113 §7.
public enum HTTP2Code {
    /// No error.
    public static let noError: UInt32 = 0
    /// The other side broke the protocol.
    public static let protocolError: UInt32 = 1
    /// Our own fault, or the backend's.
    public static let internalError: UInt32 = 2
    /// More was sent than the window allows.
    public static let flowControlError: UInt32 = 3
    /// A frame for a stream that is half closed or closed.
    public static let streamClosed: UInt32 = 5
    /// A frame of a wrong or too large size.
    public static let frameSizeError: UInt32 = 6
    /// The stream was not processed; the request may be sent again.
    public static let refusedStream: UInt32 = 7
    /// The stream is no longer wanted.
    public static let cancel: UInt32 = 8
    /// The field compression cannot go on.
    public static let compressionError: UInt32 = 9
    /// The other side does too much that is of no use.
    public static let enhanceYourCalm: UInt32 = 11
    /// The request must be made over HTTP/1.1.
    public static let http11Required: UInt32 = 13
}

/// What a budget counts; a label of the metric of connections ended for it.
public enum AbuseKind: UInt8, CaseIterable, Sendable {
    /// RST_STREAM received.
    case resetsReceived
    /// RST_STREAM sent for the other side's errors.
    case resetsProvoked
    /// CONTINUATION frames of one field section.
    case continuations
    /// SETTINGS frames.
    case settings
    /// PING frames.
    case pings
    /// DATA frames without content.
    case emptyData
    /// PRIORITY and PRIORITY_UPDATE frames.
    case priorities
    /// WINDOW_UPDATE frames.
    case windowUpdates
    /// Windows opened by a few bytes only.
    case tinyWindows
    /// Frames of unknown types.
    case unknownFrames
    /// Frames that wait because the other side does not read.
    case outboundFrames
    /// A field section of many times the allowed size.
    case headerList
    /// Bytes that wait for windows which stay shut.
    case stalled
    /// Oddities, all together.
    case glitches

    /// The stable name, for metrics and logs.
    public var code: StaticString {
        switch self {
        case .resetsReceived: "resets_received"
        case .resetsProvoked: "resets_provoked"
        case .continuations: "continuations"
        case .settings: "settings"
        case .pings: "pings"
        case .emptyData: "empty_data"
        case .priorities: "priorities"
        case .windowUpdates: "window_updates"
        case .tinyWindows: "tiny_windows"
        case .unknownFrames: "unknown_frames"
        case .outboundFrames: "outbound_frames"
        case .headerList: "header_list"
        case .stalled: "stalled"
        case .glitches: "glitches"
        }
    }
}

/// Why a connection is over.
public enum HTTP2Error: Error, Equatable, Sendable {
    /// The client did not begin with the preface of RFC 9113 §3.4.
    case preface
    /// The other side broke the protocol in a way that ends the connection; the code of RFC 9113 §7.
    case connection(code: UInt32)
    /// A budget is used up.
    case calm(AbuseKind)
    /// Memory ran out or the library failed.
    case internalFailure

    /// The code that is sent in GOAWAY.
    public var code: UInt32 {
        switch self {
        case .preface: HTTP2Code.protocolError
        case .connection(let code): code
        case .calm: HTTP2Code.enhanceYourCalm
        case .internalFailure: HTTP2Code.internalError
        }
    }
}
