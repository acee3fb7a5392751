// COLD. Which certificates are taken, what is said of the others, and for whom a certificate is.
import COpenSSL
import Reactor
import Testing

@testable import TLS

@Suite("Certificates") struct CertificateTests {
    let setup: Setup
    init() throws { setup = try Setup() }

    private func build(_ source: CertificateSource) throws -> ServerTLS {
        try ServerTLS(ServerTLSPlan(certificates: [source], contextName: "main"), ticketKeys: setup.keys, now: now)
    }

    @Test("facts for metrics and check")
    func facts() throws {
        let server = try setup.server(
            .hosts("a.example", "*.B.example", kind: .rsa(2048), until: 20),
            .hosts("c.example")
        )
        let facts = try #require(server.certificates.first)
        #expect(facts.names == ["a.example", "*.b.example"])
        #expect(facts.keyType == .rsa(bits: 2048))
        #expect(facts.keyType.text == "RSA 2048")
        #expect(facts.subject == "O=Test,CN=a.example")
        #expect(facts.issuer == "O=Test,CN=test authority")
        #expect(facts.label == "a.pem")
        #expect(abs(facts.secondsLeft(at: now) - 20 * 86_400) < 120)
        #expect(!facts.isExpired(at: now) && !facts.isExpiringSoon(at: now))
        #expect(facts.isExpiringSoon(at: now + 7 * 86_400))
        #expect(facts.isExpired(at: now + 21 * 86_400))
        #expect(server.certificates[1].keyType == .ecdsa(bits: 256))
        #expect(server.warnings == [])
    }

    @Test(
        "what is strange is a warning: clients judge for themselves",
        arguments: [
            (Wanted.hosts("a", until: 5), "expires in 4 days"),
            (.hosts("a", until: 0), "has expired less than a day ago; clients refuse it"),
            (.hosts("a", until: -3), "has expired 3 days ago; clients refuse it"),
            (Wanted(names: [.dns("a")], from: 2), "is not valid yet; clients refuse it"),
            (Wanted(), "has no subject alternative names; clients refuse it"),
            (Wanted(names: [.dns("a")], isAuthority: true), nil),
        ]
    )
    func warnings(wanted: Wanted, message: String?) throws {
        let server = try setup.server(wanted)
        #expect(server.warnings.map(\.message) == (message.map { [$0] } ?? []))
    }

    @Test("a certificate that no client gets is a warning")
    func unused() throws {
        let unused = "is never sent: those before it are for the same names and kind of key"
        let server = try setup.server(.hosts("a"), .hosts("a", "b"), .hosts("b", "a"), .hosts("a", kind: .rsa(2048)))
        #expect(server.warnings == [TLSWarning(index: 2, label: "a.pem", message: unused)])
    }

    @Test("mistakes are errors in words")
    func errors() throws {
        let one = try setup.authority.issue(.hosts("a"))
        let two = try setup.authority.issue(.hosts("b"))
        let weak = try setup.authority.issue(.hosts("a", kind: .rsa(1024)))
        let nul = try setup.authority.issue(Wanted(names: [.raw(Array("a.example\u{0}.b".utf8))]))
        let none: [UInt8] = Array("nothing here".utf8)
        let broken = Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8)
        let locked = Array("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n".utf8)
        for (chain, key, error) in [
            (one.certificatePEM, two.keyPEM, TLSError(.key, "is not the key of the certificate", index: 0)),
            (
                setup.authority.pem + one.certificatePEM, one.keyPEM,
                TLSError(.certificate, "must begin with the server's own certificate; it is number 2", index: 0)
            ),
            (none, one.keyPEM, TLSError(.certificate, "holds no certificate", index: 0)),
            (broken, one.keyPEM, TLSError(.certificate, "holds a broken certificate", index: 0)),
            (one.certificatePEM + broken, one.keyPEM, TLSError(.certificate, "holds a broken certificate", index: 0)),
            (one.certificatePEM, none, TLSError(.key, "holds no private key", index: 0)),
            (one.certificatePEM, locked, TLSError(.key, "is encrypted; give it without a password", index: 0)),
            (
                weak.certificatePEM, weak.keyPEM,
                TLSError(.key, "is RSA with 1024 bits; at least 2048 are needed", index: 0)
            ),
            (
                nul.certificatePEM, nul.keyPEM,
                TLSError(.certificate, "has a name with a character that no name can have", index: 0)
            ),
        ] {
            #expect(throws: error) { try build(CertificateSource(label: "x", chain: chain, key: key)) }
        }
        #expect(throws: TLSError(.certificate, "there is none")) { try setup.server() }
        #expect(throws: TLSError(.clientCA, "holds no certificate")) {
            try setup.server(.hosts("a")) { $0.clientAuthentication = .required }
        }
    }

    @Test(
        "a host is covered by its own name or one label of a wildcard",
        arguments: [
            ("a.example", true), ("A.Example", true), ("a.example.", true), ("x.b.example", true), ("b.example", false),
            ("y.x.b.example", false), (".b.example", false), ("aa.example", false), ("", false), (".", false),
            ("192.0.2.1", true), ("[2001:db8::1]", true), ("2001:db8::1", false), ("a.example\u{0}", false),
        ]
    )
    func covers(host: String, isCovered: Bool) throws {
        var names = CertificateNames()
        for name in ["a.example", "*.b.example", "192.0.2.1", "[2001:db8::1]", "f*.example", "*"] { names.insert(name) }
        #expect(names.texts.count == 4)
        #expect(names.covers(host) == isCovered)
    }

    @Test("a connection covers what its own certificate is for, not what others are")
    func coversByConnection() throws {
        let server = try setup.server(.hosts("a.example", "shared.example"), .hosts("b.example"))
        let pair = try Pair(server, try setup.client(), name: "a.example")
        #expect(pair.handshake() == (.done, .done))
        func covers(_ host: String) -> Bool {
            Array(host.utf8).withUnsafeBufferPointer { buffer in
                buffer.baseAddress.map { pair.server.covers($0, buffer.count) } ?? false
            }
        }
        #expect(covers("a.example") && covers("shared.example") && !covers("b.example"))
        #expect(pair.server.certificateIndices == [0])
    }

    @Test("the table finds what a list would find")
    func table() {
        var names: [(name: String, value: Int)] = []
        for i in 0..<500 { names.append(("host\(i).example", i)) }
        for i in 0..<50 { names.append(("*.w\(i).example", 1000 + i)) }
        let table = CertificateTable(names)
        func find(_ host: String) -> Int? { Array(host.utf8).withUnsafeBufferPointer { table.find($0) } }
        for i in 0..<500 { #expect(find("HOST\(i).example.") == i) }
        for i in 0..<50 { #expect(find("x.w\(i).example") == 1000 + i) }
        for host in [
            "host500.example", "w1.example", ".w1.example", "y.x.w1.example", "", "*",
            String(repeating: "x", count: 300),
        ] {
            #expect(find(host) == nil)
        }
        #expect(CertificateTable([]).find(UnsafeBufferPointer(start: nil, count: 0)) == nil)
    }

    @Test("the OCSP response is sent to those who ask for it, while its time lasts")
    func stapling() throws {
        let issued = try setup.authority.issue(.hosts("a.example"))
        func answer(_ response: [UInt8]?, asks: Bool = true) throws -> [UInt8]? {
            let source = CertificateSource(
                label: "x",
                chain: issued.certificatePEM,
                key: issued.keyPEM,
                ocsp: response
            )
            let pair = try Pair(try build(source), try setup.client())
            if asks { pc_SSL_set_tlsext_status_type(pair.client.ssl, TLSEXT_STATUSTYPE_ocsp) }
            #expect(pair.handshake() == (.done, .done))
            var start: UnsafePointer<UInt8>?
            let count = pc_SSL_get_tlsext_status_ocsp_resp(pair.client.ssl, &start)
            return start.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
        }
        let good = try setup.authority.ocsp(issued)
        #expect(try answer(good) == good)
        #expect(try answer(good, asks: false) == nil)
        #expect(try answer(nil) == nil)
        let stale = try setup.authority.ocsp(issued, days: 0)
        #expect(try answer(stale) == nil)
        let source = { CertificateSource(label: "x", chain: issued.certificatePEM, key: issued.keyPEM, ocsp: $0) }
        #expect(
            try build(source(stale)).warnings.map(\.message) == [
                "has an OCSP response whose time is over; it is not sent"
            ]
        )
        let revoked = try setup.authority.ocsp(issued, isGood: false)
        #expect(
            try build(source(revoked)).warnings.map(\.message) == ["has an OCSP response that does not say good"]
        )
        let other = try setup.authority.ocsp(try setup.authority.issue(.hosts("b")))
        for (response, problem) in [
            ([], "is not in DER"), ([1, 2, 3], "is not in DER"), (other, "is about another certificate"),
        ] {
            #expect(try answer(response) == nil)
            #expect(
                try build(source(response)).warnings.map(\.message) == [
                    "has an OCSP response that \(problem); it is not sent"
                ]
            )
        }
    }
}
