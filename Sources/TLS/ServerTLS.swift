// COLD to build, HOT to accept. TLS towards clients: contexts, certificates by name, tickets, client certificates.
internal import COpenSSL

/// What a listener's TLS is like, as plain values.
public struct ServerTLSPlan: Sendable {
    /// Whether clients show certificates.
    public enum ClientAuthentication: Sendable, Equatable {
        /// They are not asked.
        case off
        /// They are asked; one that is shown must be valid.
        case optional
        /// Without a valid one there is no connection.
        case required
    }

    /// Certificates with their keys, at least one; the first is for clients that ask for no known name.
    ///
    /// Of two for the same name and kind of key the first counts; RSA and ECDSA for one name stand side by side.
    public var certificates: [CertificateSource]
    /// Oldest version that is spoken.
    public var minimumVersion = TLSVersion.tls12
    /// What is offered inside, best first.
    public var protocols: [ApplicationProtocol] = [.http2, .http11]
    /// Whether clients show certificates.
    public var clientAuthentication = ClientAuthentication.off
    /// Authorities of client certificates in PEM.
    public var clientCA: [UInt8] = []
    /// Whether sessions can be resumed by tickets; never where clients show certificates.
    ///
    /// Advisory: a session resumed elsewhere skipped the check of the client certificate (CVE-2025-23419).
    public var issuesTickets = true
    /// Whether clients that ask for no name, or for one without certificate, are refused.
    public var refusesUnknownNames = false
    /// Sessions are resumed only where this is the same: the listener's name.
    public var contextName: String

    /// A plan with the defaults.
    public init(certificates: [CertificateSource], contextName: String) {
        self.certificates = certificates
        self.contextName = contextName
    }
}

/// TLS towards clients of one listener; one for all workers, replaced as a whole when certificates change.
///
/// Connections keep it alive, so that a replaced one serves those that began with it.
public final class ServerTLS: @unchecked Sendable {
    // Exception: @unchecked because `groups` is written in `init` only, and OpenSSL counts references to a context
    // atomically and changes nothing else in one without a session cache.
    /// Facts of the certificates, in the order of the plan.
    public let certificates: [CertificateFacts]
    /// What is worth an operator's look.
    public let warnings: [TLSWarning]
    /// Whether clients show certificates.
    public let clientAuthentication: ServerTLSPlan.ClientAuthentication
    let protocols: [UInt8]
    let ticketKeys: TicketKeys
    let table: CertificateTable
    let refusesUnknownNames: Bool
    private(set) var groups: [CertificateGroup] = []

    /// Checks everything in `plan` and builds the contexts; `now` in seconds since 1970.
    ///
    /// - Throws: The first thing that is wrong.
    public init(_ plan: ServerTLSPlan, ticketKeys: TicketKeys, now: Int64) throws(TLSError) {
        guard !plan.certificates.isEmpty else { throw TLSError(.certificate, "there is none") }
        var loaded: [ServerCertificate] = []
        for (index, source) in plan.certificates.enumerated() {
            loaded.append(try ServerCertificate(source, index: index, now: now))
        }
        certificates = loaded.map(\.facts)
        clientAuthentication = plan.clientAuthentication
        // Clients of HTTP/1.0 are served like those that name no protocol.
        protocols = ApplicationProtocol.wire(plan.protocols, oldest: plan.protocols.contains(.http11))
        self.ticketKeys = ticketKeys
        refusesUnknownNames = plan.refusesUnknownNames
        let (sets, names) = Self.arrange(loaded)
        table = CertificateTable(names)
        let used = Set(sets.joined())
        warnings = loaded.enumerated().flatMap { index, one in
            let unused = "is never sent: those before it are for the same names and kind of key"
            let findings = one.findings + (used.contains(index) || one.names.texts.isEmpty ? [] : [unused])
            return findings.map { TLSWarning(index: index, label: one.facts.label, message: $0) }
        }
        let recipe = try ContextRecipe(plan, ticketSeconds: ticketKeys.ticketSeconds)
        for set in sets {
            groups.append(try CertificateGroup(set.map { loaded[$0] }, indices: set, recipe: recipe, owner: self))
        }
    }

    /// Begins TLS on an accepted, non-blocking connection, which stays the caller's to close; nil when memory is out.
    public func accept(_ descriptor: Int32) -> TLSStream? {
        guard let ssl = SSL_new(groups[0].context) else {
            ErrorQueue.clear()
            return nil
        }
        SSL_set_accept_state(ssl)
        return TLSStream(ssl, descriptor, server: self)
    }

    /// Whether any certificate is for the host, which is as in ``CertificateNames/covers(_:_:)``.
    public func covers(_ host: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        groups.contains { $0.certificates.contains { $0.names.covers(host, count) } }
    }

    /// Whether the client certificate of a connection, which may stand on former authorities, would be accepted now.
    public func accepts(certificateOf stream: TLSStream) -> Bool {
        defer { ErrorQueue.clear() }
        guard clientAuthentication != .off, let certificate = SSL_get0_peer_certificate(stream.ssl),
            let store = SSL_CTX_get_cert_store(groups[0].context), let check = X509_STORE_CTX_new()
        else { return false }
        defer { X509_STORE_CTX_free(check) }
        guard X509_STORE_CTX_init(check, store, certificate, SSL_get_peer_cert_chain(stream.ssl)) == 1,
            X509_STORE_CTX_set_default(check, "ssl_client") == 1
        else { return false }
        return X509_verify_cert(check) == 1
    }

    /// Sets of certificates (at most one for each kind of key), the default first, and which set each name gets.
    private static func arrange(
        _ certificates: [ServerCertificate]
    ) -> (sets: [[Int]], names: [(name: String, value: Int)]) {
        var order: [String] = []
        var chosen: [String: [Int?]] = [:]
        for (index, certificate) in certificates.enumerated() {
            for name in certificate.names.texts {
                if chosen[name] == nil {
                    chosen[name] = [nil, nil, nil]
                    order.append(name)
                }
                if chosen[name]?[certificate.slot] == nil { chosen[name]?[certificate.slot] = index }
            }
        }
        let first = certificates[0].names.texts.first.flatMap { chosen[$0] }?.compactMap { $0 } ?? [0]
        var sets = [first]
        var names: [(name: String, value: Int)] = []
        for name in order {
            guard let set = chosen[name]?.compactMap({ $0 }) else { continue }
            if let known = sets.firstIndex(of: set) {
                names.append((name, known))
            } else {
                names.append((name, sets.count))
                sets.append(set)
            }
        }
        return (sets, names)
    }
}
