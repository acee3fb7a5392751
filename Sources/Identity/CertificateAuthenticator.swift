// COLD. From a client certificate that TLS verified to the principal it proves; once per connection, not per request.
import Bytes
public import JOSE
public import Settings

/// What a verified client certificate says, as plain values.
public struct CertificateCredential: Sendable {
    /// The subject's distinguished name (RFC 4514).
    public var distinguishedName: String
    /// The distinguished name of who issued the certificate.
    public var issuerName: String
    /// The subject's common name.
    public var commonName: String?
    /// Host names among the subject alternative names.
    public var dns: [String]
    /// URIs among the subject alternative names.
    public var uris: [String]
    /// Mail addresses among the subject alternative names.
    public var emails: [String]
    /// The serial number in hexadecimal.
    public var serial: String
    /// Last second of its validity, since 1970.
    public var notAfter: Int64
    /// SHA-256 of the certificate in base64url (RFC 8705 §3.1).
    public var thumbprint: String

    /// A certificate with all that is known of it.
    public init(
        distinguishedName: String,
        issuerName: String,
        commonName: String?,
        dns: [String],
        uris: [String],
        emails: [String],
        serial: String,
        notAfter: Int64,
        thumbprint: String
    ) {
        self.distinguishedName = distinguishedName
        self.issuerName = issuerName
        self.commonName = commonName
        self.dns = dns
        self.uris = uris
        self.emails = emails
        self.serial = serial
        self.notAfter = notAfter
        self.thumbprint = thumbprint
    }
}

/// Takes client certificates for credentials, as one `client_identity` of the configuration says.
///
/// Immutable; shared by all workers.
public final class CertificateAuthenticator: Sendable {
    /// The member of `cnf` with a certificate's thumbprint (RFC 8705 §3.1).
    static let thumbprintName: StaticString = "x5t#S256"
    /// Last second of the year 9999: certificates without an end say so (RFC 5280 §4.1.2.5).
    private static let latest: Int64 = 253_402_300_799

    /// The name in the configuration.
    public let name: String
    /// `iss` of its principals.
    public let issuer: String
    private let index: Int
    private let subject: ClientIdentitySettings.Subject
    private let roles: JOSE.ClaimPath
    private let scope: JOSE.ClaimPath
    private let injection: HeaderInjection

    /// An authenticator whose principals have `index` as their issuer, and roles and scopes at these places.
    public init(
        _ settings: ClientIdentitySettings,
        index: Int,
        roles: JOSE.ClaimPath,
        scope: JOSE.ClaimPath,
        injection: HeaderInjection
    ) {
        name = settings.name
        issuer = settings.issuer ?? settings.name
        subject = settings.subject
        self.index = index
        self.roles = roles
        self.scope = scope
        self.injection = injection
    }

    /// Who a verified certificate says that the caller is; nil when it has not got the part that is asked for.
    ///
    /// The claims: `iss`, `sub`, `exp`, `jti` (the thumbprint, by which a certificate is revoked), `cn`, `dn`,
    /// `issuer_dn`, `serial`, the lists `dns`, `uri` and `email`, and `cnf` as in a token bound to the certificate.
    public func principal(for certificate: CertificateCredential) -> Principal? {
        let subject: String? =
            switch self.subject {
            case .commonName: certificate.commonName
            case .distinguishedName: certificate.distinguishedName
            case .dns: certificate.dns.first
            case .uri: certificate.uris.first
            case .email: certificate.emails.first
            }
        guard let subject, !subject.isEmpty else { return nil }
        let expiry = min(certificate.notAfter, Self.latest - 1) + 1
        do throws(TokenError) {
            let claims = try Claims(json: json(certificate, subject, expiry))
            return Principal(
                issuer: index,
                claims: claims,
                expiry: expiry,
                rolesIndex: claims.find(roles),
                scopeIndex: claims.find(scope),
                headerBlock: injection.block(for: claims),
                isCertificate: true
            )
        } catch {
            // A certificate with thousands of names, or one from before 1970: nobody.
            return nil
        }
    }

    private func json(_ certificate: CertificateCredential, _ subject: String, _ expiry: Int64) -> [UInt8] {
        let out = OutputBuffer(capacity: 1024)
        out.append("{")
        Self.append("iss", issuer, out)
        out.append(",")
        Self.append("sub", subject, out)
        out.append(",")
        Self.append("jti", certificate.thumbprint, out)
        out.append(",\"exp\":")
        out.append(decimal: UInt64(max(0, expiry)))
        if let name = certificate.commonName {
            out.append(",")
            Self.append("cn", name, out)
        }
        out.append(",")
        Self.append("dn", certificate.distinguishedName, out)
        out.append(",")
        Self.append("issuer_dn", certificate.issuerName, out)
        out.append(",")
        Self.append("serial", certificate.serial, out)
        Self.append("dns", certificate.dns, out)
        Self.append("uri", certificate.uris, out)
        Self.append("email", certificate.emails, out)
        out.append(",\"cnf\":{")
        Self.append(Self.thumbprintName, certificate.thumbprint, out)
        out.append("}}")
        return unsafe Array(out.bytes)
    }

    private static func append(_ name: StaticString, _ value: String, _ out: OutputBuffer) {
        out.append("\"")
        out.append(name)
        out.append("\":")
        append(value, out)
    }

    /// A list, or nothing when it is empty.
    private static func append(_ name: StaticString, _ values: [String], _ out: OutputBuffer) {
        guard !values.isEmpty else { return }
        out.append(",\"")
        out.append(name)
        out.append("\":[")
        for (index, value) in values.enumerated() {
            if index > 0 { out.append(",") }
            append(value, out)
        }
        out.append("]")
    }

    private static func append(_ value: String, _ out: OutputBuffer) {
        var value = value
        value.withUTF8 { unsafe JSONWriter.append(string: $0, to: out) }
    }
}
