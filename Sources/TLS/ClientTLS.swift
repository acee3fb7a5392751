// COLD. TLS towards upstreams: authorities, the name that must be proved, our certificate, sessions.
internal import COpenSSL
internal import Reactor
internal import Synchronization

/// The name that an upstream must prove: a host name or an IP address.
public struct PeerName: Sendable, Equatable {
    /// A host name without a dot at its end, or an IP address in canonical text.
    public let text: String
    /// Whether it is an IP address: those are not sent (RFC 6066 §3).
    public let isAddress: Bool

    /// The name of a host, or an IP address without brackets; nil when it is neither.
    public init?(_ text: String) {
        if let address = IPAddress(text: text) {
            self.text = address.text
            isAddress = true
            return
        }
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        let isName =
            (1...253).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                $0 >= 0x30 && $0 <= 0x39 || $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a || [0x2d, 0x2e, 0x5f].contains($0)
            }
        guard isName else { return nil }
        self.text = name
        isAddress = false
    }
}

/// What TLS towards an upstream is like, as plain values.
public struct ClientTLSPlan: Sendable {
    /// Who may vouch for an upstream.
    public enum Authorities: Sendable {
        /// The authorities of the system.
        case system
        /// These, in PEM.
        case pem([UInt8])
        /// Nobody: whoever answers is believed.
        ///
        /// For tests only.
        case insecure
    }

    /// Who may vouch for the upstream.
    public var authorities = Authorities.system
    /// The name to ask for and to insist on; nil: that of each backend.
    public var serverName: PeerName?
    /// Our certificate chain in PEM; nil when upstreams ask for none.
    public var certificate: [UInt8]?
    /// The key of our certificate in PEM.
    public var key: [UInt8]?
    /// Oldest version that is spoken.
    public var minimumVersion = TLSVersion.tls12
    /// What is offered inside, best first; with `http2` alone, an upstream that does not choose it fails.
    public var protocols: [ApplicationProtocol] = [.http11]

    /// The defaults: verified by the system's authorities, HTTP/1.1.
    public init() {}
}

/// TLS towards the backends of one upstream; one for all workers, replaced as a whole by a reload.
public final class ClientTLS: @unchecked Sendable {
    // Exception: @unchecked because the context is not changed after `init`; sessions are kept outside of it.
    private static let nextID = Atomic<UInt64>(1)
    let id: UInt64
    private let context: OpaquePointer
    private let isVerifying: Bool
    private let serverName: PeerName?
    private let needsHTTP2: Bool
    /// When our certificate is valid, in seconds since 1970, and whether it is for clients; nil when there is none.
    private let ours: (from: Int64, until: Int64, isForClients: Bool)?

    /// Checks everything in `plan` and builds the context.
    ///
    /// - Throws: The first thing that is wrong.
    public init(_ plan: ClientTLSPlan) throws(TLSError) {
        id = Self.nextID.wrappingAdd(1, ordering: .relaxed).oldValue
        serverName = plan.serverName
        needsHTTP2 = plan.protocols == [.http2]
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            throw TLSError(.library, "cannot make a context: \(ErrorQueue.text(ErrorQueue.take()))")
        }
        do {
            isVerifying = try Self.configure(context, plan)
            ours = SSL_CTX_get0_certificate(context).map { certificate in
                (
                    X509Text.seconds(X509_get0_notBefore(certificate)) ?? 0,
                    X509Text.seconds(X509_get0_notAfter(certificate)) ?? .max,
                    X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) == 1
                )
            }
            ErrorQueue.clear()
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        self.context = context
    }

    deinit { SSL_CTX_free(context) }

    /// What is worth a look about our certificate at `now` (seconds since 1970), each as the end of a sentence that
    /// begins with the certificate.
    public func findings(at now: Int64) -> [String] {
        guard let ours else { return [] }
        var findings: [String] = []
        if let text = CertificateFacts.finding(
            from: ours.from,
            until: ours.until,
            at: now,
            refusedBy: "upstreams refuse it"
        ) {
            findings.append(text)
        }
        if !ours.isForClients { findings.append("is not for clients") }
        return findings
    }

    private static func configure(_ context: OpaquePointer, _ plan: ClientTLSPlan) throws(TLSError) -> Bool {
        try TLSContext.configure(context, minimum: plan.minimumVersion)
        SSL_CTX_set_options(context, pc_SSL_OP_always())
        pc_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        SSL_CTX_sess_set_new_cb(context, keepSession)
        pc_SSL_CTX_set_max_cert_list(context, 65_536)
        let wire = ApplicationProtocol.wire(plan.protocols)
        if !wire.isEmpty { SSL_CTX_set_alpn_protos(context, wire, UInt32(wire.count)) }
        if let certificate = plan.certificate, let key = plan.key {
            try use(certificate, key, context)
        } else if plan.certificate != nil || plan.key != nil {
            throw TLSError(plan.key == nil ? .key : .certificate, "is missing; certificate and key belong together")
        }
        let trust: TrustStore
        switch plan.authorities {
        case .insecure:
            SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
            return false
        case .system: trust = try TrustStore.system()
        case .pem(let bytes): trust = try TrustStore(pem: bytes, field: .ca)
        }
        pc_SSL_CTX_set1_cert_store(context, trust.store)
        SSL_CTX_set_verify_depth(context, 8)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        return true
    }

    private static func use(_ chain: [UInt8], _ key: [UInt8], _ context: OpaquePointer) throws(TLSError) {
        let (leaf, rest) = try PEM.chain(chain, field: .certificate)
        defer {
            X509_free(leaf)
            pc_sk_X509_free_all(rest)
        }
        let key = try PEM.key(key)
        defer { EVP_PKEY_free(key) }
        guard X509_check_private_key(leaf, key) == 1 else {
            ErrorQueue.clear()
            throw TLSError(.key, "is not the key of the certificate")
        }
        guard SSL_CTX_use_cert_and_key(context, leaf, key, rest, 1) == 1 else {
            throw TLSError(.certificate, "is refused: \(ErrorQueue.text(ErrorQueue.take()))")
        }
    }

    /// Begins TLS on a connected, non-blocking socket, which stays the caller's to close.
    ///
    /// `name` is the backend's host name or address, the plan's goes before it; `backend` is under which its sessions
    /// are kept in the worker's `sessions` (two backends never have the same number; without a cache every handshake is
    /// a full one). Nil when memory is out, or when the upstream must be verified and neither the plan nor `name` says
    /// who it must be.
    public func connect(
        _ descriptor: Int32,
        name: PeerName?,
        backend: Int,
        sessions: SessionCache?
    ) -> TLSStream? {
        defer { ErrorQueue.clear() }
        let name = serverName ?? name
        // Verified by whom, but not for whom: that would accept any certificate of the authorities.
        if isVerifying, name == nil { return nil }
        guard let ssl = SSL_new(context) else { return nil }
        if let name, !prepare(ssl, name) {
            SSL_free(ssl)
            return nil
        }
        SSL_set_connect_state(ssl)
        if let session = sessions?.find(self, backend) { SSL_set_session(ssl, session) }
        guard let stream = TLSStream(ssl, descriptor, client: self) else { return nil }
        stream.sessions = sessions
        stream.sessionKey = backend
        return stream
    }

    private func prepare(_ ssl: OpaquePointer, _ name: PeerName) -> Bool {
        if !name.isAddress, pc_SSL_set_tlsext_host_name(ssl, name.text) != 1 { return false }
        guard isVerifying else { return true }
        let parameters = SSL_get0_param(ssl)
        X509_VERIFY_PARAM_set_hostflags(
            parameters,
            UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
        )
        return name.isAddress
            ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.text) == 1
            : X509_VERIFY_PARAM_set1_host(parameters, name.text, 0) == 1
    }

    /// Whether what the upstream chose will do.
    func accepts(_ chosen: ApplicationProtocol) -> Bool { !needsHTTP2 || chosen == .http2 }
}

/// A session that can be resumed: TLS 1.3 brings it after the handshake, within a read.
private let keepSession: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32 = { ssl, session in
    guard let ssl, let session, let stream = TLSStream.of(ssl) else { return 0 }
    return stream._withUnsafeGuaranteedRef { stream in
        guard let client = stream.client, let sessions = stream.sessions else { return 0 }
        sessions.insert(session, client, stream.sessionKey)
        return 1
    }
}
