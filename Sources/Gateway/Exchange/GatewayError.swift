// HOT. What can go wrong between the gate and a backend: whose fault, which status.
import Telemetry

/// A failure of the gateway's own making or of a backend's.
enum GatewayError: UInt8, Error, CaseIterable {
    case bodyTimeout
    case bodyTooLarge
    case headTimeout
    case methodRefused
    case misdirected
    case noBackend
    case noRoute
    case requestDeadline
    case upstreamBusy
    case upstreamCut
    case upstreamHandshake
    case upstreamMalformed
    case upstreamRefused
    case upstreamTimeout
    case upstreamTunnelless

    /// Stable name in logs, metrics and answers.
    var code: StaticString {
        switch self {
        case .bodyTimeout: "body_timeout"
        case .bodyTooLarge: "body_too_large"
        case .headTimeout: "head_timeout"
        case .methodRefused: "method_refused"
        case .misdirected: "misdirected"
        case .noRoute: "no_route"
        case .noBackend: "no_backend"
        case .requestDeadline: "request_deadline"
        case .upstreamBusy: "upstream_busy"
        case .upstreamCut: "upstream_cut"
        case .upstreamHandshake: "upstream_handshake_failed"
        case .upstreamMalformed: "upstream_malformed"
        case .upstreamRefused: "upstream_refused"
        case .upstreamTimeout: "upstream_timeout"
        case .upstreamTunnelless: "upstream_without_tunnels"
        }
    }

    /// The status that the client sees.
    var status: Int {
        switch self {
        case .bodyTimeout, .headTimeout: 408
        case .bodyTooLarge: 413
        case .methodRefused: 405
        case .misdirected: 421
        case .noRoute: 404
        case .noBackend, .upstreamBusy: 503
        case .upstreamCut, .upstreamHandshake, .upstreamMalformed, .upstreamRefused, .upstreamTunnelless: 502
        case .requestDeadline, .upstreamTimeout: 504
        }
    }

    /// How it counts for the upstream, if it was one's.
    var event: UpstreamEvent? {
        switch self {
        case .noBackend, .upstreamBusy: .unavailable
        case .upstreamMalformed: .badResponse
        case .upstreamTimeout: .timeout
        default: nil
        }
    }

    /// A sentence for the client.
    var detail: StaticString {
        switch self {
        case .bodyTimeout: "The request body did not arrive in time."
        case .bodyTooLarge: "The request body is larger than this route allows."
        case .headTimeout: "The request head did not arrive in time."
        case .methodRefused: "This method is not served here."
        case .misdirected: "This connection's certificate is not for this host."
        case .noRoute: "There is nothing at this address."
        case .noBackend: "No server of this service is available."
        case .requestDeadline: "The request took too long."
        case .upstreamBusy: "All connections to this service are in use."
        case .upstreamCut: "The service closed the connection without a complete answer."
        case .upstreamHandshake: "No secure connection to the service could be made."
        case .upstreamMalformed: "The service sent an answer that cannot be passed on."
        case .upstreamRefused: "The service could not be reached."
        case .upstreamTimeout: "The service did not answer in time."
        case .upstreamTunnelless: "The service does not take WebSockets over HTTP/2 (RFC 8441)."
        }
    }
}
