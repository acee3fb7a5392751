// COLD. Argon2id (RFC 9106) by libargon2, and its PHC text.
import CArgon2
import Settings

/// An Argon2id hash in its parts: `$argon2id$v=19$m=19456,t=2,p=1$salt$digest`.
struct Argon2Hash: Equatable {
    /// KiB.
    var memory: Int
    var iterations: Int
    var parallelism: Int
    var salt: [UInt8]
    var digest: [UInt8]

    /// What is hashed at all: a hash of more is taken for a mistake, not for an hour of work.
    private static let memories = 8...1_048_576
    private static let iterationCounts = 1...64
    private static let lanes = 1...16
    private static let version: UInt32 = 0x13

    /// A hash of `password`, with a new salt of 16 bytes and a digest of 32; nil: no memory, no entropy.
    init?(_ password: [UInt8], _ cost: Argon2Settings) {
        guard let salt = Digest.random(16) else { return nil }
        memory = cost.memory.bytes >> 10
        iterations = cost.iterations
        parallelism = cost.parallelism
        self.salt = salt
        digest = []
        guard let digest = compute(password, count: 32) else { return nil }
        self.digest = digest
    }

    /// The parts of PHC text; nil: something else, of another version, or beyond the limits.
    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0].isEmpty, parts[1] == "argon2id", parts[2] == "v=19" else { return nil }
        let costs = parts[3].split(separator: ",", omittingEmptySubsequences: false)
        guard costs.count == 3, let memory = Self.number(costs[0], "m="), let iterations = Self.number(costs[1], "t="),
            let parallelism = Self.number(costs[2], "p="), Self.memories.contains(memory),
            Self.iterationCounts.contains(iterations), Self.lanes.contains(parallelism), memory >= 8 * parallelism,
            let salt = Base64.decode(parts[4]), (8...64).contains(salt.count),
            let digest = Base64.decode(parts[5]), (16...64).contains(digest.count)
        else { return nil }
        self.memory = memory
        self.iterations = iterations
        self.parallelism = parallelism
        self.salt = salt
        self.digest = digest
    }

    /// The PHC text.
    var text: String {
        "$argon2id$v=19$\(cost)$\(Base64.encode(salt, isURL: false))$\(Base64.encode(digest, isURL: false))"
    }

    /// `m=19456,t=2,p=1`.
    var cost: String { "m=\(memory),t=\(iterations),p=\(parallelism)" }

    /// Nil when there is no memory for it.
    func matches(_ password: [UInt8]) -> Bool? {
        compute(password, count: digest.count).map { isEqualInConstantTime($0, digest) }
    }

    /// By one thread, however many lanes: the pool bounds what hashing may take.
    private func compute(_ password: [UInt8], count: Int) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: count)
        // The library takes them as writable, and does not write without its flags for clearing.
        var password = password
        var salt = salt
        let result = out.withUnsafeMutableBufferPointer { out in
            password.withUnsafeMutableBufferPointer { password in
                salt.withUnsafeMutableBufferPointer { salt in
                    var context = argon2_context()
                    context.out = out.baseAddress
                    context.outlen = UInt32(out.count)
                    context.pwd = password.baseAddress
                    context.pwdlen = UInt32(password.count)
                    context.salt = salt.baseAddress
                    context.saltlen = UInt32(salt.count)
                    context.t_cost = UInt32(iterations)
                    context.m_cost = UInt32(memory)
                    context.lanes = UInt32(parallelism)
                    context.threads = 1
                    context.version = Self.version
                    return argon2id_ctx(&context)
                }
            }
        }
        return result == ARGON2_OK.rawValue ? out : nil
    }

    private static func number(_ text: Substring, _ name: String) -> Int? {
        guard text.hasPrefix(name), text.utf8.count <= 12 else { return nil }
        let digits = text.dropFirst(name.count)
        guard let first = digits.utf8.first, (0x31...0x39).contains(first) else { return nil }
        return Int(digits)
    }
}
