// COLD. The hashes of crypt(5) that are strong enough, by libcrypt: bcrypt, SHA-crypt and yescrypt.
import CCrypt

/// A hash of crypt(5) with bounded cost.
struct CryptHash: Equatable {
    /// The whole text; what libcrypt takes as setting.
    let text: String
    /// Kind and cost: hashes of the same class take the same time.
    let costClass: String
    /// Bytes of a password that count; more are refused, never cut off.
    let mostBytes: Int

    /// Nil: another kind, malformed, or so costly that one login would hold up all others.
    init?(_ text: String) {
        self.text = text
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].isEmpty, text.utf8.count < 256,
            parts.dropFirst(2).allSatisfy({ $0.utf8.allSatisfy { Self.isCryptText($0) } })
        else { return nil }
        switch parts[1] {
        case "2a", "2b", "2y":
            guard parts.count == 4, parts[2].utf8.count == 2, let cost = Int(parts[2]), (4...15).contains(cost),
                parts[3].utf8.count == 53
            else { return nil }
            costClass = "bcrypt,\(cost)"
            mostBytes = 72
        case "5", "6":
            let hasRounds = parts[2].hasPrefix("rounds=")
            guard parts.count == (hasRounds ? 5 : 4), parts[parts.count - 2].utf8.count <= 16,
                parts[parts.count - 1].utf8.count == (parts[1] == "5" ? 43 : 86),
                let rounds = hasRounds ? Int(parts[2].dropFirst(7)) : 5000, (1000...2_000_000).contains(rounds)
            else { return nil }
            costClass = "sha\(parts[1]),\(rounds)"
            mostBytes = 511
        case "y":
            // "jNr": N = 2^(value + 1), r = value + 1; memory is 128 * N * r bytes.
            let cost = parts[2].utf8.compactMap(Self.value)
            guard parts.count == 5, cost.count == 3, parts[2].hasPrefix("j"), (7...15).contains(cost[1]),
                (0...31).contains(cost[2]), parts[4].utf8.count == 43
            else { return nil }
            costClass = "yescrypt,\(parts[2])"
            mostBytes = 511
        default: return nil
        }
    }

    /// Nil when libcrypt refuses.
    func matches(_ password: [UInt8]) -> Bool? {
        // What does not fit is hashed as far as it does, so that the answer takes its time, and never matches.
        let fits = password.count <= mostBytes && !password.contains(0)
        var phrase = password.prefix(mostBytes).map { CChar(bitPattern: $0 == 0 ? 1 : $0) }
        phrase.append(0)
        let size = MemoryLayout<crypt_data>.size
        let work = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        work.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        defer {
            // The work area holds the password.
            work.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            work.deallocate()
        }
        guard let hashed = crypt_rn(phrase, text, work, CInt(size)) else { return nil }
        return isEqualInConstantTime(Array(String(cString: hashed).utf8), Array(text.utf8)) && fits
    }

    private static func isCryptText(_ byte: UInt8) -> Bool { value(byte) != nil || byte == UInt8(ascii: "=") }

    /// The digit that a character is in crypt's base 64.
    private static func value(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x2e...0x39: Int(byte) - 0x2e
        case 0x41...0x5a: Int(byte) - 0x41 + 12
        case 0x61...0x7a: Int(byte) - 0x61 + 38
        default: nil
        }
    }
}
