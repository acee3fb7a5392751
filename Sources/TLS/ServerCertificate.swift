// COLD. One certificate chain with its key, read from PEM and checked before any client sees it.
internal import COpenSSL

/// A certificate chain with its key, as bytes of files.
public struct CertificateSource: Sendable {
    /// Where it came from, for messages and metrics: the file's path.
    public var label: String
    /// The certificate and its intermediate ones in PEM, the server's own first.
    public var chain: [UInt8]
    /// The private key in PEM, not encrypted.
    public var key: [UInt8]
    /// An OCSP response in DER (RFC 6960) that is sent to clients who ask for it.
    public var ocsp: [UInt8]?

    /// A chain with its key.
    public init(label: String, chain: [UInt8], key: [UInt8], ocsp: [UInt8]? = nil) {
        self.label = label
        self.chain = chain
        self.key = key
        self.ocsp = ocsp
    }
}

/// A checked certificate; never changed after it was made, so threads may share it.
final class ServerCertificate: @unchecked Sendable {
    // Exception: @unchecked because OpenSSL's certificates and keys may be shared while nobody changes them.
    let leaf: OpaquePointer
    /// `STACK_OF(X509)` of the intermediate certificates.
    let chain: OpaquePointer
    let key: OpaquePointer
    let ocsp: [UInt8]
    let names: CertificateNames
    let facts: CertificateFacts
    /// What does not forbid its use.
    let findings: [String]

    /// Reads and checks `source`, the certificate with number `index`.
    init(_ source: CertificateSource, index: Int, now: Int64) throws(TLSError) {
        let (leaf, chain) = try PEM.chain(source.chain, field: .certificate, index: index)
        self.leaf = leaf
        self.chain = chain
        do {
            key = try PEM.key(source.key, index: index)
        } catch {
            X509_free(leaf)
            pc_sk_X509_free_all(chain)
            throw error
        }
        // From here on `deinit` does not run when this throws, because not all properties are set.
        do throws(TLSError) {
            try Self.check(leaf, chain, key, index)
            let type = try Self.keyType(key, index)
            let read = AlternativeNames(leaf)
            guard read.isSound else {
                throw TLSError(.certificate, "has a name with a character that no name can have", index: index)
            }
            var names = CertificateNames()
            for name in read.dns { names.insert(name) }
            for address in read.addresses { names.insert(address.contains(":") ? "[\(address)]" : address) }
            let hasNames = !names.texts.isEmpty
            if !hasNames, let name = read.commonName { names.insert(name) }
            guard let notBefore = X509Text.seconds(X509_get0_notBefore(leaf)),
                let notAfter = X509Text.seconds(X509_get0_notAfter(leaf))
            else { throw TLSError(.certificate, "has dates that cannot be read", index: index) }
            let staple = try source.ocsp.map { bytes throws(TLSError) in try Staple(bytes, for: leaf, index: index) }
            ocsp = source.ocsp ?? []
            self.names = names
            let facts = CertificateFacts(
                label: source.label,
                names: names.texts,
                subject: X509Text.name(X509_get_subject_name(leaf)),
                issuer: X509Text.name(X509_get_issuer_name(leaf)),
                serial: X509Text.serial(leaf),
                keyType: type,
                notBefore: notBefore,
                notAfter: notAfter,
                stapledUntil: staple?.until
            )
            self.facts = facts
            var findings = facts.findings(at: now)
            if !hasNames, !names.texts.isEmpty {
                findings.append("has no subject alternative names; clients refuse it")
            }
            if X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1 { findings.append("is not for servers") }
            if let staple, !staple.isGood { findings.append("has an OCSP response that does not say good") }
            self.findings = findings
        } catch {
            ErrorQueue.clear()
            X509_free(leaf)
            pc_sk_X509_free_all(chain)
            EVP_PKEY_free(key)
            throw error
        }
    }

    deinit {
        X509_free(leaf)
        pc_sk_X509_free_all(chain)
        EVP_PKEY_free(key)
    }

    private static func check(
        _ leaf: OpaquePointer,
        _ chain: OpaquePointer,
        _ key: OpaquePointer,
        _ index: Int
    ) throws(TLSError) {
        if X509_check_private_key(leaf, key) == 1 { return }
        ErrorQueue.clear()
        for position in 0..<pc_sk_X509_num(chain) {
            guard let other = pc_sk_X509_value(chain, position) else { continue }
            if X509_check_private_key(other, key) == 1 {
                throw TLSError(
                    .certificate,
                    "must begin with the server's own certificate; it is number \(position + 2)",
                    index: index
                )
            }
        }
        ErrorQueue.clear()
        throw TLSError(.key, "is not the key of the certificate", index: index)
    }

    private static func keyType(_ key: OpaquePointer, _ index: Int) throws(TLSError) -> CertificateKeyType {
        let bits = Int(EVP_PKEY_get_bits(key))
        if EVP_PKEY_is_a(key, "RSA") == 1 || EVP_PKEY_is_a(key, "RSA-PSS") == 1 {
            guard bits >= 2048 else {
                throw TLSError(.key, "is RSA with \(bits) bits; at least 2048 are needed", index: index)
            }
            guard bits <= 8192 else {
                throw TLSError(.key, "is RSA with \(bits) bits; at most 8192 are possible", index: index)
            }
            return .rsa(bits: bits)
        }
        if EVP_PKEY_is_a(key, "ED25519") == 1 { return .ed25519 }
        guard EVP_PKEY_is_a(key, "EC") == 1 else {
            throw TLSError(.key, "is neither RSA nor ECDSA nor Ed25519", index: index)
        }
        guard bits == 256 || bits == 384 || bits == 521 else {
            throw TLSError(.key, "is on a curve that clients do not know; take P-256", index: index)
        }
        return .ecdsa(bits: bits)
    }

    /// Which of the certificates for one name it can be: one for each kind of key.
    var slot: Int {
        switch facts.keyType {
        case .rsa: 0
        case .ecdsa: 1
        case .ed25519: 2
        }
    }
}

/// An OCSP response that was looked at; whether it is true is for clients to verify.
private struct Staple {
    /// How long it may be served, in seconds since 1970.
    var until: Int64 = .max
    /// Whether it says that the certificate is good.
    var isGood = false

    init(_ bytes: [UInt8], for leaf: OpaquePointer, index: Int) throws(TLSError) {
        defer { ErrorQueue.clear() }
        let unreadable = TLSError(.ocsp, "is no OCSP response in DER", index: index)
        guard bytes.count <= 65_536 else { throw unreadable }
        let response = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var start = buffer.baseAddress
            return d2i_OCSP_RESPONSE(nil, &start, buffer.count)
        }
        guard let response else { throw unreadable }
        defer { OCSP_RESPONSE_free(response) }
        guard OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL,
            let basic = OCSP_response_get1_basic(response)
        else { throw TLSError(.ocsp, "is an answer without a status", index: index) }
        defer { OCSP_BASICRESP_free(basic) }
        for position in 0..<OCSP_resp_count(basic) {
            guard let single = OCSP_resp_get0(basic, position), let id = OCSP_SINGLERESP_get0_id(single) else {
                continue
            }
            var serial: UnsafeMutablePointer<ASN1_INTEGER>?
            guard OCSP_id_get0_info(nil, nil, nil, &serial, OpaquePointer(UnsafeRawPointer(id))) == 1, let serial,
                ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0
            else { continue }
            var next: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
            isGood = OCSP_single_get0_status(single, nil, nil, nil, &next) == V_OCSP_CERTSTATUS_GOOD
            if let next { until = X509Text.seconds(UnsafePointer(next)) ?? 0 }
            return
        }
        throw TLSError(.ocsp, "is about another certificate", index: index)
    }
}
