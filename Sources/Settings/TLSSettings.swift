// COLD. TLS towards clients: certificates, client certificates, tickets, and what clients are told about https.

/// What all TLS listeners share.
public struct TLSSettings: SettingsSection {
    /// Time between two new keys for session tickets.
    public var ticketRotation = Duration.hours(12)
    /// How long a session ticket may be used; former keys are kept as long.
    public var ticketLifetime = Duration.hours(2)
    /// How often files of certificates and keys are looked at for changes; off: only on reload.
    public var fileCheck = Duration.seconds(60)
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Oldest version of TLS that is spoken.
public enum TLSVersionSettings: String, Sendable, CaseIterable {
    /// TLS 1.2 and 1.3.
    case tls12 = "TLSv1.2"
    /// TLS 1.3 only.
    case tls13 = "TLSv1.3"
}

/// One certificate with its key.
public struct CertificateSettings: SettingsSection {
    /// The certificate and its intermediate ones in PEM.
    public var certificate = FileReference("")
    /// The private key in PEM, not encrypted.
    public var key = FileReference("")
    /// An OCSP response in DER that is stapled; nil: none.
    public var ocsp: FileReference?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Whether clients show certificates.
public enum ClientCertificatesSettings: String, Sendable, CaseIterable {
    /// They are not asked.
    case off
    /// They are asked; one that is shown must be valid.
    case optional
    /// Without a valid one there is no connection.
    case required
}

/// A client certificate as a credential: who the caller is.
public struct ClientIdentitySettings: SettingsSection {
    /// Which part of the certificate is the caller's subject.
    public enum Subject: String, Sendable, CaseIterable {
        /// The subject's common name.
        case commonName = "common_name"
        /// The subject's distinguished name (RFC 4514).
        case distinguishedName = "distinguished_name"
        /// The first host name among the subject alternative names.
        case dns
        /// The first URI among the subject alternative names.
        case uri
        /// The first mail address among the subject alternative names.
        case email
    }

    /// Its name in the `issuers` of routes.
    public var name = ""
    /// `iss` of the callers (`X-Auth-Issuer`); nil: the name.
    public var issuer: String?
    /// Which part of the certificate is the caller's subject.
    public var subject = Subject.commonName
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// `Strict-Transport-Security` (RFC 6797): browsers use nothing but https from now on.
public struct HSTSSettings: SettingsSection {
    /// How long browsers keep to it.
    public var maxAge = Duration.hours(8760)
    /// Whether it is for all hosts below as well.
    public var includesSubdomains = false
    /// Whether the host may be put on the browsers' own lists.
    public var preload = false
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// TLS on one listener.
public struct ListenerTLSSettings: SettingsSection {
    /// Certificates with their keys, 1…256; the first is for clients that ask for no known name.
    public var certificates: [CertificateSettings] = []
    /// Oldest version that is spoken.
    public var minimumVersion = TLSVersionSettings.tls12
    /// Whether HTTP/2 is offered besides HTTP/1.1.
    public var http2 = true
    /// Whether clients show certificates.
    public var clientCertificates = ClientCertificatesSettings.off
    /// Authorities of client certificates in PEM; nil only when these are off.
    public var clientCA: FileReference?
    /// Client certificates as credentials; nil: they open the connection and say nothing of the caller.
    public var clientIdentity: ClientIdentitySettings?
    /// Whether sessions can be resumed by tickets; never where clients show certificates.
    public var tickets = true
    /// Whether clients that ask for no name, or for one without certificate, are refused.
    public var strictSNI = false
    /// What browsers are told; nil: nothing.
    public var hsts: HSTSSettings?
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}

/// Peers that send a PROXY header (version 1 or 2) before anything else.
public struct ProxyProtocolSettings: SettingsSection {
    /// Their networks (none for a unix socket, where every peer is one); a connection from there must begin with a
    /// header, one from elsewhere must not.
    public var from: [CIDR] = []
    /// Where the keys were written.
    public var marks = Marks()

    /// All defaults.
    public init() {}
}
