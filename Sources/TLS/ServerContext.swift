// COLD to build; the callbacks run once per handshake. OpenSSL contexts for sets of certificates.
internal import COpenSSL
internal import Reactor

/// What all contexts of a listener have in common.
struct ContextRecipe {
    let plan: ServerTLSPlan
    let ticketSeconds: Int
    /// Authorities of client certificates.
    let trust: TrustStore?

    init(_ plan: ServerTLSPlan, ticketSeconds: Int) throws(TLSError) {
        self.plan = plan
        self.ticketSeconds = ticketSeconds
        trust = plan.clientAuthentication == .off ? nil : try TrustStore(pem: plan.clientCA, field: .clientCA)
    }

    var issuesTickets: Bool { plan.issuesTickets && plan.clientAuthentication == .off }

    /// Sessions belong to a listener, its client authorities and the names of one set of certificates.
    func sessionContext(_ certificates: [ServerCertificate]) -> [UInt8] {
        var text = Array("\(plan.contextName)\u{0}\(plan.clientAuthentication)\u{0}".utf8)
        for certificate in certificates { text += Array(certificate.names.texts.joined(separator: " ").utf8) + [0] }
        text += plan.clientCA
        var digest = [UInt8](repeating: 0, count: 32)
        SHA256(text, text.count, &digest)
        return digest
    }
}

/// The context of one set of certificates for the same names.
final class CertificateGroup {
    let context: OpaquePointer
    let certificates: [ServerCertificate]
    /// Their places in the plan.
    let indices: [Int]
    /// Lives longer: it holds this group, and every connection holds it.
    unowned(unsafe) let owner: ServerTLS

    init(
        _ certificates: [ServerCertificate],
        indices: [Int],
        recipe: ContextRecipe,
        owner: ServerTLS
    ) throws(TLSError) {
        self.certificates = certificates
        self.indices = indices
        self.owner = owner
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw TLSError(.library, "cannot make a context: \(ErrorQueue.text(ErrorQueue.take()))")
        }
        self.context = context
        try configure(recipe)
    }

    deinit { SSL_CTX_free(context) }

    private func configure(_ recipe: ContextRecipe) throws(TLSError) {
        try TLSContext.configure(context, minimum: recipe.plan.minimumVersion)
        SSL_CTX_set_options(context, pc_SSL_OP_always())
        pc_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        let session = recipe.sessionContext(certificates)
        SSL_CTX_set_session_id_context(context, session, UInt32(session.count))
        for (certificate, index) in zip(certificates, indices) {
            guard SSL_CTX_use_cert_and_key(context, certificate.leaf, certificate.key, certificate.chain, 1) == 1 else {
                throw TLSError(.certificate, "is refused: \(ErrorQueue.text(ErrorQueue.take()))", index: index)
            }
        }
        pc_SSL_CTX_set_app_data(context, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_client_hello_cb(context, chooseCertificate, nil)
        pc_SSL_CTX_set_tlsext_servername_callback(context) { _, _, _ in SSL_TLSEXT_ERR_OK }
        if !owner.protocols.isEmpty { SSL_CTX_set_alpn_select_cb(context, chooseProtocol, nil) }
        if certificates.contains(where: { !$0.ocsp.isEmpty }) {
            pc_SSL_CTX_set_tlsext_status_cb(context, staple)
        }
        if recipe.issuesTickets {
            SSL_CTX_set_timeout(context, recipe.ticketSeconds)
            SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticketKey)
            // A resumed connection gets a new one; a second one for every client costs more than it saves.
            SSL_CTX_set_num_tickets(context, 1)
        } else {
            SSL_CTX_set_options(context, pc_SSL_OP_NO_TICKET())
            SSL_CTX_set_num_tickets(context, 0)
        }
        guard let trust = recipe.trust else { return }
        pc_SSL_CTX_set1_cert_store(context, trust.store)
        SSL_CTX_set_client_CA_list(context, trust.names())
        pc_SSL_CTX_set_max_cert_list(context, 32_768)
        SSL_CTX_set_verify_depth(context, 6)
        let mode =
            recipe.plan.clientAuthentication == .required
            ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER
        SSL_CTX_set_verify(context, mode, judgeCertificate)
    }

    /// The group of a connection, which is not retained: the connection's stream keeps its owner.
    @inline(__always)
    static func of(_ ssl: OpaquePointer) -> Unmanaged<CertificateGroup>? {
        guard let context = SSL_get_SSL_CTX(ssl), let data = pc_SSL_CTX_get_app_data(context) else { return nil }
        return Unmanaged.fromOpaque(data)
    }
}

// MARK: Callbacks

/// The name that the client asks for, within the extension (RFC 6066 §3); nil when there is none or it is malformed.
private func requestedName(_ ssl: OpaquePointer) -> UnsafeBufferPointer<UInt8>? {
    var start: UnsafePointer<UInt8>?
    var count = 0
    guard SSL_client_hello_get0_ext(ssl, UInt32(TLSEXT_TYPE_server_name), &start, &count) == 1, let start, count > 5
    else { return nil }
    let length = Int(start[3]) << 8 | Int(start[4])
    guard Int(start[0]) << 8 | Int(start[1]) == count - 2, start[2] == UInt8(TLSEXT_NAMETYPE_host_name),
        length == count - 5
    else { return nil }
    return UnsafeBufferPointer(start: start + 5, count: length)
}

/// Before anything else is looked at, resumption included: the context whose certificates are for the name.
private let chooseCertificate:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = {
        ssl,
        alert,
        _ in
        guard let ssl, let group = CertificateGroup.of(ssl) else { return SSL_CLIENT_HELLO_ERROR }
        return group._withUnsafeGuaranteedRef { group in
            let owner = group.owner
            let found = requestedName(ssl).flatMap { owner.table.find($0) }
            if found == nil, owner.refusesUnknownNames {
                alert?.pointee = SSL_AD_UNRECOGNIZED_NAME
                TLSStream.of(ssl)?._withUnsafeGuaranteedRef { $0.refusedName = true }
                return SSL_CLIENT_HELLO_ERROR
            }
            let index = found ?? 0
            guard index > 0 else { return SSL_CLIENT_HELLO_SUCCESS }
            return SSL_set_SSL_CTX(ssl, owner.groups[index].context) != nil
                ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR
        }
    }

/// What the library makes of each certificate of a client's chain; the client's own must have sound names as well.
///
/// Within the handshake, so that the client is told by an alert.
private let judgeCertificate: @convention(c) (Int32, OpaquePointer?) -> Int32 = { verdict, check in
    guard verdict == 1, let check, X509_STORE_CTX_get_error_depth(check) == 0,
        let certificate = X509_STORE_CTX_get_current_cert(check), !AlternativeNames(certificate).isSound
    else { return verdict }
    // The code that OpenSSL makes the alert bad_certificate of.
    X509_STORE_CTX_set_error(check, X509_V_ERR_CERT_REJECTED)
    if let ssl = X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()) {
        TLSStream.of(OpaquePointer(ssl))?._withUnsafeGuaranteedRef { $0.refusedCertificate = true }
    }
    return 0
}

/// The first of our protocols that the client offers, or the end of the handshake (RFC 7301 §3.2).
private let chooseProtocol:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
        UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> Int32 = { ssl, out, outCount, offered, offeredCount, _ in
        guard let ssl, let out, let outCount, let offered, let group = CertificateGroup.of(ssl) else {
            return SSL_TLSEXT_ERR_ALERT_FATAL
        }
        return group._withUnsafeGuaranteedRef { group in
            group.owner.protocols.withUnsafeBufferPointer { ours in
                var i = 0
                while i < ours.count {
                    let count = Int(ours[i])
                    var j = 0
                    while j < Int(offeredCount) {
                        let length = Int(offered[j])
                        guard j + length < Int(offeredCount) else { break }
                        if length == count,
                            UnsafeBufferPointer(start: offered + j + 1, count: count).elementsEqual(
                                ours[(i + 1)..<(i + 1 + count)]
                            )
                        {
                            out.pointee = offered + j + 1
                            outCount.pointee = UInt8(count)
                            return SSL_TLSEXT_ERR_OK
                        }
                        j += 1 + length
                    }
                    i += 1 + count
                }
                return SSL_TLSEXT_ERR_ALERT_FATAL
            }
        }
    }

/// The OCSP response of the certificate that was chosen, while its time is not over (RFC 6066 §8).
private let staple: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { ssl, _ in
    guard let ssl, let group = CertificateGroup.of(ssl), let chosen = SSL_get_certificate(ssl) else {
        return SSL_TLSEXT_ERR_NOACK
    }
    return group._withUnsafeGuaranteedRef { group in
        guard let certificate = group.certificates.first(where: { $0.leaf == chosen }), !certificate.ocsp.isEmpty,
            let from = certificate.facts.stapledFrom, let until = certificate.facts.stapledUntil
        else { return SSL_TLSEXT_ERR_NOACK }
        let now = Clock.unixMilliseconds() / 1000
        guard from <= now, now < until else { return SSL_TLSEXT_ERR_NOACK }
        let copy = certificate.ocsp.withUnsafeBytes { bytes in
            bytes.baseAddress.flatMap { pc_OPENSSL_memdup($0, bytes.count) }
        }
        guard let copy else { return SSL_TLSEXT_ERR_NOACK }
        pc_SSL_set_tlsext_status_ocsp_resp(ssl, copy, certificate.ocsp.count)
        return SSL_TLSEXT_ERR_OK
    }
}

/// Keys for a ticket.
private let ticketKey:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?,
        Int32
    ) -> Int32 = { ssl, name, iv, cipher, mac, isNew in
        guard let ssl, let name, let iv, let cipher, let mac, let group = CertificateGroup.of(ssl) else { return -1 }
        return group._withUnsafeGuaranteedRef {
            $0.owner.ticketKeys.prepare(
                name: name,
                iv: iv,
                cipher: cipher,
                mac: mac,
                isNew: isNew != 0,
                isSingleUse: SSL_version(ssl) == TLS1_3_VERSION
            )
        }
    }
