// COLD. Why the gateway ends what has no end of its own, and how each protocol is told.
import HTTP
import Identity

/// Why a stream is ended by the gateway.
enum StreamEnd: Equatable {
    case none
    /// The credential that allowed it is not good any more.
    case credential(Reason)
    /// It has reached the age that the route allows.
    case age
    /// Nobody has said anything for too long.
    case idle
    /// The gateway itself ends.
    case drain

    /// A sentence for the client.
    var detail: StaticString {
        switch self {
        case .none: ""
        case .credential(let reason): reason.detail
        case .idle: "Nothing was sent in either direction for too long."
        case .drain: "The server is shutting down; open another stream."
        case .age: "The stream has reached its maximum age; open another one."
        }
    }

    /// The code of a WebSocket's close frame (RFC 6455 §7.4.1).
    var closeCode: UInt16 {
        switch self {
        case .credential: WebSocketFrames.policyViolation
        case .none, .age, .idle, .drain: WebSocketFrames.goingAway
        }
    }

    /// The status of a call.
    var status: GRPCStatus {
        switch self {
        case .credential: .unauthenticated
        case .none, .age, .idle, .drain: .unavailable
        }
    }

    /// Whether not even what is queued goes out before it.
    var isAtOnce: Bool {
        if case .credential = self { true } else { false }
    }
}
