// COLD. The keys of TLS towards upstreams.

extension UpstreamProtocolSettings: SettingChoice {}

extension Constraint<String?> {
    static let optionalServerName = Constraint(expected: "a host name such as api.internal, or an IP address") {
        guard let text = $0 else { return true }
        return HostPattern.isName(text) || IPNumber(text: text) != nil
    }
}

extension UpstreamTLSSettings {
    /// TLS towards the servers of an upstream.
    public static let keys: [Key<UpstreamTLSSettings>] = [
        Key(
            "ca_file",
            \.ca,
            example: "tls/services.pem",
            doc: "Authorities that may vouch for the servers, in PEM; unset: the system's."
        ),
        Key(
            "verify",
            \.verifies,
            doc: "Whether servers must prove who they are. With false, anybody on the way can take their place."
        ),
        Key(
            "server_name",
            \.serverName,
            example: "api.internal",
            must: .optionalServerName,
            doc: "The name to ask for (SNI) and to insist on; unset: the host name or address of each server."
        ),
        Key(
            "certificate_file",
            \.certificate,
            example: "tls/gateway.pem",
            doc: "The gateway's certificate and its intermediate ones in PEM, for servers that ask for one."
        ),
        Key("key_file", \.key, example: "tls/gateway.key", doc: "Its private key in PEM, not encrypted."),
        Key("minimum_version", \.minimumVersion, doc: "Oldest version that is spoken."),
    ]

    /// Certificate and key belong together; not to verify is worth a word.
    public mutating func finish(_: SettingNode, _ decoding: Decoding) {
        let place = decoding.currentPath
        for (one, other) in [("certificate_file", "key_file"), ("key_file", "certificate_file")]
        where marks.isWritten(one) && !marks.isWritten(other) {
            decoding.report("\(place).\(one): needs the key \"\(other)\" beside it", at: marks[one])
        }
        if let key { decoding.check(key: key, "key_file", marks) }
        guard !verifies else { return }
        if marks.isWritten("ca_file") {
            decoding.report("\(place).ca_file: has no effect with verify: false", at: marks["ca_file"])
        }
        decoding.report(
            "\(place).verify: servers need not prove who they are; anybody on the way can take their place",
            at: marks["verify"],
            severity: .warning
        )
    }
}

extension UpstreamSettings {
    func checkTLS(_ decoding: Decoding) {
        guard !decoding.hasError(at: marks["protocol"]) else { return }
        let hasTLS = marks.isWritten("tls")
        if self.protocol == .h2, !hasTLS {
            decoding.report(
                "\(decoding.currentPath).protocol: h2 is HTTP/2 over TLS; add tls: {}, or write h2c for clear text",
                at: marks["protocol"]
            )
        }
        if self.protocol == .h2c, hasTLS {
            decoding.report(
                "\(decoding.currentPath).protocol: h2c is HTTP/2 in clear text; write h2, or remove tls",
                at: marks["protocol"]
            )
        }
        guard let tls, tls.verifies, tls.serverName == nil, !tls.marks.isWritten("server_name") else { return }
        for (index, server) in servers.enumerated() {
            guard case .unix = server.address else { continue }
            decoding.report(
                "\(decoding.currentPath).servers[\(index)]: a unix socket has no name that its certificate could be for; "
                    + "add tls.server_name",
                at: decoding.place(of: "servers", index, in: marks)
            )
        }
    }
}
