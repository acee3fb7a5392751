// COLD. Certificates for tests, made in the process: nothing to install, nothing that expires.
import COpenSSL
import Foundation

/// What a certificate for a test is like.
struct Wanted {
    enum Kind { case ecdsa, rsa(UInt32), ed25519 }
    enum Name { case dns(String), uri(String), email(String), ip([UInt8]), raw([UInt8]) }

    var commonName = "test"
    var names: [Name] = []
    var kind = Kind.ecdsa
    /// Days from now.
    var from = -1
    var until = 90
    var isAuthority = false

    /// A certificate for hosts.
    static func hosts(_ names: String..., kind: Kind = .ecdsa, until: Int = 90) -> Wanted {
        Wanted(commonName: names[0], names: names.map { .dns($0) }, kind: kind, until: until)
    }
}

/// A certificate with its key.
final class Issued {
    let certificate: OpaquePointer
    let key: OpaquePointer

    init(certificate: OpaquePointer, key: OpaquePointer) {
        self.certificate = certificate
        self.key = key
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    var certificatePEM: [UInt8] { Self.text { PEM_write_bio_X509($0, certificate) } }
    var keyPEM: [UInt8] { Self.text { PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) } }

    var der: [UInt8] {
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_X509(certificate, &start)
        defer { pc_OPENSSL_free(start) }
        return start.map { Array(UnsafeBufferPointer(start: $0, count: Int(count))) } ?? []
    }

    private static func text(_ write: (OpaquePointer?) -> Int32) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        guard write(bio) == 1, let bio else { return [] }
        var start: UnsafeMutablePointer<CChar>?
        let count = pc_BIO_get_mem_data(bio, &start)
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }
}

struct OutOfMemory: Error {}

/// An authority that signs certificates.
final class Authority {
    let own: Issued
    private var serial = 1000

    init(_ name: String = "test authority") throws {
        own = try Self.make(Wanted(commonName: name, isAuthority: true), serial: 1, issuer: nil)
    }

    var pem: [UInt8] { own.certificatePEM }

    func issue(_ wanted: Wanted) throws -> Issued {
        serial += 1
        return try Self.make(wanted, serial: serial, issuer: own)
    }

    private static func makeKey(_ kind: Wanted.Kind) -> OpaquePointer? {
        switch kind {
        case .ecdsa: pc_EVP_EC_gen("P-256")
        case .rsa(let bits): pc_EVP_RSA_gen(bits)
        case .ed25519: pc_EVP_ED25519_gen()
        }
    }

    private static func make(_ wanted: Wanted, serial: Int, issuer: Issued?) throws -> Issued {
        guard let key = makeKey(wanted.kind), let certificate = X509_new() else { throw OutOfMemory() }
        let issued = Issued(certificate: certificate, key: key)
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial)
        X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.from * 86_400)
        X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.until * 86_400)
        let name = X509_get_subject_name(certificate)
        let bytes = Array(wanted.commonName.utf8)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_FLAG | 0, bytes, Int32(bytes.count), -1, 0)
        let organisation = Array("Test".utf8)
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_FLAG | 0, organisation, 4, -1, 0)
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer?.certificate ?? certificate))
        X509_set_pubkey(certificate, key)
        try addExtensions(certificate, wanted)
        // Ed25519 signs without a digest; all authorities here are ECDSA.
        guard X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) > 0 else { throw OutOfMemory() }
        return issued
    }

    private static func addExtensions(_ certificate: OpaquePointer, _ wanted: Wanted) throws {
        if wanted.isAuthority {
            guard let value = X509V3_EXT_conf_nid(nil, nil, NID_basic_constraints, "critical,CA:TRUE") else {
                throw OutOfMemory()
            }
            X509_add_ext(certificate, value, -1)
            X509_EXTENSION_free(value)
        }
        guard !wanted.names.isEmpty else { return }
        guard let names = GENERAL_NAMES_new() else { throw OutOfMemory() }
        defer { GENERAL_NAMES_free(names) }
        for name in wanted.names {
            guard let one = GENERAL_NAME_new() else { throw OutOfMemory() }
            let (type, bytes): (Int32, [UInt8]) =
                switch name {
                case .dns(let text): (GEN_DNS, Array(text.utf8))
                case .uri(let text): (GEN_URI, Array(text.utf8))
                case .email(let text): (GEN_EMAIL, Array(text.utf8))
                case .ip(let bytes): (GEN_IPADD, bytes)
                case .raw(let bytes): (GEN_DNS, bytes)
                }
            let value = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING)
            ASN1_STRING_set(value, bytes, Int32(bytes.count))
            GENERAL_NAME_set0_value(one, type, value)
            _ = pc_sk_GENERAL_NAME_push(names, one)
        }
        X509_add1_ext_i2d(certificate, NID_subject_alt_name, UnsafeMutableRawPointer(names), 0, 0)
    }

    /// An OCSP response about a certificate, for some days from now.
    func ocsp(_ issued: Issued, isGood: Bool = true, days: Int = 7) throws -> [UInt8] {
        guard let basic = OCSP_BASICRESP_new(),
            let id = OCSP_cert_to_id(EVP_sha1(), issued.certificate, own.certificate)
        else { throw OutOfMemory() }
        defer {
            OCSP_BASICRESP_free(basic)
            OCSP_CERTID_free(id)
        }
        let this = X509_gmtime_adj(nil, -86_400)
        let next = X509_gmtime_adj(nil, days * 86_400)
        defer {
            ASN1_STRING_free(this)
            ASN1_STRING_free(next)
        }
        let status = isGood ? V_OCSP_CERTSTATUS_GOOD : V_OCSP_CERTSTATUS_REVOKED
        OCSP_basic_add1_status(basic, id, status, 0, isGood ? nil : this, this, next)
        guard OCSP_basic_sign(basic, own.certificate, own.key, EVP_sha256(), nil, 0) == 1,
            let response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)
        else { throw OutOfMemory() }
        defer { OCSP_RESPONSE_free(response) }
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_OCSP_RESPONSE(response, &start)
        defer { pc_OPENSSL_free(start) }
        return start.map { Array(UnsafeBufferPointer(start: $0, count: Int(count))) } ?? []
    }
}
