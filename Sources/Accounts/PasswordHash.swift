// COLD. Encoded password hashes of every supported kind: made, verified, judged.
public import Settings

/// What a password and a hash have to do with each other.
public enum PasswordVerdict: Sendable, Equatable {
    /// It is the password.
    case matches
    /// It is not, or it is one that the kind of hash cannot hold (bcrypt: more than 72 bytes).
    case differs
    /// The hash is of a kind that is not supported, or too costly.
    case unsupported
}

/// Why a password was not hashed.
public enum HashingError: Error, Sendable, Equatable {
    /// As many wait as may: 503.
    case busy
    /// The pool was closed, or there is no memory: 503.
    case failed
    /// A password of no, or of more than 1024 bytes.
    case length
}

/// A hash, read.
enum HashForm: Equatable {
    case argon2(Argon2Hash)
    case crypt(CryptHash)
    case apr1(APR1Hash)

    /// Nil: not supported.
    init?(_ encoded: String) {
        if let hash = Argon2Hash(encoded) {
            self = .argon2(hash)
        } else if let hash = CryptHash(encoded) {
            self = .crypt(hash)
        } else if let hash = APR1Hash(encoded) {
            self = .apr1(hash)
        } else {
            return nil
        }
    }

    /// Hashes of one class take the same time.
    var costClass: String {
        switch self {
        case .argon2(let hash): "argon2id,\(hash.cost)"
        case .crypt(let hash): hash.costClass
        case .apr1: "apr1"
        }
    }

    /// Nil: the library could not.
    func matches(_ password: [UInt8]) -> Bool? {
        switch self {
        case .argon2(let hash): hash.matches(password)
        case .crypt(let hash): hash.matches(password)
        case .apr1(let hash): hash.matches(password)
        }
    }
}

/// Password hashes.
///
/// All of these but `needsRehash` are slow: `HashingPool` has threads for them.
public enum PasswordHash {
    /// Longest password, in bytes.
    public static let maximumBytes = 1024

    /// A new Argon2id hash as PHC text.
    public static func make(_ password: [UInt8], _ cost: Argon2Settings) throws(HashingError) -> String {
        guard (1...maximumBytes).contains(password.count) else { throw .length }
        guard let hash = Argon2Hash(password, cost) else { throw .failed }
        return hash.text
    }

    /// Compares in constant time.
    ///
    /// `failed` when there is no memory, which says nothing of the password.
    public static func verify(_ password: [UInt8], _ encoded: String) throws(HashingError) -> PasswordVerdict {
        guard (1...maximumBytes).contains(password.count) else { throw .length }
        guard let form = HashForm(encoded) else { return .unsupported }
        guard let isEqual = form.matches(password) else { throw .failed }
        return isEqual ? .matches : .differs
    }

    /// Whether a hash should be made anew of its password: it is not Argon2id, or of another cost.
    public static func needsRehash(_ encoded: String, _ cost: Argon2Settings) -> Bool {
        guard let hash = Argon2Hash(encoded) else { return true }
        return hash.memory != cost.memory.bytes >> 10 || hash.iterations != cost.iterations
            || hash.parallelism != cost.parallelism || hash.digest.count != 32 || hash.salt.count < 16
    }

    /// Whether a hash is of a kind that can be verified.
    public static func isSupported(_ encoded: String) -> Bool { HashForm(encoded) != nil }
}

/// Hashes that are computed beside a login's own, so that every login of a directory does the same work: one for each
/// class of cost that its accounts have, whoever logs in and whether or not there is such an account.
public struct Decoys: Sendable {
    /// Classes that are evened out; a directory with more is warned of when it is loaded.
    static let maximum = 4
    /// By class, the most common first.
    ///
    /// Their verdicts are thrown away.
    private let forms: [(costClass: String, form: HashForm)]
    /// Whether there are more classes than are evened out.
    let isIncomplete: Bool

    /// Of the hashes of a directory; of Argon2id with default cost when there are none.
    init(_ hashes: some Sequence<String>) {
        var counts: [String: (form: HashForm, count: Int)] = [:]
        for hash in hashes {
            guard let form = HashForm(hash) else { continue }
            counts[form.costClass, default: (form, 0)].count += 1
        }
        isIncomplete = counts.count > Self.maximum
        let common = counts.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.prefix(Self.maximum)
        let forms = common.map { (costClass: $0.key, form: $0.value.form) }
        self.forms = forms.isEmpty ? Self.standard : forms
    }

    /// `m=19456,t=2,p=1`, the defaults of `Argon2Settings`.
    private static let standard: [(costClass: String, form: HashForm)] = {
        let text = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        return HashForm(text).map { [($0.costClass, $0)] } ?? []
    }()

    /// The verdict of `encoded` (nil: no account, or none with a password), and the work of all classes.
    func verify(_ password: [UInt8], _ encoded: String?) throws(HashingError) -> PasswordVerdict {
        let own = encoded.flatMap { HashForm($0) }
        var isEqual: Bool? = false
        if let own { isEqual = own.matches(password) }
        for decoy in forms where decoy.costClass != own?.costClass { _ = decoy.form.matches(password) }
        guard let isEqual else { throw .failed }
        if encoded != nil, own == nil { return .unsupported }
        return isEqual ? .matches : .differs
    }
}
