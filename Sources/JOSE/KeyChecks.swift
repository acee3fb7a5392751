// COLD. What a public key must satisfy before anything is verified with it.
internal import COpenSSL

/// Checks of keys, the same whatever they were read from.
enum KeyChecks {
    static let leastRSA = 2048
    /// Beyond this, one forged token costs too much time.
    static let mostRSA = 8192

    /// The kind of a key that is strong enough, or the reason why it is not taken.
    static func kind(of key: EVPKey) throws(KeyError) -> KeyKind {
        if key.isKind("RSA") || key.isKind("RSA-PSS") {
            guard let n = key.number("n"), let e = key.number("e") else { throw .badMember("n") }
            try rsa(modulus: n, exponent: e)
            return key.isKind("RSA") ? .rsa : .rsaPSS
        }
        if key.isKind("ED25519") {
            guard let x = key.octets("pub") else { throw .badMember("x") }
            try ed25519(x)
            return .ed25519
        }
        guard key.isKind("EC") else { throw .unsupportedKeyType }
        let kind: KeyKind
        switch key.groupName {
        case "prime256v1", "P-256": kind = .p256
        case "secp384r1", "P-384": kind = .p384
        case "secp521r1", "P-521": kind = .p521
        default: throw .unsupportedCurve
        }
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil) else { throw .cryptoFailure }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_public_check(context) == 1 else {
            ERR_clear_error()
            throw .badPoint
        }
        return kind
    }

    /// RFC 7518 §3.3: 2048 bits or more; and an exponent that does something.
    static func rsa(modulus: [UInt8], exponent: [UInt8]) throws(KeyError) {
        let n = modulus.drop { $0 == 0 }
        let e = exponent.drop { $0 == 0 }
        guard let first = n.first else { throw .badMember("n") }
        let bits = n.count * 8 - first.leadingZeroBitCount
        guard bits >= leastRSA else { throw .weakRSA(bits: bits) }
        guard bits <= mostRSA else { throw .oversizedRSA(bits: bits) }
        guard let lastN = n.last, lastN & 1 == 1 else { throw .badMember("n") }
        guard let last = e.last, last & 1 == 1, e.count <= 8, e.count > 1 || last >= 3 else { throw .weakExponent }
        if hasROCA(n) { throw .vulnerableRSA }
    }

    /// Whether the modulus is a power of 65537 modulo every small prime of the fingerprint (CVE-2017-15361).
    ///
    /// A sound modulus passes by chance once in about 2^27.
    private static func hasROCA(_ modulus: ArraySlice<UInt8>) -> Bool {
        let primes: [UInt32] = [
            11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
        ]
        for prime in primes {
            let rest = modulus.reduce(UInt32(0)) { ($0 << 8 | UInt32($1)) % prime }
            var power: UInt32 = 1
            var found = false
            repeat {
                if power == rest { found = true }
                power = power * (65537 % prime) % prime
            } while power != 1
            if !found { return false }
        }
        return true
    }

    /// Points of small order, by their y coordinate with the sign bit cleared: any signature can be made to fit them.
    private static let smallOrder: [[UInt8]] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ].map { text in
        let digits = Array(text.utf8).map { $0 < 0x3a ? $0 - 0x30 : $0 - 0x57 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    private static func ed25519(_ x: [UInt8]) throws(KeyError) {
        guard x.count == 32 else { throw .badMember("x") }
        var point = x
        point[31] &= 0x7f
        guard !smallOrder.contains(point) else { throw .badPoint }
    }
}
