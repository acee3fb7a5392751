// COLD. TLS in the configuration: what is read when the files are there.
import Configuration
import Foundation
import Settings
import Testing

@Suite struct TLSTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "portcullis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["cert.pem", "key.pem", "ca.pem", "ocsp.der"] {
            try Data("not looked at".utf8).write(to: folder.appending(path: name))
            chmod(folder.appending(path: name).path, 0o600)
        }
    }

    private func load(_ text: String) -> Loaded {
        Configuration.load(text: text, fileName: "f", baseDirectory: folder.path, environment: [:])
    }

    private func loaded(_ text: String) throws -> GatewaySettings {
        defer { try? FileManager.default.removeItem(at: folder) }
        let loaded = load(text)
        #expect(loaded.diagnostics.map(\.description) == [])
        return try #require(loaded.settings)
    }

    @Test func listeners() throws {
        let settings = try loaded(
            """
            listeners:
              - name: plain
                address: "127.0.0.1:8080"
                redirect_to_https: 8443
              - name: secure
                address: "127.0.0.1:8443"
                tls:
                  certificates:
                    - { certificate_file: cert.pem, key_file: key.pem, ocsp_file: ocsp.der }
                    - { certificate_file: cert.pem, key_file: key.pem }
                  minimum_version: TLSv1.3
                  http2: false
                  client_certificates: optional
                  client_ca_file: ca.pem
                  client_identity: { name: machines, issuer: "urn:machines", subject: uri }
                  strict_sni: true
                  hsts: { max_age: 17520h, include_subdomains: true, preload: true }
                proxy_protocol: { from: [10.0.0.0/8] }
            tls: { ticket_rotation: 6h, ticket_lifetime: 1h, file_check: off }
            limits: { handshakes_per_second: 500 }
            timeouts: { handshake: 5s }
            routes: [{ name: a, issuers: [machines], respond: {} }]
            """
        )
        #expect(settings.listeners[0].tls == nil && settings.listeners[0].redirectToHTTPS == 8443)
        let tls = try #require(settings.listeners[1].tls)
        #expect(
            tls.certificates.map(\.certificate.path)
                == Array(repeating: folder.appending(path: "cert.pem").path, count: 2)
        )
        #expect(tls.certificates.map { $0.ocsp != nil } == [true, false])
        #expect(tls.minimumVersion == .tls13 && !tls.http2 && tls.strictSNI && tls.tickets)
        #expect(tls.clientCertificates == .optional)
        #expect(tls.clientCA == FileReference(folder.appending(path: "ca.pem").path))
        #expect(tls.clientIdentity?.name == "machines" && tls.clientIdentity?.issuer == "urn:machines")
        #expect(tls.clientIdentity?.subject == .uri)
        #expect(tls.hsts?.maxAge == .seconds(17_520 * 3600))
        #expect(settings.listeners[1].proxyProtocol?.from.map(\.text) == ["10.0.0.0/8"])
        #expect(settings.tls.ticketRotation == .seconds(21_600) && settings.tls.fileCheck == .zero)
        #expect(settings.limits.handshakesPerSecond == 500)
        #expect(settings.timeouts.handshake == .seconds(5))
    }

    @Test func upstreams() throws {
        let settings = try loaded(
            """
            upstreams:
              - name: a
                servers: ["api.internal:443"]
                protocol: h2
                tls:
                  ca_file: ca.pem
                  server_name: api.example
                  certificate_file: cert.pem
                  key_file: key.pem
                  minimum_version: TLSv1.3
              - { name: b, servers: ["127.0.0.1:1"], protocol: h2c }
              - { name: c, servers: ["127.0.0.1:443"], tls: {} }
            routes:
              - { name: a, auth: public, forward: { upstream: a } }
              - { name: b, auth: public, match: { path: /b }, forward: { upstream: b } }
              - { name: c, auth: public, match: { path: /c }, forward: { upstream: c } }
            """
        )
        #expect(settings.upstreams.map(\.protocol) == [.h2, .h2c, .http1])
        let tls = try #require(settings.upstreams[0].tls)
        #expect(tls.verifies && tls.serverName == "api.example" && tls.minimumVersion == .tls13)
        #expect(tls.ca != nil && tls.certificate != nil && tls.key != nil)
        #expect(settings.upstreams[1].tls == nil)
        #expect(settings.upstreams[2].tls == UpstreamTLSSettings())
    }

    @Test func peersOfAUnixSocketNeedNoNetworks() {
        defer { try? FileManager.default.removeItem(at: folder) }
        let said = load(
            """
            listeners:
              - { name: a, address: "unix:\(folder.path)/s", proxy_protocol: {} }
              - { name: b, address: "127.0.0.1:8080", proxy_protocol: {} }
            routes: [{ name: a, auth: public, respond: {} }]
            """
        )
        #expect(
            said.diagnostics.map(\.description) == [
                "f:3:59: listeners[1].proxy_protocol.from: is missing: the networks of these peers"
            ]
        )
    }

    @Test func keysThatEverybodyCanRead() {
        defer { try? FileManager.default.removeItem(at: folder) }
        chmod(folder.appending(path: "key.pem").path, 0o644)
        let said = load(
            """
            listeners:
              - { name: a, address: "127.0.0.1:1", tls: { certificates: [{ certificate_file: cert.pem, key_file: key.pem }] } }
            routes: [{ name: a, auth: public, respond: {} }]
            """
        ).diagnostics
        #expect(said.map(\.severity) == [.warning])
        #expect(
            said.first?.message
                == "listeners[0].tls.certificates[0].key_file: everybody can read \"key.pem\"; chmod 600 it"
        )
    }
}
