// COLD. Keys in PEM (RFC 7468): public keys, private keys, certificates.
internal import Bytes
internal import COpenSSL

/// Reading and writing PEM.
enum PEM {
    /// The key in the first `BEGIN … END` block that holds one; of a certificate, the subject's.
    ///
    /// A chain's first certificate is the one that counts (RFC 5246 §7.4.2): keys of the others sign certificates.
    static func key(_ text: [UInt8], privateOnly: Bool) throws(KeyError) -> (key: EVPKey, isPrivate: Bool) {
        defer { ERR_clear_error() }
        let string = String(decoding: text, as: UTF8.self)
        guard !string.contains("ENCRYPTED") else { throw .encryptedPEM }
        guard string.contains("-----BEGIN ") else { throw .noKeyInPEM }
        guard text.count <= 1 << 20 else { throw .badPEM }
        let begins = string.split(separator: "-----BEGIN ").dropFirst(string.hasPrefix("-----BEGIN ") ? 0 : 1)
        let isPrivate = string.contains("PRIVATE KEY-----")
        let kind = isPrivate ? "PRIVATE KEY-----" : "PUBLIC KEY-----"
        // All but the first would be forgotten in silence.
        let keys = begins.count { $0.prefix { !$0.isNewline }.hasSuffix(kind) }
        guard keys <= 1 else { throw .severalKeysInPEM }
        if isPrivate {
            guard let key = try read(text, as: .privateKey) else { throw .badPEM }
            return (key, true)
        }
        guard !privateOnly else { throw .notPrivate }
        let isCertificate = string.contains("BEGIN CERTIFICATE") || string.contains("BEGIN TRUSTED CERTIFICATE")
        guard let key = try read(text, as: isCertificate ? .certificate : .publicKey) else { throw .badPEM }
        return (key, false)
    }

    private enum Form { case privateKey, publicKey, certificate }

    private static func read(_ text: [UInt8], as form: Form) throws(KeyError) -> EVPKey? {
        let result = unsafe text.withUnsafeBytes { bytes -> Result<EVPKey?, KeyError> in
            guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
                return .failure(.cryptoFailure)
            }
            defer { unsafe BIO_free(bio) }
            return unsafe read(bio, as: form)
        }
        return try result.get()
    }

    private static func read(_ bio: OpaquePointer, as form: Form) -> Result<EVPKey?, KeyError> {
        if form == .certificate {
            guard let certificate = unsafe PEM_read_bio_X509(bio, nil, noPassword, nil) else { return .success(nil) }
            defer { unsafe X509_free(certificate) }
            return .success(unsafe X509_get_pubkey(certificate).map { unsafe EVPKey(owning: $0) })
        }
        var key: OpaquePointer?
        let selection = form == .privateKey ? pc_EVP_PKEY_KEYPAIR() : pc_EVP_PKEY_PUBLIC_KEY()
        // The decoder keeps the address of `key` until it is freed.
        return unsafe withUnsafeMutablePointer(to: &key) { key -> Result<EVPKey?, KeyError> in
            let decoder = unsafe OSSL_DECODER_CTX_new_for_pkey(key, "PEM", nil, nil, selection, nil, nil)
            guard let decoder = unsafe decoder else { return .failure(.cryptoFailure) }
            defer { unsafe OSSL_DECODER_CTX_free(decoder) }
            guard unsafe OSSL_DECODER_from_bio(decoder, bio) == 1 else { return .success(nil) }
            return .success(unsafe key.pointee.map { unsafe EVPKey(owning: $0) })
        }
    }

    /// Never asks anybody for a password.
    private static let noPassword:
        @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?)
            -> Int32 = { _, _, _, _ in -1 }

    /// The public half of a key as a key of its own.
    static func publicHalf(_ key: EVPKey) -> EVPKey? {
        defer { ERR_clear_error() }
        var der: UnsafeMutablePointer<UInt8>?
        let length = unsafe i2d_PUBKEY(key.pointer, &der)
        guard length > 0, let der = unsafe der else { return nil }
        defer { unsafe pc_OPENSSL_free(der) }
        var start: UnsafePointer<UInt8>? = unsafe UnsafePointer(der)
        return unsafe d2i_PUBKEY(nil, &start, Int(length)).map { unsafe EVPKey(owning: $0) }
    }

    /// SubjectPublicKeyInfo as PEM.
    static func publicText(_ key: EVPKey) -> String? { unsafe text { unsafe PEM_write_bio_PUBKEY($0, key.pointer) } }

    /// PKCS #8 as PEM, not encrypted.
    static func privateText(_ key: EVPKey) -> String? {
        unsafe text { unsafe PEM_write_bio_PKCS8PrivateKey($0, key.pointer, nil, nil, 0, nil, nil) }
    }

    private static func text(_ write: (OpaquePointer) -> Int32) -> String? {
        guard let bio = unsafe BIO_new(BIO_s_secmem()) else { return nil }
        defer { unsafe BIO_free(bio) }
        guard unsafe write(bio) == 1 else {
            ERR_clear_error()
            return nil
        }
        var start: UnsafeMutablePointer<CChar>?
        let length = unsafe pc_BIO_get_mem_data(bio, &start)
        guard length > 0, let start = unsafe start else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: length)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}

extension Key {
    /// The key of a PEM text: a public key, the subject's of a certificate, or the public half of a private key.
    ///
    /// An RSA key needs the algorithm; for the others the curve says it.
    public static func pem(_ text: [UInt8], algorithm: Algorithm?, id: String? = nil) throws(KeyError) -> Key {
        let (read, isPrivate) = try PEM.key(text, privateOnly: false)
        guard let key = isPrivate ? PEM.publicHalf(read) : read else { throw .badPEM }
        let kind = try KeyChecks.kind(of: key)
        var set = kind.algorithms
        if let algorithm {
            guard set.contains(algorithm) else { throw .algorithmMismatch }
            set = AlgorithmSet(algorithm)
        }
        return Key(key: key, kind: kind, algorithms: set, id: id.map { Array($0.utf8) })
    }
}
