// COLD to build, HOT to read. One generation of everything that follows from a configuration file; never changes.
import Bytes
import HTTP
import HTTP2
import Identity
import Policy
import Portal
import Reactor
import Settings
import TLS
import Telemetry
import Upstreams

/// Where to listen, and what is spoken there.
final class ListenerPlan: Sendable {
    /// Its place in the configuration.
    let index: Int
    let name: String
    let address: SocketAddress
    let backlog: Int32
    let mode: UInt32
    /// TLS of its clients; nil for clear text.
    let tls: ServerTLS?
    /// Takes client certificates for credentials; nil where they are none.
    let clientIdentity: CertificateAuthenticator?
    /// Who may sign client certificates, in PEM; empty when they are not asked for.
    let clientCA: [UInt8]
    /// Whether HTTP/1 is spoken.
    let http1: Bool
    /// Whether HTTP/2 is spoken.
    let http2: Bool
    /// What TLS asks of clients, as a number: whether connections of another plan stand on the same.
    let footing: Int
    /// TLS handshakes that each worker begins per second; 0 for any number.
    let handshakesPerSecond: Double
    /// Peers whose connections begin with a PROXY header.
    let proxies: [(network: IPAddress, bits: Int)]
    /// Whether those of a unix socket do.
    let isBehindProxy: Bool
    /// Most connections over all workers, nil for no limit of its own.
    let maximumConnections: Int?
    /// Port of https to which requests are sent instead of being served; 0: they are served.
    let redirectPort: Int
    /// The whole `Strict-Transport-Security` line, or nothing.
    let hstsLine: [UInt8]

    init(
        index: Int,
        name: String,
        address: SocketAddress,
        backlog: Int32,
        mode: UInt32,
        tls: ServerTLS?,
        clientIdentity: CertificateAuthenticator?,
        clientCA: [UInt8],
        http1: Bool,
        http2: Bool,
        footing: Int,
        handshakesPerSecond: Double,
        proxies: [(network: IPAddress, bits: Int)],
        isBehindProxy: Bool,
        maximumConnections: Int?,
        redirectPort: Int,
        hsts: HSTSSettings?
    ) {
        self.index = index
        self.name = name
        self.address = address
        self.backlog = backlog
        self.mode = mode
        self.tls = tls
        self.clientIdentity = clientIdentity
        self.clientCA = clientCA
        self.http1 = http1
        self.http2 = http2
        self.footing = footing
        self.handshakesPerSecond = handshakesPerSecond
        self.proxies = proxies
        self.isBehindProxy = isBehindProxy
        self.maximumConnections = maximumConnections
        self.redirectPort = redirectPort
        hstsLine = hsts.map { Array($0.line.utf8) } ?? []
    }

    /// Whether something comes before the first request of a connection.
    @inline(__always)
    func needsHandshake(with peer: IPAddress) -> Bool { tls != nil || expectsProxyHeader(from: peer) }

    /// Whether connections of a peer begin with a PROXY header: of the listed ones always, of others never.
    func expectsProxyHeader(from peer: IPAddress) -> Bool {
        if peer.isUnix { return isBehindProxy }
        return proxies.contains { peer.isIn($0.network, bits: $0.bits) }
    }

    /// Whether a socket of another plan serves this one.
    func isBound(like other: ListenerPlan) -> Bool {
        name == other.name && address == other.address && backlog == other.backlog && mode == other.mode
            && maximumConnections == other.maximumConnections
    }

    /// What a newer configuration says of this listener; sockets stay, certificates change.
    func current(in snapshot: Snapshot) -> ListenerPlan {
        if index < snapshot.listeners.count, snapshot.listeners[index].name == name { return snapshot.listeners[index] }
        return snapshot.listeners.first { $0.name == name } ?? self
    }
}

/// Choices about fields, ready to be used.
final class FieldPlan: Sendable {
    /// The whole `Via` line for a message that came over HTTP/1.1, over HTTP/2, and over HTTP/1.0.
    let via11: [UInt8]
    let via20: [UInt8]
    let via10: [UInt8]
    let unusualNames: HTTPSettings.UnusualNames
    /// Whether `X-HTTP-Method-Override` and its kin go on.
    let passesMethodOverride: Bool
    let sendsXForwarded: Bool
    let sendsForwarded: Bool
    /// The beginning of the request id's line: its field's name, colon and blank.
    let requestIDLine: [UInt8]
    /// The name of that field, lower case; empty for `X-Request-Id`, which the parser knows.
    let requestIDName: [UInt8]
    /// Whether it is another than `X-Request-Id`.
    let hasOwnIDName: Bool
    /// Finds that other name in every spelling, as it finds the names of identity; it holds nothing else.
    ///
    /// Not among those, which nobody may send: an id of a trusted proxy is taken over.
    let ownIDName: HeaderInjection
    let beginsTrace: Bool
    /// Whether any protocol may be upgraded to, else the lower-case names.
    let upgradesAny: Bool
    let upgrades: [[UInt8]]
    let passesServer: Bool
    let serverLine: [UInt8]

    init(_ settings: HTTPSettings) {
        via11 = settings.via.isEmpty ? [] : Array("Via: 1.1 \(settings.via)\r\n".utf8)
        via20 = settings.via.isEmpty ? [] : Array("Via: 2.0 \(settings.via)\r\n".utf8)
        via10 = settings.via.isEmpty ? [] : Array("Via: 1.0 \(settings.via)\r\n".utf8)
        passesMethodOverride = settings.methodOverride == .pass
        unusualNames = settings.unusualNames
        sendsXForwarded = settings.forwarded == .xForwarded || settings.forwarded == .both
        sendsForwarded = settings.forwarded == .forwarded || settings.forwarded == .both
        requestIDLine = Array("\(settings.requestIDHeader.text): ".utf8)
        let name = settings.requestIDHeader.text.lowercased()
        requestIDName = name == "x-request-id" ? [] : Array(name.utf8)
        hasOwnIDName = !requestIDName.isEmpty
        ownIDName = HeaderInjection(headers: [], protected: hasOwnIDName ? [requestIDName] : [])
        beginsTrace = settings.beginsTrace
        upgradesAny = settings.upgrades.contains("*")
        upgrades = settings.upgrades.map { Array($0.lowercased().utf8) }
        passesServer = settings.server == .pass
        if case .replace(let name) = settings.server {
            serverLine = Array("Server: \(name)\r\n".utf8)
        } else {
            serverLine = []
        }
    }
}

/// One generation of the configuration, ready to be used by every worker.
final class Snapshot: Sendable {
    let generation: UInt64
    let settings: GatewaySettings
    /// The files it was read from, as they were before they were read.
    let watch: FileWatch
    let listeners: [ListenerPlan]
    let opsAddress: SocketAddress?
    let headLimits: HeadLimits
    let responseLimits: HeadLimits
    let timeouts: TimeoutPlan
    let fields: FieldPlan
    let minimumBodyRate: UInt64
    let maximumConnections: Int
    let maximumRequests: UInt32
    let bufferLimit: Int
    let http2Limits: HTTP2Limits
    /// Most milliseconds for which the end of a client's connection is put off; 0 for none.
    let http2EndDelay: Int64
    /// The same for TLS handshakes.
    let handshakeDelay: Int64
    let http2UpstreamLimits: HTTP2Limits
    let chunkExtensionLimit: Int
    let drain: Int64
    let trusted: [(network: IPAddress, bits: Int)]
    let routes: [RoutePlan]
    let rules: [Rule]
    let table: RouteTable
    let upstreams: [UpstreamPlan]
    let healthTargets: [HealthTarget]
    let board: HealthBoard
    let identity: IdentityPlan
    /// Login sessions; nil where nobody logs in.
    let sessions: SessionPlan?
    /// The directory of accounts and the pages, as read for this generation.
    let portal: PortalMaterial?
    /// Pages for errors of the gate; nil where there is no portal: plain ones do.
    let errorPages: PreparedPages?
    let realm: [UInt8]

    init(
        generation: UInt64,
        settings: GatewaySettings,
        watch: FileWatch,
        listeners: [ListenerPlan],
        opsAddress: SocketAddress?,
        routes: [RoutePlan],
        rules: [Rule],
        table: RouteTable,
        upstreams: [UpstreamPlan],
        healthTargets: [HealthTarget],
        boardSize: Int,
        identity: IdentityPlan,
        portal: PortalMaterial?
    ) {
        self.generation = generation
        self.settings = settings
        self.watch = watch
        self.listeners = listeners
        self.opsAddress = opsAddress
        self.routes = routes
        self.rules = rules
        self.table = table
        self.upstreams = upstreams
        self.healthTargets = healthTargets
        self.identity = identity
        self.portal = portal
        errorPages = portal?.pages.preparedPages()
        if let portal, let authenticator = identity.sessions {
            var life = Int64(settings.tokenCache.maxAge.wholeSeconds)
            // What a server loses without saying so is asked for again; of a file no change is missed.
            if settings.sessions.store == .redis { life = min(life, SessionPlan.longestCached) }
            sessions = SessionPlan(
                portal: portal.plan,
                authenticator: authenticator,
                cacheSeconds: life,
                rules: rules
            )
        } else {
            sessions = nil
        }
        board = HealthBoard(count: boardSize)
        headLimits = settings.limits.requestHeadLimits
        responseLimits = settings.limits.responseHeadLimits
        timeouts = TimeoutPlan(settings.timeouts)
        fields = FieldPlan(settings.http)
        minimumBodyRate = UInt64(settings.timeouts.bodyRate.bytes)
        maximumConnections = settings.limits.connections
        maximumRequests = UInt32(clamping: settings.limits.requestsPerConnection)
        bufferLimit = settings.limits.buffer.bytes
        http2Limits = settings.limits.http2Limits
        handshakeDelay = Int64(settings.limits.handshakeDelay.milliseconds)
        http2EndDelay = Int64(settings.limits.http2.endDelay.milliseconds)
        var http2 = HTTP2Limits.upstream
        http2.queueHigh = bufferLimit
        http2.queueLow = bufferLimit / 4
        http2.headerList = max(http2.headerList, settings.limits.responseHeaders.bytes)
        http2.continuations = max(http2.continuations, http2.headerList / http2.frame + 1)
        http2UpstreamLimits = http2
        chunkExtensionLimit = settings.limits.chunkExtension.bytes
        drain = Int64(settings.drain.milliseconds)
        trusted = settings.trustedProxies.map {
            (IPAddress(high: $0.network.high, low: $0.network.low, port: 0), $0.prefixLength)
        }
        realm = Array("portcullis".utf8)
    }

    /// The endpoint of ours at a path, if there is one.
    @inline(__always)
    func endpoint(_ path: UnsafeBufferPointer<UInt8>) -> OwnEndpoint? {
        guard path.count == OwnEndpoint.keysPath.utf8CodeUnitCount, let start = path.baseAddress,
            identity.publishedKeys != nil, Scan.equal(start, OwnEndpoint.keysPath.utf8Start, path.count)
        else { return nil }
        return .keys
    }

    /// Whether what a peer says about clients is believed.
    func isTrusted(_ peer: IPAddress) -> Bool {
        if trusted.isEmpty || peer.isUnix { return false }
        for entry in trusted where peer.isIn(entry.network, bits: entry.bits) { return true }
        return false
    }

    /// What a client's HTTP/2 connection may ask for.
    func http2Limits(for peer: IPAddress) -> HTTP2Limits {
        var limits = http2Limits
        // A proxy before us passes on the scheme that its own client used.
        limits.acceptsForeignScheme = isTrusted(peer)
        return limits
    }

    /// Opens the access log, or nil when it is off.
    ///
    /// - Throws: ``SystemError`` when the file cannot be opened.
    func makeAccessLog(_ metrics: Metrics) throws(SystemError) -> AccessLog? {
        guard settings.accessLog.isEnabled else { return nil }
        return try AccessLog(
            path: settings.accessLog.path,
            queueBytes: settings.accessLog.queue.bytes,
            metrics: metrics
        )
    }

    /// What differs from a running snapshot and cannot be changed without rebinding.
    func needsRestart(comparedWith old: Snapshot) -> [String] {
        var names: [String] = []
        if settings.workers != old.settings.workers { names.append("workers") }
        if listeners.count != old.listeners.count || !zip(listeners, old.listeners).allSatisfy({ $0.isBound(like: $1) })
        {
            names.append("listeners")
        }
        if settings.ops != old.settings.ops { names.append("ops") }
        if settings.offloadThreads != old.settings.offloadThreads { names.append("offload_threads") }
        if !settings.sessions.isSameStore(as: old.settings.sessions) || (portal == nil) != (old.portal == nil) {
            names.append("sessions (its store)")
        }
        if settings.accounts?.hashing.isSame(as: old.settings.accounts?.hashing) == false
            || settings.accounts?.throttle.isSame(as: old.settings.accounts?.throttle) == false
        {
            names.append("accounts.hashing, accounts.throttle")
        }
        if settings.auditLog?.path != old.settings.auditLog?.path { names.append("audit_log") }
        if settings.revocationFile != old.settings.revocationFile { names.append("revocation_file") }
        return names
    }

    /// Backends that were out stay out until a probe of the new generation says otherwise.
    func carryHealth(from old: [BackendState]) {
        for target in healthTargets {
            let before = old.first { $0.upstream == target.upstream && $0.address == target.address }
            if before?.isUp == false { board.set(target.boardIndex, up: false) }
        }
    }
}

extension TimeoutPlan {
    init(_ settings: TimeoutSettings) {
        handshake = Int64(settings.handshake.milliseconds)
        headers = Int64(settings.headers.milliseconds)
        bodyProgress = Int64(settings.bodyProgress.milliseconds)
        request = Int64(settings.request.milliseconds)
        idle = Int64(settings.idle.milliseconds)
        streamIdle = Int64(settings.streamIdle.milliseconds)
        keepalive = Int64(settings.keepalive.milliseconds)
        keepaliveAnswer = Int64(settings.keepaliveAnswer.milliseconds)
        write = Int64(settings.write.milliseconds)
        linger = Int64(settings.linger.milliseconds)
        loopStall = Int64(settings.loopStall.milliseconds)
    }
}

extension HSTSSettings {
    /// The header line (RFC 6797 §6.1).
    fileprivate var line: String {
        "Strict-Transport-Security: max-age=\(Int(maxAge.wholeSeconds))"
            + (includesSubdomains ? "; includeSubDomains" : "") + (preload ? "; preload" : "") + "\r\n"
    }
}
