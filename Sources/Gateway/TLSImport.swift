// COLD. Reads certificates and builds TLS for one snapshot; every problem is told with its place in the configuration.
import Configuration
import Reactor
import Settings
import TLS

/// TLS of listeners and upstreams, as the configuration wants it.
struct TLSImport {
    /// A certificate file is never larger.
    static let maximumFileBytes = 1 << 20

    private(set) var diagnostics: [Diagnostic] = []
    /// How many of them forbid using the file: only after one is there no TLS where it is asked for.
    private var problems = 0
    /// Authorities of client certificates of the listener that was read last, in PEM.
    private(set) var clientCA: [UInt8] = []
    /// What TLS of the listener that was read last asks of clients, as a number that is the same for the same.
    private(set) var footing = 0
    private let ticketKeys: TicketKeys
    private let now: Int64

    init(ticketKeys: TicketKeys, now: Int64) {
        self.ticketKeys = ticketKeys
        self.now = now
    }

    // MARK: Listeners

    /// TLS of one listener; nil in clear text, or after problems.
    mutating func server(_ listener: ListenerSettings) -> ServerTLS? {
        clientCA = []
        footing = 0
        guard let settings = listener.tls else { return nil }
        let before = problems
        var sources: [CertificateSource] = []
        for certificate in settings.certificates {
            let chain = read(certificate.certificate, at: certificate.marks["certificate_file"])
            let key = read(certificate.key, at: certificate.marks["key_file"])
            let ocsp = certificate.ocsp.flatMap { response($0, at: certificate.marks["ocsp_file"]) }
            guard let chain, let key else { continue }
            sources.append(CertificateSource(label: certificate.certificate.path, chain: chain, key: key, ocsp: ocsp))
        }
        var plan = ServerTLSPlan(certificates: sources, contextName: listener.name)
        plan.minimumVersion = settings.minimumVersion.version
        plan.protocols = (settings.http2 ? [.http2] : []) + (listener.http1 ? [.http11] : [])
        plan.issuesTickets = settings.tickets
        plan.refusesUnknownNames = settings.strictSNI
        switch settings.clientCertificates {
        case .off: plan.clientAuthentication = .off
        case .optional: plan.clientAuthentication = .optional
        case .required: plan.clientAuthentication = .required
        }
        if let file = settings.clientCA { plan.clientCA = read(file, at: settings.marks["client_ca_file"]) ?? [] }
        clientCA = plan.clientCA
        footing = Self.footing(plan)
        guard problems == before else { return nil }
        do throws(TLSError) {
            let server = try ServerTLS(plan, ticketKeys: ticketKeys, now: now)
            warn(of: server, settings)
            return server
        } catch {
            report(at: place(of: error, settings), error.message)
            return nil
        }
    }

    /// Certificates are no part of it: connections that began with the former ones go on, and 421 is for hosts that
    /// these are not for.
    private static func footing(_ plan: ServerTLSPlan) -> Int {
        var hasher = Hasher()
        hasher.combine(plan.clientCA)
        hasher.combine("\(plan.minimumVersion) \(plan.protocols) \(plan.clientAuthentication)")
        hasher.combine(plan.refusesUnknownNames)
        return hasher.finalize()
    }

    private mutating func warn(of server: ServerTLS, _ settings: ListenerTLSSettings) {
        for warning in server.warnings where warning.index < settings.certificates.count {
            let place = settings.certificates[warning.index].marks["certificate_file"]
            diagnostics.append(Diagnostic(at: place, warning.description, severity: .warning))
        }
    }

    private func place(of error: TLSError, _ settings: ListenerTLSSettings) -> SourceLocation {
        let index = min(error.index ?? 0, settings.certificates.count - 1)
        let certificate = settings.certificates[index]
        return switch error.field {
        case .key: certificate.marks["key_file"]
        case .ocsp: certificate.marks["ocsp_file"]
        case .clientCA, .ca: settings.marks["client_ca_file"]
        case .certificate, .serverName, .library: certificate.marks["certificate_file"]
        }
    }

    // MARK: Upstreams

    /// TLS towards one upstream; nil in clear text, or after problems.
    mutating func client(_ upstream: UpstreamSettings) -> ClientTLS? {
        guard let settings = upstream.tls else { return nil }
        let before = problems
        var plan = ClientTLSPlan()
        if !settings.verifies {
            plan.authorities = .insecure
        } else if let file = settings.ca {
            plan.authorities = .pem(read(file, at: settings.marks["ca_file"]) ?? [])
        }
        plan.serverName = settings.serverName.flatMap { PeerName($0) }
        plan.certificate = settings.certificate.flatMap { read($0, at: settings.marks["certificate_file"]) }
        plan.key = settings.key.flatMap { read($0, at: settings.marks["key_file"]) }
        plan.minimumVersion = settings.minimumVersion.version
        plan.protocols = upstream.protocol == .h2 ? [.http2] : [.http11]
        guard problems == before else { return nil }
        do throws(TLSError) {
            let client = try ClientTLS(plan)
            let label = settings.certificate?.path ?? ""
            for finding in client.findings(at: now) {
                diagnostics.append(
                    Diagnostic(at: settings.marks["certificate_file"], "\(label): \(finding)", severity: .warning)
                )
            }
            return client
        } catch {
            let key =
                switch error.field {
                case .certificate: "certificate_file"
                case .key: "key_file"
                case .serverName: "server_name"
                case .ca, .clientCA, .ocsp, .library: "ca_file"
                }
            let place = settings.marks.isWritten(key) ? settings.marks[key] : upstream.marks["tls"]
            report(at: place, error.message)
            return nil
        }
    }

    // MARK: Files and messages

    private mutating func read(_ file: FileReference, at place: SourceLocation) -> [UInt8]? {
        switch MaterialFile.read(file.path, limit: Self.maximumFileBytes) {
        case .success(let bytes): return bytes
        case .failure(let problem):
            report(at: place, problem.text)
            return nil
        }
    }

    /// An OCSP response; without one TLS works as well.
    private mutating func response(_ file: FileReference, at place: SourceLocation) -> [UInt8]? {
        switch MaterialFile.read(file.path, limit: Self.maximumFileBytes) {
        case .success(let bytes): return bytes
        case .failure(let problem):
            diagnostics.append(Diagnostic(at: place, "\(problem.text); none is sent", severity: .warning))
            return nil
        }
    }

    private mutating func report(at place: SourceLocation, _ message: String) {
        problems += 1
        diagnostics.append(Diagnostic(at: place, message))
    }
}

extension TLSVersionSettings {
    /// The version as TLS knows it.
    var version: TLSVersion {
        switch self {
        case .tls12: .tls12
        case .tls13: .tls13
        }
    }
}
