// COLD. The names inside an X.509 certificate, read with their lengths: a NUL byte ends no comparison here.
internal import COpenSSL
internal import Reactor

/// Subject alternative names and common name of a certificate.
struct AlternativeNames {
    /// Host names as written, wildcards included.
    var dns: [String] = []
    /// URIs.
    var uris: [String] = []
    /// Mail addresses.
    var emails: [String] = []
    /// IP addresses in canonical text.
    var addresses: [String] = []
    /// The subject's last common name.
    var commonName: String?
    /// Whether every name is visible US-ASCII (the common name: UTF-8 without control characters).
    ///
    /// Advisory: names with a NUL byte were cut there when compared (CVE-2025-66220); here they refuse the certificate.
    var isSound = true

    /// The names of a certificate, which stays the caller's.
    init(_ certificate: OpaquePointer) {
        defer { ErrorQueue.clear() }
        readCommonName(certificate)
        var state: Int32 = 0
        guard let raw = X509_get_ext_d2i(certificate, NID_subject_alt_name, &state, nil) else {
            // -1: there is none. Anything else: there is one that cannot be read, or several.
            if state != -1 { isSound = false }
            return
        }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        for index in 0..<pc_sk_GENERAL_NAME_num(names) {
            guard let name = pc_sk_GENERAL_NAME_value(names, index) else { continue }
            read(name)
        }
    }

    private mutating func read(_ name: UnsafeMutablePointer<GENERAL_NAME>) {
        var type: Int32 = 0
        guard let value = GENERAL_NAME_get0_value(name, &type) else { return }
        switch type {
        case GEN_DNS, GEN_URI, GEN_EMAIL:
            let bytes = Self.bytes(OpaquePointer(value))
            guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                isSound = false
                return
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if type == GEN_DNS { dns.append(text) }
            if type == GEN_URI { uris.append(text) }
            if type == GEN_EMAIL { emails.append(text) }
        case GEN_IPADD:
            let bytes = Self.bytes(OpaquePointer(value))
            guard let address = Self.address(bytes) else {
                isSound = false
                return
            }
            addresses.append(address.text)
        default: break
        }
    }

    private mutating func readCommonName(_ certificate: OpaquePointer) {
        guard let subject = X509_get_subject_name(certificate) else { return }
        var last: Int32 = -1
        while true {
            let next = X509_NAME_get_index_by_NID(subject, NID_commonName, last)
            if next < 0 { break }
            last = next
        }
        guard last >= 0, let entry = X509_NAME_get_entry(subject, last) else { return }
        var utf8: UnsafeMutablePointer<UInt8>?
        let length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry))
        guard length >= 0, let utf8 else {
            isSound = false
            return
        }
        defer { pc_OPENSSL_free(utf8) }
        let bytes = UnsafeBufferPointer(start: utf8, count: Int(length))
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }), let text = String(validating: bytes, as: UTF8.self) else {
            isSound = false
            return
        }
        commonName = text
    }

    private static func bytes(_ string: OpaquePointer) -> [UInt8] {
        let string = UnsafePointer<ASN1_STRING>(string)
        let count = Int(ASN1_STRING_length(string))
        guard count > 0, let start = ASN1_STRING_get0_data(string) else { return [] }
        return Array(UnsafeBufferPointer(start: start, count: count))
    }

    private static func address(_ bytes: [UInt8]) -> IPAddress? {
        func number(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: return IPAddress(high: 0, low: 0xffff_0000_0000 | number(bytes[...]), port: 0)
        case 16: return IPAddress(high: number(bytes[0..<8]), low: number(bytes[8..<16]), port: 0)
        default: return nil
        }
    }
}

/// Texts and numbers of a certificate.
enum X509Text {
    /// A distinguished name as RFC 4514 writes it; characters beyond US-ASCII are escaped.
    static func name(_ name: OpaquePointer?) -> String {
        guard let name, let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        guard X509_NAME_print_ex(bio, name, 0, pc_XN_FLAG_RFC2253()) >= 0 else { return "" }
        var start: UnsafeMutablePointer<CChar>?
        let count = pc_BIO_get_mem_data(bio, &start)
        guard count > 0, let start else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// The serial number in hexadecimal.
    static func serial(_ certificate: OpaquePointer) -> String {
        guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else { return "" }
        defer { BN_free(number) }
        guard let text = BN_bn2hex(number) else { return "" }
        defer { pc_OPENSSL_free(text) }
        return String(cString: text).lowercased()
    }

    /// SHA-256 of the whole certificate (`x5t#S256`, RFC 8705 §3.1).
    static func thumbprint(_ certificate: OpaquePointer) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 32
        guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1, count == 32 else { return [] }
        return digest
    }

    /// Seconds since 1970; nil when the time cannot be read.
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Int64(timegm(&parts))
    }
}
