// COLD. What contexts of both directions have in common, and the authorities that certificates are checked with.
internal import COpenSSL
internal import Glibc

/// Settings of every context.
enum TLSContext {
    static func configure(_ context: OpaquePointer, minimum: TLSVersion) throws(TLSError) {
        // Level 2: RSA and DH of 2048 bits, curves of 224 bits, no SHA-1 in signatures.
        SSL_CTX_set_security_level(context, 2)
        let mode =
            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
        pc_SSL_CTX_set_mode(context, Int(mode))
        // One system call reads a record's head and body.
        pc_SSL_CTX_set_read_ahead(context, 1)
        guard pc_SSL_CTX_set_min_proto_version(context, minimum.number) == 1,
            pc_SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1,
            SSL_CTX_set_ciphersuites(context, Suites.tls13) == 1,
            SSL_CTX_set_cipher_list(context, Suites.tls12) == 1,
            pc_SSL_CTX_set1_groups_list(context, Suites.groups) == 1,
            pc_SSL_CTX_set1_sigalgs_list(context, Suites.signatures) == 1
        else { throw TLSError(.library, "cannot set a context up: \(ErrorQueue.text(ErrorQueue.take()))") }
    }
}

/// Authorities; shared by contexts and never changed.
final class TrustStore: @unchecked Sendable {
    // Exception: @unchecked because OpenSSL guards a store by a lock of its own, and nobody adds to it.
    let store: OpaquePointer
    private let pem: [UInt8]

    init(pem: [UInt8], field: TLSError.Field) throws(TLSError) {
        guard !pem.isEmpty else { throw TLSError(field, "holds no certificate") }
        (store, _) = try PEM.store(pem, field: field)
        self.pem = pem
        // An intermediate authority that is listed is trusted as such, its root need not be there.
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    /// The authorities of the system: one file is read now, so that no handshake waits for a disk.
    static func system() throws(TLSError) -> TrustStore {
        let named = getenv("SSL_CERT_FILE").map { [String(cString: $0)] } ?? []
        let usual = [
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
            "/etc/ssl/ca-bundle.pem",
        ]
        for path in named + usual {
            guard let bytes = read(path) else { continue }
            return try TrustStore(pem: bytes, field: .ca)
        }
        throw TLSError(.ca, "this system has no file of authorities; install ca-certificates, or name a file")
    }

    deinit { X509_STORE_free(store) }

    /// The subjects of the authorities, for clients to choose a certificate by; the caller's to free.
    func names() -> OpaquePointer? {
        defer { ErrorQueue.clear() }
        guard let list = pc_sk_X509_NAME_new(), let (first, rest) = try? PEM.chain(pem, field: .clientCA) else {
            return nil
        }
        defer {
            X509_free(first)
            pc_sk_X509_free_all(rest)
        }
        var all = [first]
        for position in 0..<pc_sk_X509_num(rest) {
            if let certificate = pc_sk_X509_value(rest, position) { all.append(certificate) }
        }
        for certificate in all {
            guard let name = X509_NAME_dup(X509_get_subject_name(certificate)) else { continue }
            if pc_sk_X509_NAME_push(list, name) == 0 { X509_NAME_free(name) }
        }
        return list
    }

    private static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= 4 << 20 {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: buffer[0..<count])
        }
        return bytes.isEmpty ? nil : bytes
    }
}
