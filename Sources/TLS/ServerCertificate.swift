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
            let staple = source.ocsp.map { Staple.read($0, for: leaf) }
            var stapled: Staple?
            if case .success(let read) = staple { stapled = read }
            ocsp = stapled == nil ? [] : source.ocsp ?? []
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
                stapledFrom: stapled?.from,
                stapledUntil: stapled?.until
            )
            self.facts = facts
            var findings = facts.findings(at: now)
            if !hasNames, !names.texts.isEmpty {
                findings.append("has no subject alternative names; clients refuse it")
            }
            if X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1 { findings.append("is not for servers") }
            if let stapled, !stapled.isGood { findings.append("has an OCSP response that does not say good") }
            // Most often it is for the certificate before this one: no reason to keep that one.
            if case .failure(let problem) = staple {
                findings.append("has an OCSP response that \(problem.text); it is not sent")
            }
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
