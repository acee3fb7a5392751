// COLD. Which certificate and protocol a handshake comes to, and how it fails.
import COpenSSL
import Reactor
import Testing

@testable import TLS

@Suite("Handshakes") struct HandshakeTests {
    let setup: Setup
    init() throws { setup = try Setup() }

    private func commonName(_ stream: TLSStream) -> String? { stream.peerCertificate()?.commonName }

    @Test(
        "the name that the client asks for chooses the certificate",
        arguments: [
            ("a.example", "a.example"), ("A.EXAMPLE", "a.example"), ("b.example", "b.example"),
            ("x.wild.example", "*.wild.example"), ("own.wild.example", "own.wild.example"),
        ]
    )
    func names(asked: String, chosen: String) throws {
        let server = try setup.server(
            .hosts("a.example"),
            .hosts("b.example", "c.example"),
            .hosts("*.wild.example"),
            .hosts("own.wild.example")
        )
        let pair = try Pair(server, try setup.client(), name: asked)
        #expect(pair.handshake() == (.done, .done))
        #expect(commonName(pair.client) == chosen)
        #expect(pair.server.serverName.map { String(decoding: $0, as: UTF8.self).lowercased() } == asked.lowercased())
        #expect(pair.server.version == .tls13 && pair.client.version == .tls13)
        #expect("\(pair.server.cipher)" == "TLS_AES_128_GCM_SHA256")
    }

    @Test("a name nobody knows gets the first certificate, or an alert where that is asked for")
    func unknownName() throws {
        let insecure = try setup.client { $0.authorities = .insecure }
        for name in ["other.example", "y.x.wild.example", nil] {
            let lenient = try setup.server(.hosts("a.example"), .hosts("*.wild.example"))
            let pair = try Pair(lenient, insecure, name: name)
            #expect(pair.handshake() == (.done, .done))
            #expect(
                SSL_get0_peer_certificate(pair.client.ssl).flatMap { PeerCertificate($0) }?.commonName == "a.example"
            )

            let strict = try setup.server(.hosts("a.example"), .hosts("*.wild.example")) {
                $0.refusesUnknownNames = true
            }
            let refused = try Pair(strict, insecure, name: name).handshake()
            #expect(refused.server.failure?.kind == .unknownName)
            #expect(refused.client.failure?.kind == .alertReceived)
            #expect(refused.client.failure?.detail == 112)
        }
    }

    @Test("RSA and ECDSA stand side by side: the client's signature algorithms decide")
    func twoKinds() throws {
        let server = try setup.server(
            .hosts("a.example", kind: .rsa(2048)),
            .hosts("a.example"),
            .hosts("a.example", kind: .ed25519)
        )
        for (algorithms, kind) in [
            ("rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256", "either"), ("ecdsa_secp256r1_sha256", "EC"),
            ("rsa_pss_rsae_sha256:ecdsa_secp384r1_sha384", "RSA"), ("ed25519", "ED25519"),
        ] {
            let pair = try Pair(server, try setup.client { $0.authorities = .insecure })
            pc_SSL_set1_sigalgs_list(pair.client.ssl, algorithms)
            #expect(pair.handshake() == (.done, .done))
            let certificate = SSL_get0_peer_certificate(pair.client.ssl)
            let key = certificate.flatMap { X509_get0_pubkey($0) }
            if kind != "either" { #expect(key.map { EVP_PKEY_is_a($0, kind) } == 1) }
            #expect(pair.server.certificateIndices == [0, 1, 2])
        }
    }

    @Test(
        "the server's order of protocols counts; no common one ends the handshake",
        arguments: [
            ([ApplicationProtocol.http11, .http2], ApplicationProtocol.http2), ([.http11], .http11), ([], .none),
        ]
    )
    func applicationProtocols(offered: [ApplicationProtocol], chosen: ApplicationProtocol) throws {
        let server = try setup.server(.hosts("a.example"))
        let pair = try Pair(server, try setup.client { $0.protocols = offered })
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.server.applicationProtocol == chosen && pair.client.applicationProtocol == chosen)
    }

    @Test("without a common protocol there is no connection")
    func noCommonProtocol() throws {
        let server = try setup.server(.hosts("a.example")) { $0.protocols = [.http11] }
        let steps = try Pair(server, try setup.client { $0.protocols = [.http2] }).handshake()
        #expect(steps.server.failure?.kind == .noCommonProtocol)
        #expect(steps.client.failure?.kind == .alertReceived)
        let silent = try setup.server(.hosts("a.example")) { $0.protocols = [] }
        let missing = try Pair(silent, try setup.client { $0.protocols = [.http2] }).handshake()
        #expect(missing.client.failure?.kind == .noCommonProtocol)
        #expect(missing.client.failure?.fault == .upstream)
    }

    @Test("versions below the minimum are refused")
    func versions() throws {
        let modern = try setup.server(.hosts("a.example")) { $0.minimumVersion = .tls13 }
        let pair = try Pair(modern, try setup.client())
        pc_SSL_set_max_proto_version(pair.client.ssl, TLS1_2_VERSION)
        #expect(pair.handshake().server.failure?.kind == .noCommonVersion)
        let usual = try Pair(try setup.server(.hosts("a.example")), try setup.client())
        pc_SSL_set_max_proto_version(usual.client.ssl, TLS1_2_VERSION)
        #expect(usual.handshake() == (.done, .done))
        #expect(usual.server.version == .tls12)
        #expect("\(usual.server.cipher)" == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
    }

    @Test("what is not TLS, and who goes away, is told apart")
    func notTLS() throws {
        let server = try setup.server(.hosts("a.example"))
        for (bytes, kind) in [
            ("GET / HTTP/1.1\r\n\r\n", TLSFailure.Kind.notTLS), ("", .closed), ("\u{16}\u{3}\u{1}\u{0}", .closed),
        ] {
            let sockets = Sockets()
            let stream = try #require(server.accept(sockets.server))
            let sent = Array(bytes.utf8)
            sent.withUnsafeBufferPointer { buffer in
                if let base = buffer.baseAddress { _ = Socket.write(sockets.client, base, buffer.count) }
            }
            if bytes.isEmpty || kind == .closed { Socket.shutdownWrite(sockets.client) }
            let step = stream.handshake()
            #expect(step.failure?.kind == kind)
            #expect(step.failure?.fault == .client)
            #expect(stream.handshake() == step, "it stays failed")
            #expect(stream.shutdown() == IO.failed)
        }
    }

    @Test(
        "a client certificate is asked for, checked and told",
        arguments: [
            (ServerTLSPlan.ClientAuthentication.optional, true), (.optional, false), (.required, true),
            (.required, false),
        ]
    )
    func clientCertificates(mode: ServerTLSPlan.ClientAuthentication, shows: Bool) throws {
        let server = try setup.server(.hosts("a.example")) {
            $0.clientAuthentication = mode
            $0.clientCA = setup.authority.pem
        }
        let issued = try setup.authority.issue(
            Wanted(
                commonName: "Bücher",
                names: [
                    .dns("client.example"), .uri("spiffe://example/orders"), .email("ops@example.com"),
                    .ip([192, 0, 2, 1]),
                ]
            )
        )
        let client = try setup.client {
            if shows { ($0.certificate, $0.key) = (issued.certificatePEM, issued.keyPEM) }
        }
        let pair = try Pair(server, client)
        let steps = pair.handshake()
        if mode == .required, !shows {
            #expect(steps.server.failure?.kind == .certificateMissing)
            #expect(readResult(pair.client) == IO.failed)
            #expect(pair.client.failure?.kind == .alertReceived)
            #expect(pair.client.failure?.detail == 116)
            return
        }
        #expect(steps == (.done, .done))
        #expect(pair.server.hasPeerCertificate == shows)
        let told = pair.server.peerCertificate()
        guard shows else { return #expect(told == nil) }
        #expect(told?.subject == "O=Test,CN=B\\C3\\BCcher")
        #expect(told?.issuer == "O=Test,CN=test authority")
        #expect(told?.commonName == "Bücher")
        #expect(told?.dnsNames == ["client.example"])
        #expect(told?.uris == ["spiffe://example/orders"])
        #expect(told?.emails == ["ops@example.com"])
        #expect(told?.addresses == ["192.0.2.1"])
        var digest = [UInt8](repeating: 0, count: 32)
        let der = issued.der
        SHA256(der, der.count, &digest)
        #expect(told?.thumbprint == digest)
        #expect(told?.thumbprintText.utf8.count == 43)
        #expect(write(pair.server, [1]) == 1)
        #expect(read(pair.client) == [1])
        #expect(try Pair(server, client).client.isResumed == false)
    }

    @Test("client certificates of others, out of time, or with a NUL in a name are refused")
    func badClientCertificates() throws {
        let server = try setup.server(.hosts("a.example")) {
            $0.clientAuthentication = .optional
            $0.clientCA = setup.authority.pem
        }
        let other = try Authority("another")
        for (issued, reason) in [
            (try other.issue(.hosts("c")), "unable to get local issuer certificate"),
            (try setup.authority.issue(.hosts("c", until: 0)), "certificate has expired"),
            (
                try setup.authority.issue(Wanted(names: [.raw(Array("admin.example\u{0}.evil.example".utf8))])),
                "a name in the certificate holds a control character"
            ),
        ] {
            let client = try setup.client { ($0.certificate, $0.key) = (issued.certificatePEM, issued.keyPEM) }
            let steps = try Pair(server, client).handshake()
            #expect(steps.server.failure?.kind == .certificateRejected)
            #expect(steps.server.failure?.reason == reason)
            #expect(steps.server.failure?.fault == .client)
        }
    }
}
