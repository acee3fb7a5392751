// COLD. The certificate that the other side proved to hold, as plain values.
internal import COpenSSL

/// A verified certificate of the other side.
public struct PeerCertificate: Sendable, Equatable {
    /// The subject's distinguished name (RFC 4514, US-ASCII).
    public let subject: String
    /// The issuer's distinguished name (RFC 4514, US-ASCII).
    public let issuer: String
    /// The subject's last common name, without control characters.
    public let commonName: String?
    /// Host names among the subject alternative names.
    public let dnsNames: [String]
    /// URIs among the subject alternative names.
    public let uris: [String]
    /// Mail addresses among the subject alternative names.
    public let emails: [String]
    /// IP addresses among the subject alternative names, in canonical text.
    public let addresses: [String]
    /// The serial number in hexadecimal.
    public let serial: String
    /// Last second of its validity, since 1970.
    public let notAfter: Int64
    /// SHA-256 of the certificate's DER, 32 bytes.
    public let thumbprint: [UInt8]

    /// The thumbprint as base64url: what `cnf.x5t#S256` of a bound token must be (RFC 8705 §3.1).
    public var thumbprintText: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in thumbprint {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The values of a certificate; nil when a name in it is not sound.
    init?(_ certificate: OpaquePointer) {
        defer { ErrorQueue.clear() }
        let names = AlternativeNames(certificate)
        let digest = X509Text.thumbprint(certificate)
        guard names.isSound, digest.count == 32, let end = X509Text.seconds(X509_get0_notAfter(certificate)) else {
            return nil
        }
        subject = X509Text.name(X509_get_subject_name(certificate))
        issuer = X509Text.name(X509_get_issuer_name(certificate))
        commonName = names.commonName
        dnsNames = names.dns
        uris = names.uris
        emails = names.emails
        addresses = names.addresses
        serial = X509Text.serial(certificate)
        notAfter = end
        thumbprint = digest
    }
}
