// COLD. TLS towards the backends of one upstream, as the worker's connections begin it.
import Reactor
import TLS
import Telemetry
import Upstreams

/// TLS of one upstream on one worker: the shared context, and this worker's sessions.
final class UpstreamSecurity {
    private let context: ClientTLS
    private let sessions: SessionCache
    private let upstream: String

    init(context: ClientTLS, upstream: String) {
        self.context = context
        self.upstream = upstream
        sessions = SessionCache(capacity: Upstream.maximumBackends)
    }

    /// Begins TLS with a backend over a connected socket; nil when that cannot even begin.
    func connect(_ descriptor: Int32, backend: Backend, worker: Worker) -> TLSStream? {
        context.connect(
            descriptor,
            name: PeerName(backend.hostName),
            backend: backend.healthIndex,
            sessions: sessions
        )
    }

    /// Tells of a handshake that failed.
    func report(_ failure: TLSFailure, backend: Backend, worker: Worker) {
        worker.metrics.add(.upstreamHandshakesFailed, 1)
        Log.warning(
            "TLS with a backend failed",
            ("upstream", upstream),
            ("backend", String(decoding: backend.label, as: UTF8.self)),
            ("code", "\(failure.code)"),
            ("reason", failure.reason)
        )
    }
}
