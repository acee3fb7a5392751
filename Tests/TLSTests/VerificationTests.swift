// COLD. Which upstreams are believed, and what is said of the others.
import COpenSSL
import Reactor
import Testing

@testable import TLS

@Suite("Verification of upstreams") struct VerificationTests {
    let setup: Setup
    init() throws { setup = try Setup() }

    @Test(
        "the name that was asked for must be in the certificate",
        arguments: [
            ("a.example", true), ("x.wild.example", true), ("y.x.wild.example", false), ("wild.example", false),
            ("b.example", false), ("192.0.2.7", true), ("192.0.2.8", false), ("2001:db8::1", true),
            ("cn.example", false),
        ]
    )
    func names(name: String, isRight: Bool) throws {
        var address = [UInt8](repeating: 0, count: 16)
        (address[0], address[1], address[2], address[3], address[15]) = (0x20, 0x01, 0x0d, 0xb8, 1)
        let server = try setup.server(
            Wanted(
                commonName: "cn.example",
                names: [.dns("a.example"), .dns("*.wild.example"), .ip([192, 0, 2, 7]), .ip(address)]
            )
        )
        let pair = try Pair(server, try setup.client(), name: name)
        let steps = pair.handshake()
        if isRight {
            #expect(steps == (.done, .done))
            #expect((pair.server.serverName == nil) == (PeerName(name)?.isAddress == true))
        } else {
            #expect(steps.client.failure?.kind == .certificateRejected)
            #expect(steps.client.failure?.fault == .upstream)
            #expect(steps.client.failure?.reason.contains("mismatch") == true)
            #expect("\(try #require(steps.client.failure).code)" == "tls_certificate_rejected")
        }
    }

    @Test("reasons are OpenSSL's words")
    func reasons() throws {
        let other = try Authority("another")
        let expired = try setup.server(.hosts("a.example", until: 0))
        let client = try setup.client()
        let outOfTime = try Pair(expired, client).handshake()
        #expect(outOfTime.client.failure?.reason == "certificate has expired")
        #expect(outOfTime.server.failure?.kind == .alertReceived)
        let strange = try setup.client { $0.authorities = .pem(other.pem) }
        let unknown = try Pair(try setup.server(.hosts("a.example")), strange).handshake()
        #expect(unknown.client.failure?.kind == .certificateRejected)
        #expect(
            unknown.client.failure?.reason == "self-signed certificate in certificate chain"
                || unknown.client.failure?.reason == "unable to get local issuer certificate"
        )
    }

    @Test("without a name there is nothing to verify, and no connection; insecure must be said")
    func noName() throws {
        let server = try setup.server(.hosts("a.example"))
        #expect(throws: Pair.NoStream.self) { try Pair(server, try setup.client(), name: nil) }
        let insecure = try setup.client { $0.authorities = .insecure }
        let pair = try Pair(server, insecure, name: nil)
        #expect(pair.handshake() == (.done, .done))
        #expect(pair.client.peerCertificate() == nil, "nobody vouched for it")
        let fixed = try setup.client { $0.serverName = PeerName("a.example") }
        #expect(try Pair(server, fixed, name: "other.example").handshake() == (.done, .done))
    }

    @Test("sessions are reused for the same backend under the same policy only", arguments: [true, false])
    func sessionReuse(isNew: Bool) throws {
        let server = try setup.server(.hosts("a.example")) { $0.minimumVersion = isNew ? .tls13 : .tls12 }
        let client = try setup.client()
        let sessions = SessionCache(capacity: 2)
        func connect(_ client: ClientTLS, _ backend: Int) throws -> Bool {
            let pair = try Pair(server, client, backend: backend, sessions: sessions)
            if !isNew { pc_SSL_set_max_proto_version(pair.client.ssl, 0x0303) }
            try pair.exchange()
            #expect(pair.client.isResumed == pair.server.isResumed)
            return pair.client.isResumed
        }
        #expect(try connect(client, 1) == false)
        #expect(sessions.count == 1)
        #expect(try connect(client, 1))
        #expect(try connect(client, 1), "again, with the new ticket")
        #expect(try connect(client, 2) == false)
        #expect(try connect(try setup.client(), 1) == false)
        #expect(sessions.count == 2)
        #expect(try connect(client, 1) == false, "the oldest went")
    }

    @Test(
        "names of peers",
        arguments: [
            ("api.example.com", "api.example.com", false), ("api.", "api", false), ("127.0.0.1", "127.0.0.1", true),
            ("0:0::1", "::1", true), ("a b", nil, false), ("", nil, false), ("a\u{0}b", nil, false),
        ]
    )
    func peerNames(text: String, canonical: String?, isAddress: Bool) {
        #expect(PeerName(text)?.text == canonical)
        if canonical != nil { #expect(PeerName(text)?.isAddress == isAddress) }
    }

    @Test("certificate and key of ours belong together")
    func ownCertificate() throws {
        let one = try setup.authority.issue(.hosts("c"))
        let two = try setup.authority.issue(.hosts("c"))
        #expect(throws: TLSError(.key, "is missing; certificate and key belong together")) {
            try setup.client { $0.certificate = one.certificatePEM }
        }
        #expect(throws: TLSError(.key, "is not the key of the certificate")) {
            try setup.client { ($0.certificate, $0.key) = (one.certificatePEM, two.keyPEM) }
        }
        #expect(throws: TLSError(.ca, "holds no certificate")) {
            try setup.client { $0.authorities = .pem(Array("nothing".utf8)) }
        }
    }

    @Test("the system has authorities") func system() throws {
        #expect(throws: Never.self) { try ClientTLS(ClientTLSPlan()) }
    }
}
