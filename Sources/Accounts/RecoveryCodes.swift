// COLD. Codes for when the second factor is lost: shown once, stored as hashes, good for one login each.

/// One-time codes for when the second factor is lost.
public enum RecoveryCodes {
    /// No vowels, and no characters that look alike.
    private static let letters = Array("23456789bcdfghjkmnpqrstvwxz".utf8)

    /// New codes such as `k7wq-93fd-xm2p-8hcn`, to be shown once; nil when there is no entropy.
    ///
    /// 16 characters of an alphabet of 27: 76 bits, so that a plain SHA-256 of them cannot be searched.
    public static func make(_ count: Int = 10) -> [String]? {
        var codes: [String] = []
        while codes.count < count {
            var code: [UInt8] = []
            while code.count < 16 {
                guard let bytes = Digest.random(32) else { return nil }
                // Bytes from 243 on would make some letters likelier than others.
                for byte in bytes where byte < 243 && code.count < 16 { code.append(letters[Int(byte) % 27]) }
            }
            let groups = stride(from: 0, to: 16, by: 4).map { String(decoding: code[$0..<$0 + 4], as: UTF8.self) }
            codes.append(groups.joined(separator: "-"))
        }
        return codes
    }

    /// What is stored: SHA-256 in base64url of the code without blanks and dashes, in lower case.
    public static func hash(_ code: String) -> String {
        let bare = code.lowercased().utf8.prefix(256).filter { !" -\t".utf8.contains($0) }
        return Base64.encode(Digest.sha256(Array(bare)), isURL: true)
    }

    /// The one of `hashes` that is the code's, compared in constant time; nil: none.
    ///
    /// Then take it out with `UserFile.takeRecovery`: only who gets `true` there may go on.
    public static func match(_ code: String, in hashes: [String]) -> String? {
        let sought = Array(hash(code).utf8)
        var found: String?
        for hash in hashes where isEqualInConstantTime(sought, Array(hash.utf8)) { found = hash }
        return found
    }
}
