// COLD. Reading JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

/// One JWK in a parsed document.
struct JWK {
    let document: JSONDocument
    let object: Int

    /// A JWK text.
    init(_ text: [UInt8]) throws(KeyError) {
        let document = JSONDocument(capacity: text.count)
        do throws(JSONError) {
            try document.parse(text.span, limits: JSONLimits(depth: 8, nodes: 512))
        } catch {
            throw .badJSON
        }
        guard document.kind(0) == .object else { throw .badJSON }
        self.init(document: document, object: 0)
    }

    init(document: JSONDocument, object: Int) {
        self.document = document
        self.object = object
    }

    /// A string member; nil if absent.
    func text(_ name: StaticString) throws(KeyError) -> String? {
        let index = document.member(object, name)
        if index < 0 { return nil }
        guard document.kind(index) == .string else { throw .badMember("\(name)") }
        return document.string(index)
    }

    /// A base64url member, of `size` bytes if that is given.
    func octets(_ name: StaticString, size: Int? = nil) throws(KeyError) -> [UInt8] {
        let index = document.member(object, name)
        guard index >= 0 else { throw .missingMember("\(name)") }
        guard let text = document.stringBytes(index), let bytes = Base64URL.decode(text),
            size == nil || bytes.count == size
        else { throw .badMember("\(name)") }
        return bytes
    }

    /// `kid` as bytes.
    var id: [UInt8]? {
        get throws(KeyError) { try text("kid").map { Array($0.utf8) } }
    }

    /// Refuses a key whose `use` or `key_ops` does not name the operation (RFC 7517 §4.2, §4.3).
    func requireUse(operations: [String]) throws(KeyError) {
        if let use = try text("use"), use != "sig" { throw .notForSignatures }
        let list = document.member(object, "key_ops")
        guard list >= 0 else { return }
        guard document.kind(list) == .array else { throw .badMember("key_ops") }
        var child = list + 1
        while child < document.next(list) {
            guard document.kind(child) == .string else { throw .badMember("key_ops") }
            if operations.contains(document.string(child)) { return }
            child = document.next(child)
        }
        throw .notForSignatures
    }

    /// The algorithms: the JWK's own `alg`, else the given one, else all of the kind; they must agree.
    func algorithms(kind: KeyKind, given: Algorithm?) throws(KeyError) -> AlgorithmSet {
        var set = kind.algorithms
        if let name = try text("alg") {
            guard let algorithm = Algorithm(name) else { throw .unsupportedAlgorithm }
            set = AlgorithmSet(algorithm)
        }
        if let given {
            guard set.contains(given) else { throw .algorithmMismatch }
            set = AlgorithmSet(given)
        }
        guard set.isSubset(of: kind.algorithms) else { throw .algorithmMismatch }
        return set
    }

    /// The OpenSSL key; private if `withPrivate`.
    func key(withPrivate: Bool = false) throws(KeyError) -> EVPKey {
        switch try text("kty") {
        case nil: throw .missingMember("kty")
        case "RSA":
            let (n, e) = (try octets("n"), try octets("e"))
            try KeyChecks.rsa(modulus: n, exponent: e)
            var numbers: [[UInt8]] = []
            if withPrivate {
                for name in ["d", "p", "q", "dp", "dq", "qi"] as [StaticString] { numbers.append(try octets(name)) }
            }
            guard let key = KeyBuilder.rsa(n: n, e: e, private: numbers) else { throw .badMember("n") }
            return key
        case "EC":
            let (group, size) = try curve()
            let (x, y) = (try octets("x", size: size), try octets("y", size: size))
            let d = withPrivate ? try octets("d", size: size) : nil
            guard let key = KeyBuilder.ec(group: group, x: x, y: y, d: d) else { throw .badPoint }
            return key
        case "OKP":
            guard try text("crv") == "Ed25519" else { throw .unsupportedCurve }
            let x = try octets("x", size: 32)
            if withPrivate {
                let d = try octets("d", size: 32)
                guard let key = KeyBuilder.ed25519Private(d), key.octets("pub") == x else { throw .badMember("x") }
                return key
            }
            guard let key = KeyBuilder.ed25519(x) else { throw .badPoint }
            return key
        default: throw .unsupportedKeyType
        }
    }

    private func curve() throws(KeyError) -> (String, Int) {
        switch try text("crv") {
        case "P-256": ("P-256", 32)
        case "P-384": ("P-384", 48)
        case "P-521": ("P-521", 66)
        default: throw .unsupportedCurve
        }
    }
}

extension Key {
    /// The key of a JWK.
    ///
    /// Private members are not even looked at. A symmetric key (`oct`) is taken as a secret. `algorithm` narrows it; it must agree with the JWK's `alg`.
    public static func jwk(_ text: [UInt8], algorithm: Algorithm? = nil) throws(KeyError) -> Key {
        try key(JWK(text), algorithm: algorithm)
    }

    static func key(_ jwk: JWK, algorithm given: Algorithm?) throws(KeyError) -> Key {
        let id = try jwk.id
        try jwk.requireUse(operations: ["verify"])
        if try jwk.text("kty") == "oct" {
            let set = try jwk.algorithms(kind: .secret, given: given)
            let list = set.algorithms
            return try secret(
                try jwk.octets("k"),
                algorithm: list.count == 1 ? list[0] : nil,
                id: id.map { String(decoding: $0, as: UTF8.self) }
            )
        }
        let key = try jwk.key()
        let kind = try KeyChecks.kind(of: key)
        return Key(key: key, kind: kind, algorithms: try jwk.algorithms(kind: kind, given: given), id: id)
    }
}
