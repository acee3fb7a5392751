// COLD. The keys of one issuer: either public keys or secrets, never both.

/// An immutable set of keys, shared by all threads.
public final class KeySet: Sendable {
    /// Most keys a set may have.
    public static let maximumCount = 100
    /// Most bytes a JWK set may have.
    public static let maximumBytes = 262_144

    /// The keys.
    public let keys: [Key]
    /// Why members of a JWK set were left out, by place in the set.
    public let skipped: [Skipped]
    /// Every algorithm that some key serves.
    public let algorithms: AlgorithmSet

    /// A key that was left out.
    public struct Skipped: Equatable, Sendable {
        /// Its place in the set.
        public let index: Int
        /// Its `kid`.
        public let id: String?
        /// Why.
        public let error: KeyError
    }

    /// Whether there is no key: every token is refused then.
    public var isEmpty: Bool { keys.isEmpty }

    /// A set of these keys.
    ///
    /// Refused: secrets beside public keys (whoever fetches the latter could mistake one for the other), and two
    /// different keys with the same `kid` and algorithm.
    public init(_ keys: [Key], skipped: [Skipped] = []) throws(KeyError) {
        guard keys.count <= Self.maximumCount else { throw .tooManyKeys }
        let secrets = keys.count { $0.kind == .secret }
        guard secrets == 0 || secrets == keys.count else { throw .mixedKinds }
        for (i, key) in keys.enumerated() {
            guard let id = key.id else { continue }
            for other in keys[(i + 1)...] where other.id == id && !other.algorithms.isDisjoint(with: key.algorithms) {
                throw .duplicateID(String(decoding: id, as: UTF8.self))
            }
        }
        self.keys = keys
        self.skipped = skipped
        algorithms = keys.reduce(AlgorithmSet()) { $0.union($1.algorithms) }
    }

    /// The keys of a JWK set, or of one JWK.
    ///
    /// Keys that cannot be used (other types and uses, too weak, malformed) are left out and listed in `skipped`, as
    /// RFC 7517 §5 wants it: one odd key of an issuer must not disable the others.
    public static func jwks(_ text: [UInt8], algorithm: Algorithm? = nil) throws(KeyError) -> KeySet {
        let (keys, skipped) = try read(text, algorithm: algorithm)
        return try KeySet(keys, skipped: skipped)
    }

    /// The keys of a JWK set of our own that may hold secrets beside public keys, in two sets; each may be empty.
    public static func separatedJWKS(
        _ text: [UInt8],
        algorithm: Algorithm? = nil
    ) throws(KeyError) -> (publicKeys: KeySet, secrets: KeySet) {
        let (keys, skipped) = try read(text, algorithm: algorithm)
        return (
            try KeySet(keys.filter { $0.kind != .secret }, skipped: skipped),
            try KeySet(keys.filter { $0.kind == .secret })
        )
    }

    private static func read(
        _ text: [UInt8],
        algorithm: Algorithm?
    ) throws(KeyError) -> (keys: [Key], skipped: [Skipped]) {
        guard text.count <= maximumBytes else { throw .badJSON }
        let document = JSONDocument(capacity: text.count, nodes: 256)
        do throws(JSONError) {
            try document.parse(text.span, limits: JSONLimits(depth: 8, nodes: 8192))
        } catch {
            throw .badJSON
        }
        guard document.kind(0) == .object else { throw .badJSON }
        let list = document.member(0, "keys")
        guard list >= 0 else { return ([try Key.key(JWK(document: document, object: 0), algorithm: algorithm)], []) }
        guard document.kind(list) == .array else { throw .badJSON }
        guard document.childCount(list) <= maximumCount else { throw .tooManyKeys }
        var keys: [Key] = []
        var skipped: [Skipped] = []
        var child = list + 1
        var place = 0
        while child < document.next(list) {
            let jwk = JWK(document: document, object: child)
            do throws(KeyError) {
                guard document.kind(child) == .object else { throw .badJSON }
                keys.append(try Key.key(jwk, algorithm: algorithm))
            } catch {
                let id = document.member(child, "kid")
                let text = id >= 0 && document.kind(id) == .string ? document.string(id) : nil
                skipped.append(Skipped(index: place, id: text, error: error))
            }
            place += 1
            child = document.next(child)
        }
        // A malformed key with another's name: which of the two the issuer means is not known.
        for odd in skipped where odd.error.isMalformed {
            if let id = odd.id, keys.contains(where: { $0.idText == id }) { throw .duplicateID(id) }
        }
        return (keys, skipped)
    }

    /// The public keys as a JWK set; secrets are left out.
    public var jwks: String { #"{"keys":["# + keys.compactMap(\.jwk).joined(separator: ",") + "]}" }
}
