// COLD. From settings to a snapshot: imports keys, compiles routes, looks names up. The same code for check, run, reload.
import Configuration
import Foundation
import HTTP
import Identity
import Policy
import Reactor
import Settings
import TLS
import Telemetry
import Upstreams

/// What building a snapshot came to.
struct SnapshotResult {
    /// The settings, when the file could be read at all.
    var settings: GatewaySettings?
    /// Makes the snapshot; nil when there are problems.
    var build: ((Metrics) -> Snapshot)?
    /// Problems and warnings as `file:line:column: message`.
    var messages: [String]
    /// The compiled table, for `check`.
    var table: RouteTable?
    /// Whether everything is as the files say: no TLS had to stay as it was.
    var isWhole = true
}

/// TLS of one listener as it was read.
private struct ListenerMaterial {
    var tls: ServerTLS?
    var clientCA: [UInt8]
    var footing: Int
}

/// Builds snapshots.
enum SnapshotBuilder {
    /// Reads the file at `path` and prepares everything that follows from it.
    static func load(path: String, generation: UInt64, continuity: Continuity) -> SnapshotResult {
        let loaded = Configuration.load(path: path, environment: ProcessInfo.processInfo.environment)
        guard let settings = loaded.settings else {
            return SnapshotResult(settings: nil, build: nil, messages: text(loaded.diagnostics, file: path), table: nil)
        }
        return prepare(settings, loaded.diagnostics, path: path, generation: generation, continuity: continuity)
    }

    /// Reads the files that the settings in force name; the configuration file at `path` is not looked at.
    ///
    /// TLS whose files cannot be read stays as it is: a broken certificate is no reason to let a disabled account go on.
    static func rebuild(_ old: Snapshot, path: String, generation: UInt64, continuity: Continuity) -> SnapshotResult {
        prepare(old.settings, [], path: path, generation: generation, continuity: continuity, old: old)
    }

    private static func prepare(
        _ settings: GatewaySettings,
        _ found: [Diagnostic],
        path: String,
        generation: UInt64,
        continuity: Continuity,
        old: Snapshot? = nil
    ) -> SnapshotResult {
        var diagnostics = found
        var kept: [Diagnostic] = []
        // Before anything is read: a file that is replaced meanwhile differs from this at the next look.
        let watch = FileWatch(settings)
        let (table, conflicts) = RouteTable.build(settings.routes)
        diagnostics += conflicts.map {
            Diagnostic(at: $0.location, $0.message, severity: $0.isCertain ? .error : .warning)
        }
        var keys = KeyImport()
        let imported = keys.plan(settings)
        diagnostics += keys.diagnostics
        if let imported { diagnostics += RouteChecks.run(settings, imported.injection) }
        var pages = PortalImport()
        let portal = pages.material(settings)
        diagnostics += pages.diagnostics
        var tls: [ListenerMaterial] = []
        var clients: [ClientTLS?] = []
        do throws(TLSError) {
            let now = Clock.unixMilliseconds() / 1000
            var material = TLSImport(ticketKeys: try continuity.ticketKeys(settings.tls), now: now)
            for (index, listener) in settings.listeners.enumerated() {
                let server = material.server(listener)
                if server == nil, listener.tls != nil, let plan = old?.listeners[index] {
                    tls.append(ListenerMaterial(tls: plan.tls, clientCA: plan.clientCA, footing: plan.footing))
                } else {
                    tls.append(ListenerMaterial(tls: server, clientCA: material.clientCA, footing: material.footing))
                }
            }
            for (index, upstream) in settings.upstreams.enumerated() {
                let client = material.client(upstream)
                clients.append(client ?? (upstream.tls == nil ? nil : old?.upstreams[index].tls))
            }
            diagnostics += material.diagnostics.filter { old == nil || $0.severity == .warning }
            if old != nil { kept = material.diagnostics.filter { $0.severity == .error } }
        } catch {
            diagnostics.append(Diagnostic(at: settings.tls.marks["ticket_rotation"], error.message))
        }
        var board = 0
        var upstreams: [UpstreamPlan] = []
        if !diagnostics.contains(where: { $0.severity == .error }) {
            continuity.names.learn(settings.upstreams.flatMap(\.names), within: nameWait)
            upstreams = zip(settings.upstreams, clients).map { upstream, client in
                var plan = plan(upstream, board: &board, continuity.names, &diagnostics)
                plan.tls = client
                plan.isMultiplexed = upstream.protocol != .http1
                return plan
            }
        }
        // Whatever the reason: nothing goes in clear text that should not.
        let isSecured =
            zip(settings.listeners, tls).allSatisfy { $0.tls == nil || $1.tls != nil }
            && zip(settings.upstreams, clients).allSatisfy { $0.tls == nil || $1 != nil }
        let messages = text(diagnostics + kept, file: path)
        guard let identity = imported, isSecured, !diagnostics.contains(where: { $0.severity == .error }) else {
            return SnapshotResult(settings: settings, build: nil, messages: messages, table: table)
        }
        let issuers = identity.issuerNames.map { String(decoding: $0, as: UTF8.self) }
        let rules = settings.routes.map { Rule($0, issuers: issuers) }

        let size = board
        let plans = upstreams
        let servers = tls
        let workers = max(1, settings.workerCount)
        let targets = zip(settings.upstreams, plans).flatMap { healthTargets($0, $1, $1.servers.map(\.addresses)) }
        let build: (Metrics) -> Snapshot = { metrics in
            let routeSlots = metrics.routeSlots(settings.routes.map(\.name))
            let upstreamSlots = metrics.upstreamSlots(settings.upstreams.map(\.name))
            let routes = zip(settings.routes, routeSlots).map { route, slot in
                plan(route, settings, slot: slot, upstreamSlots: upstreamSlots)
            }
            return Snapshot(
                generation: generation,
                settings: settings,
                watch: watch,
                listeners: settings.listeners.enumerated().map { index, listener in
                    ListenerPlan(
                        index: index,
                        name: listener.name,
                        address: SocketAddress(listener.address),
                        backlog: Int32(clamping: listener.backlog),
                        mode: listener.mode,
                        tls: servers[index].tls,
                        clientIdentity: listener.tls?.clientIdentity.flatMap { settings in
                            identity.certificates.first { $0.name == settings.name }
                        },
                        clientCA: servers[index].clientCA,
                        http1: listener.http1,
                        http2: listener.tls?.http2 ?? true,
                        footing: servers[index].footing,
                        handshakesPerSecond: Double(settings.limits.handshakesPerSecond) / Double(workers),
                        proxies: (listener.proxyProtocol?.from ?? []).map {
                            (IPAddress(high: $0.network.high, low: $0.network.low, port: 0), $0.prefixLength)
                        },
                        isBehindProxy: listener.proxyProtocol != nil,
                        maximumConnections: listener.maxConnections,
                        redirectPort: listener.redirectToHTTPS ?? 0,
                        hsts: listener.tls?.hsts
                    )
                },
                opsAddress: settings.ops.isEnabled ? SocketAddress(settings.ops.address) : nil,
                routes: routes,
                rules: rules,
                table: table,
                upstreams: plans,
                healthTargets: targets,
                boardSize: size,
                identity: identity,
                portal: portal
            )
        }
        return SnapshotResult(
            settings: settings,
            build: build,
            messages: messages,
            table: table,
            isWhole: kept.isEmpty
        )
    }

    /// Sorted by place, each once.
    private static func text(_ diagnostics: [Diagnostic], file: String) -> [String] {
        var seen: Set<String> = []
        return diagnostics.sorted { ($0.location.line, $0.location.column) < ($1.location.line, $1.location.column) }
            .map {
                var diagnostic = $0
                if diagnostic.file.isEmpty { diagnostic.file = file }
                return diagnostic.description
            }
            .filter { seen.insert($0).inserted }
    }

    // MARK: Upstreams

    /// Milliseconds that names are waited for; one that takes longer is served from when it is found.
    private static let nameWait: Int64 = 2000

    private static func plan(
        _ settings: UpstreamSettings,
        board: inout Int,
        _ names: NameBook,
        _ diagnostics: inout [Diagnostic]
    ) -> UpstreamPlan {
        let servers = settings.servers.map { server in
            let location = ServerLocation(server.address)
            let index = board
            let addresses: [SocketAddress]
            switch location {
            case .fixed(let address):
                addresses = [address]
                board += 1
            case .name(let name, let port):
                addresses = names.known(name, port: port)
                if addresses.isEmpty {
                    let problem =
                        "upstream \"\(settings.name)\": the name \(name) has no address now; it is looked up again"
                    diagnostics.append(Diagnostic(at: server.marks["address"], problem, severity: .warning))
                }
                board += UpstreamPlan.addressesPerName
            }
            return UpstreamPlan.Server(
                location: location,
                weight: server.weight,
                boardIndex: index,
                addresses: addresses
            )
        }
        return UpstreamPlan(
            name: settings.name,
            servers: servers,
            balancer: settings.balance == .roundRobin ? .roundRobin : .leastConnections,
            maximumConnections: settings.pool.maxConnections,
            maximumIdle: settings.pool.maxIdle,
            idleTimeout: Int64(settings.pool.idleTimeout.milliseconds),
            resolveInterval: Int64(settings.resolveTTL.milliseconds),
            refusedPause: Int64(settings.refusedPause.milliseconds),
            retries: settings.retries,
            maximumWaiting: settings.pool.maxWaiting,
            keepalive: Int64(settings.keepalive.milliseconds),
            ping: Int64(settings.ping.milliseconds)
        )
    }

    /// What is probed of an upstream whose servers have these addresses now.
    static func healthTargets(
        _ settings: UpstreamSettings,
        _ plan: UpstreamPlan,
        _ addresses: [[SocketAddress]]
    ) -> [HealthTarget] {
        guard let health = settings.health else { return [] }
        return zip(zip(settings.servers, plan.servers), addresses).flatMap { servers, addresses in
            let (server, planned) = servers
            let name = server.address.text
            return addresses.prefix(UpstreamPlan.addressesPerName).enumerated().map { index, address in
                HealthTarget(
                    upstream: settings.name,
                    address: address,
                    hostName: planned.hostName,
                    tls: plan.tls,
                    boardIndex: planned.boardIndex + index,
                    plan: HealthPlan(
                        question: settings.healthQuestion,
                        host: health.host ?? (name.hasPrefix("unix:") ? "localhost" : name),
                        interval: Int64(health.interval.milliseconds),
                        timeout: Int64(health.timeout.milliseconds),
                        healthy: health.healthy,
                        unhealthy: health.unhealthy,
                        statuses: health.statuses.map(\.range)
                    )
                )
            }
        }
    }

    // MARK: Routes

    private static func plan(
        _ route: RouteSettings,
        _ settings: GatewaySettings,
        slot: Int,
        upstreamSlots: [Int]
    ) -> RoutePlan {
        let plan = RoutePlan(name: route.name, metricSlot: slot)
        plan.bodyLimit = UInt64(settings.limits.body.bytes)
        plan.requestTimeout = Int64(settings.timeouts.request.milliseconds)
        plan.assertionAudience = Array((route.assertion?.audience ?? "").utf8)
        switch route.action {
        case .forward(let forward): fill(plan, forward, route.match.path, settings, upstreamSlots)
        case .redirect(let redirect):
            plan.action = .redirect(
                status: redirect.status,
                // The path brings its own slash: `//x` would be a host.
                location: Array(redirect.location.utf8.dropLast(redirect.endsInSlash && redirect.keepsPath ? 1 : 0)),
                keepsPath: redirect.keepsPath
            )
        case .respond(let respond):
            var head = respond.body.isEmpty ? "" : "Content-Type: \(respond.contentType)\r\n"
            for field in respond.headers { head += "\(field.name.text): \(field.value)\r\n" }
            plan.action = .respond(status: respond.status, head: Array(head.utf8), body: Array(respond.body.utf8))
        case nil: break
        }
        return plan
    }

    /// The shorter of two times, of which 0 is none.
    private static func least(_ a: Int, _ b: Int) -> Int64 { Int64(a == 0 || b == 0 ? max(a, b) : min(a, b)) }

    private static func fill(
        _ plan: RoutePlan,
        _ forward: ForwardSettings,
        _ match: PathMatch,
        _ settings: GatewaySettings,
        _ upstreamSlots: [Int]
    ) {
        guard let index = settings.upstreams.firstIndex(where: { $0.name == forward.upstream }) else { return }
        let upstream = settings.upstreams[index]
        plan.action = .forward(upstream: index)
        plan.upstreamSlot = upstreamSlots[index]
        plan.connectTimeout = Int64(upstream.connectTimeout.milliseconds)
        plan.firstByteTimeout = Int64((forward.timeout ?? upstream.firstByteTimeout).milliseconds)
        plan.streamIdle = least(upstream.idleTimeout.milliseconds, settings.timeouts.streamIdle.milliseconds)
        plan.streamAge = Int64((forward.streamAge ?? settings.timeouts.streamAge).milliseconds)
        plan.allowsUpgrade = forward.upgrade
        plan.keepsAuthorization = forward.authorization == .keep
        plan.allowsEncodedSlashes = forward.encodedSlashes
        if let limit = forward.bodyLimit { plan.bodyLimit = UInt64(limit.bytes) }
        if let timeout = forward.requestTimeout { plan.requestTimeout = Int64(timeout.milliseconds) }
        if let (prefix, replacement) = forward.rewrite(of: match) {
            plan.strippedSegments = prefix.segments.count
            plan.replacement = Array(replacement.text.utf8)
        }
        let text = upstream.servers.first?.address.text ?? "localhost"
        plan.ownHost = Array((text.hasPrefix("unix:") ? "localhost" : text).utf8)
        switch forward.host {
        case .preserve: plan.host = .preserve
        case .name(let name): plan.host = .fixed(Array(name.utf8))
        case .upstream: plan.host = .fixed(plan.ownHost)
        }
    }
}

extension SocketAddress {
    /// The address of a setting; a name that is none (listeners are checked before) becomes the loopback address.
    init(_ endpoint: Endpoint) {
        switch endpoint {
        case .ip(let number, _, let port):
            self.init(ip: IPAddress(high: number.high, low: number.low, port: port))
        case .name(_, let port):
            self.init(ip: IPAddress(high: 0, low: 0xffff_7f00_0001, port: port))
        case .unix(let path):
            self.init(path: path)
        }
    }
}

extension ServerLocation {
    /// The location of a setting.
    init(_ endpoint: Endpoint) {
        switch endpoint {
        case .name(let name, let port): self = .name(name, port: port)
        default: self = .fixed(SocketAddress(endpoint))
        }
    }
}

extension GatewaySettings {
    /// Number of worker threads: as written, or what the process may use.
    var workerCount: Int {
        switch workers {
        case .fixed(let count): count
        case .automatic: Processors.available
        }
    }
}

extension LogSettings {
    /// Makes the process log as these settings want it.
    func configure() {
        let least: Log.Level =
            switch level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        Log.configure(level: least, format: format == .json ? .json : .text)
    }
}

extension UpstreamSettings {
    /// What a probe of its backends asks.
    fileprivate var healthQuestion: HealthQuestion {
        guard let health, health.type == .grpc else {
            return self.protocol == .http1 ? .http1(path: health?.path ?? "/") : .http2(path: health?.path ?? "/")
        }
        return .grpc(service: health.service)
    }
}

extension UpstreamSettings {
    /// The names that its servers are found by.
    fileprivate var names: [(name: String, port: UInt16)] {
        servers.compactMap { server in
            guard case .name(let name, let port) = ServerLocation(server.address) else { return nil }
            return (name, port)
        }
    }
}

extension RedirectSettings {
    fileprivate var endsInSlash: Bool { location.hasSuffix("/") }
}
