// COLD. What was agreed on in a handshake, for the exchange and the log.
internal import COpenSSL

extension TLSStream {
    /// What is spoken inside; `none` when the other side did not say (then it is HTTP/1.1).
    public var applicationProtocol: ApplicationProtocol {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &start, &count)
        return ApplicationProtocol(start, count)
    }

    /// The name that the client asked for (SNI), as it was sent; nil when it asked for none.
    ///
    /// The bytes live as long as the stream.
    public var serverName: UnsafeBufferPointer<UInt8>? {
        guard let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return nil }
        let text = UnsafeRawPointer(name).assumingMemoryBound(to: UInt8.self)
        var count = 0
        while text[count] != 0 { count += 1 }
        return UnsafeBufferPointer(start: text, count: count)
    }

    /// The version; of a connection whose handshake is not done, the highest offered.
    public var version: TLSVersion { SSL_version(ssl) == TLS1_3_VERSION ? .tls13 : .tls12 }

    /// The registered name of the cipher suite.
    public var cipher: StaticString {
        guard let cipher = SSL_get_current_cipher(ssl) else { return "none" }
        return Suites.name(SSL_CIPHER_get_protocol_id(cipher))
    }

    /// Whether an earlier session was resumed.
    public var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    /// Whether the other side showed a certificate, which then is valid.
    public var hasPeerCertificate: Bool { SSL_get0_peer_certificate(ssl) != nil }

    /// The other side's certificate as values: read anew at each call, so call it once per connection.
    ///
    /// Nil when there is none, when it was not verified, or when a name in it is not sound.
    public func peerCertificate() -> PeerCertificate? {
        guard isOpen, SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER != 0, SSL_get_verify_result(ssl) == X509_V_OK,
            let certificate = SSL_get0_peer_certificate(ssl)
        else { return nil }
        return PeerCertificate(certificate)
    }

    /// Whether the certificate of this connection is for a host, which is as in ``CertificateNames/covers(_:_:)``;
    /// where it is not, the answer is 421 (RFC 9110 §15.5.20).
    ///
    /// Where RSA and ECDSA certificates stand side by side, both must be for it. O(names), no allocation.
    public func covers(_ host: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard let group = CertificateGroup.of(ssl), server != nil else { return false }
        return group._withUnsafeGuaranteedRef { group in
            for certificate in group.certificates where !certificate.names.covers(host, count) { return false }
            return true
        }
    }

    /// The places in the plan of the certificates that this connection's was chosen from.
    public var certificateIndices: [Int] {
        guard server != nil else { return [] }
        return CertificateGroup.of(ssl)?._withUnsafeGuaranteedRef { $0.indices } ?? []
    }

    /// Heap that OpenSSL holds for reading and writing goes back when nothing is inside; a no-op otherwise.
    public func releaseBuffers() { SSL_free_buffers(ssl) }
}
