// COLD. Certificates and keys in PEM (RFC 7468) to OpenSSL's objects.
internal import COpenSSL

/// Reading PEM for TLS contexts.
enum PEM {
    /// Most bytes of a file.
    private static let maximumBytes = 4 << 20

    /// The first certificate and a stack of the others; both are the caller's to free.
    static func chain(
        _ text: [UInt8],
        field: TLSError.Field,
        index: Int? = nil
    ) throws(TLSError) -> (leaf: OpaquePointer, rest: OpaquePointer) {
        defer { ErrorQueue.clear() }
        guard text.count <= maximumBytes else { throw TLSError(field, "is too large", index: index) }
        guard let bio = memory(text), let rest = pc_sk_X509_new() else {
            throw TLSError(.library, "out of memory")
        }
        defer { BIO_free(bio) }
        var leaf: OpaquePointer?
        while let certificate = PEM_read_bio_X509(bio, nil, noPassword, nil) {
            if leaf == nil {
                leaf = certificate
            } else if pc_sk_X509_push(rest, certificate) == 0 {
                X509_free(certificate)
            }
        }
        // The end of the text is the one error that is none.
        let reason = ErrorQueue.reason(ERR_peek_last_error())
        guard let leaf, reason == PEM_R_NO_START_LINE else {
            let what =
                leaf == nil && reason == PEM_R_NO_START_LINE ? "holds no certificate" : "holds a broken certificate"
            if let leaf { X509_free(leaf) }
            pc_sk_X509_free_all(rest)
            throw TLSError(field, what, index: index)
        }
        return (leaf, rest)
    }

    /// `text` to read from: a copy, because an array's address holds for one call only; the caller's to free.
    private static func memory(_ text: [UInt8]) -> OpaquePointer? {
        guard let bio = BIO_new(BIO_s_mem()) else { return nil }
        if text.isEmpty || BIO_write(bio, text, Int32(text.count)) == Int32(text.count) { return bio }
        BIO_free(bio)
        return nil
    }

    /// A private key; the caller's to free.
    static func key(_ text: [UInt8], index: Int? = nil) throws(TLSError) -> OpaquePointer {
        defer { ErrorQueue.clear() }
        guard text.count <= maximumBytes else { throw TLSError(.key, "is too large", index: index) }
        guard let bio = memory(text) else { throw TLSError(.library, "out of memory") }
        defer { BIO_free(bio) }
        if let key = PEM_read_bio_PrivateKey(bio, nil, noPassword, nil) { return key }
        let words = String(decoding: text, as: UTF8.self)
        let message =
            words.contains("ENCRYPTED")
            ? "is encrypted; give it without a password"
            : words.contains("PRIVATE KEY-----") ? "holds a broken key" : "holds no private key"
        throw TLSError(.key, message, index: index)
    }

    /// A store of authorities, and how many there are; the caller's to free.
    static func store(_ text: [UInt8], field: TLSError.Field) throws(TLSError) -> (store: OpaquePointer, count: Int) {
        let (first, rest) = try chain(text, field: field)
        defer {
            X509_free(first)
            pc_sk_X509_free_all(rest)
            ErrorQueue.clear()
        }
        guard let store = X509_STORE_new() else { throw TLSError(.library, "out of memory") }
        X509_STORE_add_cert(store, first)
        let count = pc_sk_X509_num(rest)
        for position in 0..<count {
            if let certificate = pc_sk_X509_value(rest, position) { X509_STORE_add_cert(store, certificate) }
        }
        return (store, Int(count) + 1)
    }

    /// Never asks anybody for a password.
    private static let noPassword:
        @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?)
            -> Int32 = { _, _, _, _ in -1 }
}
