// COLD. The keys of TLS towards clients and of PROXY headers.

extension TLSVersionSettings: SettingChoice {}
extension ClientCertificatesSettings: SettingChoice {}
extension ClientIdentitySettings.Subject: SettingChoice {}

extension TLSSettings {
    /// What all TLS listeners share.
    public static let keys: [Key<TLSSettings>] = [
        Key(
            "ticket_rotation",
            \.ticketRotation,
            in: .hours(1) ... .hours(24),
            doc: "Time between two new keys for session tickets; all workers share them."
        ),
        Key(
            "ticket_lifetime",
            \.ticketLifetime,
            in: .minutes(1) ... .hours(24),
            doc: "How long a session ticket may be used; former keys are kept as long."
        ),
        Key(
            "file_check",
            \.fileCheck,
            in: .zero ... .hours(24),
            doc:
                "How often files of certificates and keys are looked at for changes, which are applied by themselves; off: "
                + "only on reload."
        ),
    ]
}

extension CertificateSettings {
    /// One certificate with its key.
    public static let keys: [Key<CertificateSettings>] = [
        Key(
            "certificate_file",
            \.certificate,
            required: true,
            example: "tls/fullchain.pem",
            doc: "The certificate and its intermediate ones in PEM, the server's own first."
        ),
        Key(
            "key_file",
            \.key,
            required: true,
            example: "tls/key.pem",
            doc: "The private key in PEM, not encrypted: ECDSA P-256, or RSA of at least 2048 bits."
        ),
        Key(
            "ocsp_file",
            \.ocsp,
            example: "tls/ocsp.der",
            doc:
                "An OCSP response in DER that is sent along (stapled) while its time lasts; looked at like certificates."
        ),
    ]

    /// Nobody else reads the key.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        decoding.check(key: key, "key_file", marks)
    }
}

extension ClientIdentitySettings {
    /// A client certificate as a credential.
    public static let keys: [Key<ClientIdentitySettings>] = [
        Key(
            "name",
            \.name,
            required: true,
            example: "machines",
            must: .name,
            doc: "Its name in the issuers of routes; listeners may share one."
        ),
        Key(
            "issuer",
            \.issuer,
            example: "\"urn:example:machines\"",
            must: .optionalLine,
            doc: "iss of these callers, X-Auth-Issuer by default; unset: the name."
        ),
        Key(
            "subject",
            \.subject,
            doc: "Which part of the certificate is the caller's sub. A certificate without it is no credential."
        ),
    ]
}

extension HSTSSettings {
    /// What browsers are told about https.
    public static let keys: [Key<HSTSSettings>] = [
        Key(
            "max_age",
            \.maxAge,
            in: .zero ... .hours(26_280),
            doc: "How long browsers keep to it; off: they forget it."
        ),
        Key("include_subdomains", \.includesSubdomains, doc: "Whether it is for all hosts below as well."),
        Key("preload", \.preload, doc: "Whether the host may be put on the browsers' own lists; hard to undo."),
    ]

    /// The lists of browsers take nothing less.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        guard preload, maxAge < .hours(8760) || !includesSubdomains else { return }
        decoding.report(
            "\(decoding.currentPath).preload: needs max_age of at least 8760h and include_subdomains: true",
            at: marks["preload"]
        )
    }
}

extension ListenerTLSSettings {
    /// TLS on one listener.
    public static let keys: [Key<ListenerTLSSettings>] = [
        Key(
            "certificates",
            \.certificates,
            count: 1...256,
            required: true,
            example: "[{certificate_file: tls/fullchain.pem, key_file: tls/key.pem}]",
            doc: "Chosen by the name that the client asks for (SNI): exact names, then wildcards, RSA and ECDSA "
                + "side by side; the first is for all others."
        ),
        Key("minimum_version", \.minimumVersion, doc: "Oldest version that is spoken."),
        Key("http2", \.http2, doc: "Whether HTTP/2 is offered besides HTTP/1.1."),
        Key(
            "client_certificates",
            \.clientCertificates,
            doc: "Whether clients show certificates; optional: one that is shown must be valid."
        ),
        Key(
            "client_ca_file",
            \.clientCA,
            example: "tls/clients.pem",
            doc: "Authorities of client certificates in PEM; needed unless client_certificates is off."
        ),
        Key(
            "client_identity",
            \.clientIdentity,
            example: "{ name: machines }",
            doc: "Client certificates as credentials; unset: they open the connection and say nothing of the caller."
        ),
        Key(
            "tickets",
            \.tickets,
            doc: "Whether sessions can be resumed by tickets; never where clients show certificates."
        ),
        Key(
            "strict_sni",
            \.strictSNI,
            doc: "Whether clients that ask for no name, or for one without certificate, are refused."
        ),
        Key("hsts", \.hsts, example: "{ max_age: 8760h }", doc: "Strict-Transport-Security; unset: not sent."),
    ]

    /// Client certificates and what is said about them belong together.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        let place = decoding.currentPath
        if decoding.hasError(at: marks["client_certificates"]) { return }
        if clientCertificates == .off {
            for key in ["client_ca_file", "client_identity"] where marks.isWritten(key) {
                decoding.report(
                    "\(place).\(key): clients are not asked for certificates; add client_certificates: required, "
                        + "or optional",
                    at: marks[key]
                )
            }
            return
        }
        if !marks.isWritten("client_ca_file") {
            decoding.report(
                "\(place).client_certificates: needs the key \"client_ca_file\": the authorities that may sign them",
                at: marks["client_certificates"]
            )
        }
        if tickets, marks.isWritten("tickets") {
            decoding.report(
                "\(place).tickets: has no effect where clients show certificates",
                at: marks["tickets"],
                severity: .warning
            )
        }
    }
}

extension ProxyProtocolSettings {
    /// Peers that send a PROXY header.
    public static let keys: [Key<ProxyProtocolSettings>] = [
        Key(
            "from",
            \.from,
            count: 1...1024,
            example: "[10.0.0.0/8]",
            doc:
                "Networks of these peers, but for a unix socket: a connection from there must begin with a header, one from elsewhere must "
                + "not. The client's address is the header's from then on."
        )
    ]

    /// Not everybody.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        for (index, network) in from.enumerated() where network.prefixLength == (network.text.contains(":") ? 0 : 96) {
            decoding.report(
                "\(decoding.currentPath).from: \(network.text) lets everybody choose an address",
                at: decoding.place(of: "from", index, in: marks),
                severity: .warning
            )
        }
    }
}

extension Decoding {
    /// Warns when everybody on the machine can read a private key.
    func check(key file: FileReference, _ key: String, _ marks: Marks) {
        guard !file.path.isEmpty, !hasError(at: marks[key]), files.isReadableByEverybody(file.path) else { return }
        let name = file.path.split(separator: "/").last.map(String.init) ?? file.path
        report(
            "\(currentPath).\(key): everybody can read \(Spelling.quoted(name)); chmod 600 it",
            at: marks[key],
            severity: .warning
        )
    }
}
