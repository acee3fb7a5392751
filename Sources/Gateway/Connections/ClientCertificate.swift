// COLD. The certificate that a client showed in its handshake, as the credential of what comes over its connection.
import Identity
import TLS

/// A client's certificate, read once per connection and judged once per generation of the configuration.
///
/// Shared by all streams of an HTTP/2 connection; stays on its worker.
final class ClientCertificate {
    /// What it is worth as a credential.
    enum Standing {
        /// Nothing: certificates say nothing of callers here, or this one lacks the part that is asked for.
        case nothing
        /// It proves this principal.
        case principal(Principal)
        /// It was a credential, and is none any more.
        case refused(Reason)
        /// Other authorities sign certificates now: it has to be shown again, on a new connection.
        case outdated
    }

    private unowned(unsafe) let tls: TLSStream
    private let listener: ListenerPlan
    private var certificate: PeerCertificate?
    private var isRead = false
    private var text: [UInt8] = []
    private var standing = Standing.nothing
    private var judgedBy: UInt64?
    private var judgedRevocations: UInt64 = 0

    /// The certificate of a connection whose handshake is done and whose owner keeps `tls`; nil when there is none.
    init?(_ tls: TLSStream, _ listener: ListenerPlan) {
        guard !listener.clientCA.isEmpty, tls.hasPeerCertificate else { return nil }
        self.tls = tls
        self.listener = listener
    }

    /// Its SHA-256 in base64url; empty when the certificate was not verified.
    var thumbprint: [UInt8] {
        read()
        return text
    }

    private func read() {
        guard !isRead else { return }
        isRead = true
        certificate = tls.peerCertificate()
        text = certificate.map { Array($0.thumbprintText.utf8) } ?? []
    }

    /// What it is worth to a request that is decided by `snapshot`, at `now` (Unix seconds).
    func standing(_ snapshot: Snapshot, _ revocations: Revocations, now: Int64) -> Standing {
        let version = revocations.version
        if judgedBy != snapshot.generation || judgedRevocations != version {
            judgedBy = snapshot.generation
            judgedRevocations = version
            standing = judge(snapshot, revocations, now)
        }
        if case .principal(let principal) = standing, now >= principal.expiry { return .refused(.certificateExpired) }
        return standing
    }

    /// Whether there would be no connection without it.
    var isRequired: Bool { listener.tls?.clientAuthentication == .required }

    /// Why nothing that stands on it may go on under `snapshot`; nil when it may.
    func refusal(_ snapshot: Snapshot, _ revocations: Revocations, now: Int64) -> Reason? {
        switch standing(snapshot, revocations, now: now) {
        case .refused(let reason): return reason
        case .outdated: return .certificateUntrusted
        case .nothing, .principal: return nil
        }
    }

    private func judge(_ snapshot: Snapshot, _ revocations: Revocations, _ now: Int64) -> Standing {
        let current = listener.current(in: snapshot)
        let isAccepted = current.clientCA == listener.clientCA || current.tls?.accepts(certificateOf: tls) == true
        guard isAccepted else { return .outdated }
        guard let authenticator = current.clientIdentity else { return .nothing }
        read()
        guard let certificate, let principal = authenticator.principal(for: CertificateCredential(certificate)) else {
            return .nothing
        }
        return revocations.contains(principal, now: now) ? .refused(.revoked) : .principal(principal)
    }
}

extension CertificateCredential {
    /// The values of a certificate that TLS verified.
    init(_ certificate: PeerCertificate) {
        self.init(
            distinguishedName: certificate.subject,
            issuerName: certificate.issuer,
            commonName: certificate.commonName,
            dns: certificate.dnsNames,
            uris: certificate.uris,
            emails: certificate.emails,
            serial: certificate.serial,
            notAfter: certificate.notAfter,
            thumbprint: certificate.thumbprintText
        )
    }
}
