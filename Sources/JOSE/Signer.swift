// HOT. Signing compact tokens (RFC 7515 §7.1) with one key; contexts are made once and used again.
public import Bytes
internal import COpenSSL
import Glibc

/// Signs tokens with one key.
///
/// Owned by one thread.
@safe
public final class Signer {
    /// The key.
    public let key: SigningKey
    /// The encoded header and its dot: the same for every token.
    private let header: [UInt8]
    private let context: OpaquePointer?
    private let hashing: OpaquePointer?
    private let scratch: UnsafeMutablePointer<UInt8>
    private static let scratchSize = 2048

    /// A signer whose tokens carry this `typ`, and the key's `kid` if it has one.
    public init(_ key: SigningKey, type: String = "JWT") {
        self.key = key
        let id = key.publicKey.idText.map { #","kid":\#(JWKMembers.quoted($0))"# } ?? ""
        let text = #"{"alg":"\#(key.algorithm.name)"\#(id),"typ":\#(JWKMembers.quoted(type))}"#
        header = Array((Base64URL.encode(Array(text.utf8)) + ".").utf8)
        unsafe hashing = EVP_MD_CTX_new()
        unsafe scratch = .allocate(capacity: Self.scratchSize)
        unsafe context = Self.makeContext(key)
    }

    deinit {
        switch key.algorithm.family {
        case .hmac: unsafe EVP_MAC_CTX_free(context)
        case .edDSA: unsafe EVP_MD_CTX_free(context)
        case .rsa, .rsaPSS, .ecdsa: unsafe EVP_PKEY_CTX_free(context)
        }
        unsafe EVP_MD_CTX_free(hashing)
        unsafe OPENSSL_cleanse(scratch, Self.scratchSize)
        unsafe scratch.deallocate()
    }

    private static func makeContext(_ key: SigningKey) -> OpaquePointer? {
        let algorithm = key.algorithm
        switch algorithm.family {
        case .hmac:
            guard let secret = unsafe key.publicKey.secret else { return nil }
            return unsafe OpenSSL.makeHMAC(algorithm, key: secret, key.publicKey.size)
        case .edDSA: return unsafe EVP_MD_CTX_new()
        case .rsa, .rsaPSS, .ecdsa:
            guard let key = key.key, let made = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil) else {
                return nil
            }
            if unsafe EVP_PKEY_sign_init(made) == 1, unsafe OpenSSL.configure(made, for: algorithm) {
                return unsafe made
            }
            unsafe EVP_PKEY_CTX_free(made)
            ERR_clear_error()
            return nil
        }
    }

    /// Appends a token with this payload; false, and nothing appended, if OpenSSL fails.
    public func sign(_ payload: Span<UInt8>, into out: OutputBuffer) -> Bool {
        let before = out.count
        out.append(header)
        unsafe payload.withUnsafeBufferPointer { bytes in
            if let start = bytes.baseAddress { unsafe Base64URL.encode(start, bytes.count, into: out) }
        }
        let length = unsafe signature(out.readable + before, out.count - before)
        guard length > 0 else {
            out.truncate(to: before)
            return false
        }
        out.append(byte: 0x2e)
        unsafe Base64URL.encode(scratch, length, into: out)
        return true
    }

    /// A token with this payload (tools, tests).
    public func sign(_ payload: String) -> String? {
        let out = OutputBuffer(capacity: 1024)
        let bytes = Array(payload.utf8)
        guard sign(bytes.span, into: out) else { return nil }
        return unsafe String(decoding: out.bytes, as: UTF8.self)
    }

    /// A signature over any bytes (tools, tests).
    public func signature(_ bytes: [UInt8]) -> [UInt8]? {
        let length = unsafe bytes.withUnsafeBufferPointer { text -> Int in
            guard let start = text.baseAddress else { return 0 }
            return unsafe signature(start, text.count)
        }
        return length > 0 ? unsafe Array(UnsafeBufferPointer(start: scratch, count: length)) : nil
    }

    /// Puts a signature in JOSE's form at the start of `scratch` and returns its length; 0 on failure.
    @unsafe
    private func signature(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int {
        guard let context = unsafe context else { return 0 }
        let algorithm = key.algorithm
        var length = Self.scratchSize / 2
        switch algorithm.family {
        case .hmac:
            guard unsafe EVP_MAC_init(context, nil, 0, nil) == 1,
                unsafe EVP_MAC_update(context, text, count) == 1,
                unsafe EVP_MAC_final(context, scratch, &length, Self.scratchSize) == 1
            else { return failed() }
            return length
        case .edDSA:
            guard let key = key.key,
                unsafe EVP_DigestSignInit_ex(context, nil, nil, nil, nil, key.pointer, nil) == 1,
                unsafe EVP_DigestSign(context, scratch, &length, text, count) == 1
            else { return failed() }
            return length
        case .rsa, .rsaPSS, .ecdsa:
            let digest = unsafe scratch + Self.scratchSize - 64
            let raw = unsafe scratch + Self.scratchSize / 2 - 64
            var digestLength: UInt32 = 0
            guard unsafe EVP_DigestInit_ex2(hashing, OpenSSL.digest(algorithm), nil) == 1,
                unsafe EVP_DigestUpdate(hashing, text, count) == 1,
                unsafe EVP_DigestFinal_ex(hashing, digest, &digestLength) == 1
            else { return failed() }
            if algorithm.family != .ecdsa {
                length = Self.scratchSize - 64
                let done = unsafe EVP_PKEY_sign(context, scratch, &length, digest, Int(digestLength)) == 1
                return done ? length : failed()
            }
            length = 256
            let size = algorithm.coordinateSize
            guard unsafe EVP_PKEY_sign(context, raw, &length, digest, Int(digestLength)) == 1,
                unsafe ECDSASignature.decode(raw, length, size, into: scratch)
            else { return failed() }
            return size &* 2
        }
    }

    private func failed() -> Int {
        ERR_clear_error()
        return 0
    }
}
