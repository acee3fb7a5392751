// HOT. Signature algorithms of JWS, and sets of them; `none` and unknown names do not exist here.

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// There is no `none`.
public enum Algorithm: UInt8, CaseIterable, Sendable {
    case hs256, hs384, hs512
    case rs256, rs384, rs512
    case ps256, ps384, ps512
    case es256, es384, es512
    /// Ed25519; named `EdDSA` in RFC 8037, `Ed25519` in RFC 9864.
    case edDSA

    /// What kind of key it takes.
    public enum Family: UInt8, Sendable { case hmac, rsa, rsaPSS, ecdsa, edDSA }

    /// The kind of key it takes.
    public var family: Family {
        switch self {
        case .hs256, .hs384, .hs512: .hmac
        case .rs256, .rs384, .rs512: .rsa
        case .ps256, .ps384, .ps512: .rsaPSS
        case .es256, .es384, .es512: .ecdsa
        case .edDSA: .edDSA
        }
    }

    /// Whether whoever can verify can also sign.
    public var isSymmetric: Bool { rawValue <= Algorithm.hs512.rawValue }

    /// Its registered name.
    public var name: StaticString {
        switch self {
        case .hs256: "HS256"
        case .hs384: "HS384"
        case .hs512: "HS512"
        case .rs256: "RS256"
        case .rs384: "RS384"
        case .rs512: "RS512"
        case .ps256: "PS256"
        case .ps384: "PS384"
        case .ps512: "PS512"
        case .es256: "ES256"
        case .es384: "ES384"
        case .es512: "ES512"
        case .edDSA: "EdDSA"
        }
    }

    /// The algorithm of exactly this name, letters compared with case (RFC 7515 §4.1.1).
    public init?(_ name: String) {
        let utf8 = Array(name.utf8)
        self.init(utf8.span)
    }

    /// The algorithm of exactly this name.
    public init?(_ name: Span<UInt8>) {
        if name.count == 5, name[0] == 0x45, name[1] == 0x64 {
            guard name[2] == 0x44, name[3] == 0x53, name[4] == 0x41 else { return nil }
            self = .edDSA
            return
        }
        if name.count == 5 {
            let size: UInt8
            switch (name[2], name[3], name[4]) {
            case (0x32, 0x35, 0x36): size = 0
            case (0x33, 0x38, 0x34): size = 1
            case (0x35, 0x31, 0x32): size = 2
            default: return nil
            }
            guard name[1] == 0x53 else { return nil }
            let first: Algorithm
            switch name[0] {
            case 0x48: first = .hs256
            case 0x52: first = .rs256
            case 0x50: first = .ps256
            case 0x45: first = .es256
            default: return nil
            }
            self.init(rawValue: first.rawValue + size)
            return
        }
        // RFC 9864 §2.2: the name that says which curve.
        let ed25519: InlineArray<7, UInt8> = [0x45, 0x64, 0x32, 0x35, 0x35, 0x31, 0x39]
        guard name.count == 7 else { return nil }
        for i in 0..<7 where name[i] != ed25519[i] { return nil }
        self = .edDSA
    }

    /// Bytes of its digest (64 for Ed25519, which hashes on its own).
    var digestSize: Int {
        switch self {
        case .hs256, .rs256, .ps256, .es256: 32
        case .hs384, .rs384, .ps384, .es384: 48
        case .hs512, .rs512, .ps512, .es512, .edDSA: 64
        }
    }

    /// Bytes of one coordinate of an ES signature; 0 for other algorithms.
    var coordinateSize: Int {
        switch self {
        case .es256: 32
        case .es384: 48
        case .es512: 66
        default: 0
        }
    }
}

/// A set of algorithms.
public struct AlgorithmSet: OptionSet, Sendable, Hashable {
    /// One bit per algorithm, by its number.
    public let rawValue: UInt16

    /// The set with these bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The set of one algorithm.
    public init(_ algorithm: Algorithm) { rawValue = 1 << UInt16(algorithm.rawValue) }

    /// The set of some algorithms.
    public init(_ algorithms: [Algorithm]) {
        rawValue = algorithms.reduce(0) { $0 | 1 << UInt16($1.rawValue) }
    }

    /// Whether the algorithm is in the set.
    @inline(__always)
    public func contains(_ algorithm: Algorithm) -> Bool { rawValue >> UInt16(algorithm.rawValue) & 1 != 0 }

    /// The algorithms in the set.
    public var algorithms: [Algorithm] { Algorithm.allCases.filter { contains($0) } }

    /// Every HMAC algorithm.
    public static let hmac = AlgorithmSet([.hs256, .hs384, .hs512])
    /// Every algorithm of an RSA key.
    public static let rsa = AlgorithmSet([.rs256, .rs384, .rs512, .ps256, .ps384, .ps512])
    /// Every PSS algorithm.
    public static let rsaPSS = AlgorithmSet([.ps256, .ps384, .ps512])
    /// Every algorithm with a public key.
    public static let asymmetric = AlgorithmSet(Algorithm.allCases.filter { !$0.isSymmetric })
    /// Every algorithm.
    public static let all = AlgorithmSet(Algorithm.allCases)
}
