// COLD. Numbers of a JWK to OpenSSL keys.
internal import COpenSSL

/// Makes OpenSSL keys of the numbers in a JWK.
enum KeyBuilder {
    /// An RSA key; private when the six private numbers d, p, q, dp, dq, qi are given.
    static func rsa(n: [UInt8], e: [UInt8], private numbers: [[UInt8]] = []) -> EVPKey? {
        var parts: [(String, [UInt8])] = [("n", n), ("e", e)]
        let names = ["d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1"]
        if numbers.count == names.count { parts += zip(names, numbers).map { ($0, $1) } }
        return make(
            "RSA",
            selection: numbers.isEmpty ? pc_EVP_PKEY_PUBLIC_KEY() : pc_EVP_PKEY_KEYPAIR(),
            numbers: parts
        )
    }

    /// An EC key; private when `d` is given.
    ///
    /// OpenSSL checks that the point is on the curve.
    static func ec(group: String, x: [UInt8], y: [UInt8], d: [UInt8]? = nil) -> EVPKey? {
        make(
            "EC",
            selection: d == nil ? pc_EVP_PKEY_PUBLIC_KEY() : pc_EVP_PKEY_KEYPAIR(),
            text: ("group", group),
            octets: ("pub", [0x04] + x + y),
            numbers: d.map { [("priv", $0)] } ?? []
        )
    }

    /// An Ed25519 public key.
    static func ed25519(_ x: [UInt8]) -> EVPKey? {
        guard x.count == 32, let key = unsafe EVP_PKEY_new_raw_public_key_ex(nil, "ED25519", nil, x, 32) else {
            ERR_clear_error()
            return nil
        }
        return unsafe EVPKey(owning: key)
    }

    /// An Ed25519 private key.
    static func ed25519Private(_ d: [UInt8]) -> EVPKey? {
        guard d.count == 32, let key = unsafe EVP_PKEY_new_raw_private_key_ex(nil, "ED25519", nil, d, 32) else {
            ERR_clear_error()
            return nil
        }
        return unsafe EVPKey(owning: key)
    }

    private static func make(
        _ type: String,
        selection: Int32,
        text: (String, String)? = nil,
        octets: (String, [UInt8])? = nil,
        numbers: [(String, [UInt8])] = []
    ) -> EVPKey? {
        defer { ERR_clear_error() }
        guard let builder = unsafe OSSL_PARAM_BLD_new() else { return nil }
        defer { unsafe OSSL_PARAM_BLD_free(builder) }
        var values: [OpaquePointer] = unsafe []
        defer { unsafe values.forEach { unsafe BN_clear_free($0) } }
        // The builder keeps names and bytes by reference until `to_param`: C strings that live as long as it does.
        var names: [UnsafeMutablePointer<CChar>] = unsafe []
        var blobs: [UnsafeMutablePointer<UInt8>] = unsafe []
        defer {
            unsafe names.forEach { unsafe $0.deallocate() }
            unsafe blobs.forEach { unsafe $0.deallocate() }
        }
        func lasting(_ text: String) -> UnsafeMutablePointer<CChar> {
            let bytes = text.utf8CString
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
            for (i, byte) in bytes.enumerated() { unsafe copy[i] = byte }
            unsafe names.append(copy)
            return unsafe copy
        }
        if let text {
            let pushed = unsafe OSSL_PARAM_BLD_push_utf8_string(builder, lasting(text.0), lasting(text.1), 0)
            guard pushed == 1 else { return nil }
        }
        if let octets {
            let blob = UnsafeMutablePointer<UInt8>.allocate(capacity: octets.1.count)
            for (i, byte) in octets.1.enumerated() { unsafe blob[i] = byte }
            unsafe blobs.append(blob)
            let pushed = unsafe OSSL_PARAM_BLD_push_octet_string(builder, lasting(octets.0), blob, octets.1.count)
            guard pushed == 1 else { return nil }
        }
        for (name, bytes) in numbers {
            guard let value = unsafe BN_bin2bn(bytes, Int32(bytes.count), nil) else { return nil }
            unsafe values.append(value)
            guard unsafe OSSL_PARAM_BLD_push_BN(builder, lasting(name), value) == 1 else { return nil }
        }
        guard let parameters = unsafe OSSL_PARAM_BLD_to_param(builder) else { return nil }
        defer { unsafe OSSL_PARAM_free(parameters) }
        guard let context = unsafe EVP_PKEY_CTX_new_from_name(nil, type, nil) else { return nil }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_fromdata_init(context) == 1,
            unsafe EVP_PKEY_fromdata(context, &key, selection, parameters) == 1,
            let key = unsafe key
        else { return nil }
        return unsafe EVPKey(owning: key)
    }
}
