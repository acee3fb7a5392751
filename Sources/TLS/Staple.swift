// COLD. An OCSP response that may be sent along with a certificate (RFC 6960, RFC 6066 §8).
internal import COpenSSL

/// An OCSP response that was looked at; whether it is true is for clients to verify.
struct Staple {
    /// Why a response cannot be sent, as the end of a sentence that begins with it.
    struct Problem: Error {
        var text: String
    }

    /// Since when it may be served, in seconds since 1970.
    var from: Int64
    /// How long it may be served, in seconds since 1970.
    var until: Int64
    /// Whether it says that the certificate is good.
    var isGood: Bool

    /// How long a response is served that does not say when the next one comes: a week.
    static let openSeconds: Int64 = 7 * 86_400

    /// Reads a response in DER about the certificate `leaf`.
    static func read(_ bytes: [UInt8], for leaf: OpaquePointer) -> Result<Staple, Problem> {
        defer { ErrorQueue.clear() }
        let unreadable = Problem(text: "is not in DER")
        guard bytes.count <= 65_536 else { return .failure(unreadable) }
        let response = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var start = buffer.baseAddress
            return start == nil ? nil : d2i_OCSP_RESPONSE(nil, &start, buffer.count)
        }
        guard let response else { return .failure(unreadable) }
        defer { OCSP_RESPONSE_free(response) }
        guard OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL,
            let basic = OCSP_response_get1_basic(response)
        else { return .failure(Problem(text: "is an answer without a status")) }
        defer { OCSP_BASICRESP_free(basic) }
        for position in 0..<OCSP_resp_count(basic) {
            guard let single = OCSP_resp_get0(basic, position), isAbout(leaf, single) else { continue }
            var this: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
            var next: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
            let status = OCSP_single_get0_status(single, nil, nil, &this, &next)
            guard let this, let from = X509Text.seconds(UnsafePointer(this)) else {
                return .failure(Problem(text: "has dates that cannot be read"))
            }
            var until = from + openSeconds
            if let next { until = X509Text.seconds(UnsafePointer(next)) ?? 0 }
            return .success(Staple(from: from, until: until, isGood: status == V_OCSP_CERTSTATUS_GOOD))
        }
        return .failure(Problem(text: "is about another certificate"))
    }

    /// Whether a single response is about a certificate: its number, and its issuer's name.
    private static func isAbout(_ leaf: OpaquePointer, _ single: OpaquePointer) -> Bool {
        guard let id = OCSP_SINGLERESP_get0_id(single) else { return false }
        var serial: UnsafeMutablePointer<ASN1_INTEGER>?
        var issuer: UnsafeMutablePointer<ASN1_OCTET_STRING>?
        var algorithm: OpaquePointer?
        let opaque = OpaquePointer(UnsafeRawPointer(id))
        guard OCSP_id_get0_info(&issuer, &algorithm, nil, &serial, opaque) == 1, let serial,
            ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0
        else { return false }
        // With a digest that is unknown here, the number alone must do.
        guard let issuer, let name = OBJ_nid2sn(OBJ_obj2nid(algorithm)), let digest = EVP_get_digestbyname(name) else {
            return true
        }
        var expected = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        guard X509_NAME_digest(X509_get_issuer_name(leaf), digest, &expected, &count) == 1,
            Int(count) == Int(ASN1_STRING_length(issuer)), let found = ASN1_STRING_get0_data(issuer)
        else { return false }
        return UnsafeBufferPointer(start: found, count: Int(count)).elementsEqual(expected[..<Int(count)])
    }
}
