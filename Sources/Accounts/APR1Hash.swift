// COLD. Apache's own hash of htpasswd, `$apr1$`: MD5 a thousand times. Weak, and read only because files hold it.

/// A hash such as `$apr1$salt$digest`.
struct APR1Hash: Equatable {
    private static let alphabet = Array("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    private static let magic = Array("$apr1$".utf8)

    let salt: [UInt8]
    let digest: [UInt8]

    /// Nil: something else.
    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].isEmpty, parts[1] == "apr1", (1...8).contains(parts[2].utf8.count),
            parts[3].utf8.count == 22, parts[3].utf8.allSatisfy(Self.alphabet.contains)
        else { return nil }
        salt = Array(parts[2].utf8)
        digest = Array(parts[3].utf8)
    }

    /// Nil when OpenSSL has no MD5.
    func matches(_ password: [UInt8]) -> Bool? {
        guard let sum = sum(password) else { return nil }
        return isEqualInConstantTime(Self.text(sum), digest)
    }

    private func sum(_ password: [UInt8]) -> [UInt8]? {
        guard let inner = Digest.md5(password + salt + password) else { return nil }
        var first = password + Self.magic + salt
        for start in stride(from: 0, to: password.count, by: 16) {
            first += inner[..<min(16, password.count - start)]
        }
        // One byte for each bit of the length: of nothing, or of the password.
        var length = password.count
        while length != 0 {
            first.append(length & 1 == 1 ? 0 : password.first ?? 0)
            length >>= 1
        }
        guard var sum = Digest.md5(first) else { return nil }
        for round in 0..<1000 {
            var bytes = round & 1 == 1 ? password : sum
            if round % 3 != 0 { bytes += salt }
            if round % 7 != 0 { bytes += password }
            bytes += round & 1 == 1 ? sum : password
            guard let next = Digest.md5(bytes) else { return nil }
            sum = next
        }
        return sum
    }

    /// 22 characters: groups of three bytes in an order of their own, least significant digit first.
    private static func text(_ sum: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        func put(_ value: Int, _ count: Int) {
            var value = value
            for _ in 0..<count {
                out.append(alphabet[value & 63])
                value >>= 6
            }
        }
        for (a, b, c) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
            put(Int(sum[a]) << 16 | Int(sum[b]) << 8 | Int(sum[c]), 4)
        }
        put(Int(sum[11]), 2)
        return out
    }
}
