// COLD. OpenSSL's algorithms, fetched once, and small helpers around its objects.
internal import COpenSSL

/// What is fetched from OpenSSL once per process; nil where the library lacks it.
enum OpenSSL {
    nonisolated(unsafe) private static let sha256 = unsafe EVP_MD_fetch(nil, "SHA256", nil)
    nonisolated(unsafe) private static let sha384 = unsafe EVP_MD_fetch(nil, "SHA384", nil)
    nonisolated(unsafe) private static let sha512 = unsafe EVP_MD_fetch(nil, "SHA512", nil)
    nonisolated(unsafe) static let hmac = unsafe EVP_MAC_fetch(nil, "HMAC", nil)

    /// The digest of an algorithm; nil for Ed25519.
    static func digest(_ algorithm: Algorithm) -> OpaquePointer? {
        switch algorithm {
        case .hs256, .rs256, .ps256, .es256: unsafe sha256
        case .hs384, .rs384, .ps384, .es384: unsafe sha384
        case .hs512, .rs512, .ps512, .es512: unsafe sha512
        case .edDSA: nil
        }
    }

    /// The digest's name for parameters.
    static func digestName(_ algorithm: Algorithm) -> StaticString {
        switch algorithm.digestSize {
        case 32: "SHA256"
        case 48: "SHA384"
        default: "SHA512"
        }
    }

    /// SHA-256 of some bytes.
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 32
        _ = unsafe EVP_Digest(bytes, bytes.count, &out, &length, sha256, nil)
        return out
    }

    /// `OSSL_MAC_PARAM_DIGEST`, whose own form in Swift is a String: a pointer to it would end with the call.
    private static let digestParameter: StaticString = "digest"

    private static func characters(_ text: StaticString) -> UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    /// Makes an HMAC context with its key; the caller frees it.
    static func makeHMAC(_ algorithm: Algorithm, key: UnsafePointer<UInt8>, _ count: Int) -> OpaquePointer? {
        guard let mac = unsafe hmac, let context = unsafe EVP_MAC_CTX_new(mac) else { return nil }
        // Both texts are kept by reference until `EVP_MAC_init`: static ones, which end with a NUL. OpenSSL only reads
        // the digest's name, although the parameter's type does not say so.
        let digest = unsafe OSSL_PARAM_construct_utf8_string(
            characters(digestParameter),
            UnsafeMutablePointer(mutating: characters(digestName(algorithm))),
            0
        )
        let parameters = unsafe [digest, OSSL_PARAM_construct_end()]
        let done = unsafe EVP_MAC_init(context, key, count, parameters)
        if done == 1 { return unsafe context }
        unsafe EVP_MAC_CTX_free(context)
        ERR_clear_error()
        return nil
    }
}

/// An `EVP_PKEY` that is freed with the last reference; never changed after it was made, so threads may share it.
@safe
final class EVPKey: @unchecked Sendable {
    // Exception: @unchecked because OpenSSL keys are safe to share while nobody changes them; nobody does.
    let pointer: OpaquePointer

    /// Takes a key over.
    @unsafe
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe EVP_PKEY_free(pointer) }

    /// Whether it is of this kind, such as "RSA".
    func isKind(_ name: StaticString) -> Bool {
        name.withUTF8Buffer { text in
            guard let start = text.baseAddress else { return false }
            return unsafe EVP_PKEY_is_a(pointer, UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self)) == 1
        }
    }

    /// A number among its parameters as big-endian bytes, padded to `size` if that is given.
    func number(_ name: String, size: Int? = nil) -> [UInt8]? {
        var value: OpaquePointer?
        guard unsafe EVP_PKEY_get_bn_param(pointer, name, &value) == 1, let value = unsafe value else {
            ERR_clear_error()
            return nil
        }
        defer { unsafe BN_clear_free(value) }
        let length = unsafe size ?? (Int(BN_num_bits(value)) + 7) / 8
        var bytes = [UInt8](repeating: 0, count: length)
        guard unsafe BN_bn2binpad(value, &bytes, Int32(length)) == length else { return nil }
        return bytes
    }

    /// Octets among its parameters.
    func octets(_ name: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 256)
        var length = 0
        guard unsafe EVP_PKEY_get_octet_string_param(pointer, name, &bytes, bytes.count, &length) == 1 else {
            ERR_clear_error()
            return nil
        }
        return Array(bytes.prefix(length))
    }

    /// Name of its curve, empty if it has none.
    var groupName: String {
        var text = [UInt8](repeating: 0, count: 64)
        var length = 0
        let done = unsafe text.withUnsafeMutableBytes { buffer -> Int32 in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe EVP_PKEY_get_utf8_string_param(pointer, OSSL_PKEY_PARAM_GROUP_NAME, start, 64, &length)
        }
        guard done == 1 else {
            ERR_clear_error()
            return ""
        }
        return String(decoding: text.prefix(length), as: UTF8.self)
    }
}
