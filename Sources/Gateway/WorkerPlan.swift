// HOT to read, COLD to build. A snapshot as one worker uses it: its own pools, contexts and caches over shared values.
import Bytes
import HTTP
import HTTP2
import Identity
import JOSE
import Policy
import Reactor
import TLS
import Upstreams

/// Deadlines in milliseconds.
struct TimeoutPlan: Sendable {
    var handshake: Int64 = 10_000
    var headers: Int64 = 10_000
    var bodyProgress: Int64 = 10_000
    var request: Int64 = 300_000
    var idle: Int64 = 75_000
    var streamIdle: Int64 = 300_000
    /// Silence after which a client is asked for a sign of life, and how long that may take; 0 for never.
    var keepalive: Int64 = 30_000
    var keepaliveAnswer: Int64 = 10_000
    var write: Int64 = 60_000
    var linger: Int64 = 2_000
    var loopStall: Int64 = 1_000
}

/// What a route does, ready to be done.
///
/// A class, so that passing it on costs one reference and not one for each of its arrays.
final class RoutePlan: @unchecked Sendable {
    // Exception: filled by `SnapshotBuilder`, and never changed once a snapshot holds it.
    enum Action: Sendable {
        case forward(upstream: Int)
        case redirect(status: Int, location: [UInt8], keepsPath: Bool)
        case respond(status: Int, head: [UInt8], body: [UInt8])
    }

    /// How the upstream's Host field is made.
    enum HostRewrite: Sendable {
        case preserve
        case fixed([UInt8])
    }

    let name: String
    let nameBytes: [UInt8]
    let metricSlot: Int
    var upstreamSlot = 0
    var action = Action.respond(status: 404, head: [], body: [])
    var host = HostRewrite.preserve
    /// For a backend that must be told one, when the client has none.
    var ownHost: [UInt8] = []
    /// The number of segments that are replaced, negative for no rewriting, and what takes their place.
    var strippedSegments = -1
    var replacement: [UInt8] = []
    var keepsAuthorization = true
    var connectTimeout: Int64 = 3_000
    var firstByteTimeout: Int64 = 30_000
    var requestTimeout: Int64 = 300_000
    var bodyLimit: UInt64 = 10 << 20
    var allowsEncodedSlashes = false
    var allowsUpgrade = true
    var streamIdle: Int64 = 300_000
    /// How long what has no end of its own may last; 0 for ever.
    var streamAge: Int64 = 0
    /// Audience of the signed assertion, empty for none.
    var assertionAudience: [UInt8] = []

    /// What an exchange looks at more than once.
    var bounds: RouteBounds {
        RouteBounds(
            metricSlot: metricSlot,
            upstreamSlot: upstreamSlot,
            connectTimeout: connectTimeout,
            firstByteTimeout: firstByteTimeout,
            streamIdle: streamIdle
        )
    }

    init(name: String, metricSlot: Int) {
        self.name = name
        self.metricSlot = metricSlot
        nameBytes = Array(name.utf8)
    }
}

/// Numbers of a route that an exchange keeps with it: to look them up again would count references each time.
struct RouteBounds {
    var metricSlot = 0
    var upstreamSlot = 0
    /// Milliseconds.
    var connectTimeout: Int64 = 0
    var firstByteTimeout: Int64 = 0
    var streamIdle: Int64 = 0
}

/// The servers of an upstream as the configuration names them.
struct UpstreamPlan: Sendable {
    struct Server: Sendable {
        var location: ServerLocation
        var weight: Int
        /// First place on the health board; a name has as many places as it may have addresses.
        var boardIndex: Int
        /// What a name resolved to when the snapshot was built.
        var addresses: [SocketAddress]

        /// The name that a certificate must be for; empty for that of the address.
        var hostName: String {
            if case .name(let name, _) = location { name } else { "" }
        }
    }

    var name: String
    var servers: [Server]
    var balancer: Balancer
    var maximumConnections: Int
    var maximumIdle: Int
    var idleTimeout: Int64
    var resolveInterval: Int64
    /// Milliseconds for which a backend that refused a connection is passed over.
    var refusedPause: Int64
    /// Further backends that are tried when one refuses.
    var retries: Int
    /// Most requests that wait for a connection.
    var maximumWaiting = 1024
    /// Silence after which TCP keepalive asks, and after which PING does, in milliseconds; 0 for never.
    var keepalive: Int64 = 0
    var ping: Int64 = 0
    /// TLS towards its backends; nil for clear text.
    var tls: ClientTLS?
    /// Whether backends speak HTTP/2: then requests share connections.
    var isMultiplexed = false

    /// An upstream without servers.
    static let none = UpstreamPlan(
        name: "",
        servers: [],
        balancer: .roundRobin,
        maximumConnections: 0,
        maximumIdle: 0,
        idleTimeout: 0,
        resolveInterval: 60_000,
        refusedPause: 500,
        retries: 0
    )

    /// Places on the health board per server name.
    static let addressesPerName = 8

    /// The backends, given what each server's name resolves to.
    func backends(_ addresses: [[SocketAddress]]) -> [Backend] {
        zip(servers, addresses).flatMap { server, list in
            list.prefix(Self.addressesPerName).enumerated().map { index, address in
                Backend(
                    address: address,
                    hostName: server.hostName,
                    weight: server.weight,
                    healthIndex: server.boardIndex + index,
                    maximumIdle: maximumIdle
                )
            }
        }
    }
}

/// A snapshot as one worker uses it.
final class WorkerPlan {
    let snapshot: Snapshot
    let routes: [RoutePlan]
    let headLimits: HeadLimits
    let responseLimits: HeadLimits
    let timeouts: TimeoutPlan
    let minimumBodyRate: UInt64
    let maximumConnections: Int
    let maximumRequests: UInt32
    let upstreams: [Upstream]
    let authenticator: TokenAuthenticator
    let assertions: AssertionSigner?
    /// Whether people log in: asked on every request, before anything about sessions is touched.
    let hasSessions: Bool
    /// Limits of heads that came as frames: their sizes were judged already.
    let streamHeadLimits: HeadLimits
    private let securities: [UpstreamSecurity?]
    let pathOptions: CanonicalTarget.Options

    init(_ snapshot: Snapshot, worker: Int) {
        self.snapshot = snapshot
        routes = snapshot.routes
        headLimits = snapshot.headLimits
        responseLimits = snapshot.responseLimits
        streamHeadLimits = snapshot.headLimits
        securities = snapshot.upstreams.map { plan in
            plan.tls.map { UpstreamSecurity(context: $0, upstream: plan.name) }
        }
        timeouts = snapshot.timeouts
        minimumBodyRate = snapshot.minimumBodyRate
        maximumConnections = snapshot.maximumConnections
        maximumRequests = snapshot.maximumRequests
        pathOptions = CanonicalTarget.Options(encodedSlashes: snapshot.routes.contains(where: \.allowsEncodedSlashes))
        upstreams = snapshot.upstreams.map { plan in
            Upstream(
                name: plan.name,
                backends: plan.backends(plan.servers.map(\.addresses)),
                balancer: plan.balancer,
                board: snapshot.board,
                maximumConnections: plan.maximumConnections,
                maximumIdle: plan.maximumIdle,
                streamsPerConnection: plan.isMultiplexed ? snapshot.http2UpstreamLimits.concurrentStreams : 1,
                idleTimeout: plan.idleTimeout,
                firstTurn: worker
            )
        }
        authenticator = snapshot.identity.makeAuthenticator()
        assertions = snapshot.identity.makeAssertionSigner()
        hasSessions = snapshot.sessions != nil
    }

    /// TLS towards the backends of one of `upstreams`.
    func security(of upstream: Upstream) -> UpstreamSecurity? {
        guard let index = upstreams.firstIndex(where: { $0 === upstream }) else { return nil }
        return securities[index]
    }

    /// Names have new addresses: returns the backends that are gone.
    func resolved(upstream index: Int, _ addresses: [[SocketAddress]]) -> [Backend] {
        upstreams[index].replace(with: snapshot.upstreams[index].backends(addresses))
    }
}
