// COLD. Versions, application protocols and cipher suites by name.
internal import COpenSSL

/// A version of TLS that is spoken here.
public enum TLSVersion: UInt8, Sendable, Comparable {
    /// TLS 1.2 (RFC 5246), with ECDHE and AEAD only.
    case tls12
    /// TLS 1.3 (RFC 8446).
    case tls13

    /// The name for logs and for the service.
    public var name: StaticString { self == .tls12 ? "TLSv1.2" : "TLSv1.3" }

    /// The order of age.
    public static func < (left: TLSVersion, right: TLSVersion) -> Bool { left.rawValue < right.rawValue }

    var number: Int32 { self == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}

/// What is spoken inside (ALPN, RFC 7301).
public enum ApplicationProtocol: UInt8, Sendable {
    /// Nothing was agreed on.
    case none
    /// HTTP/1.1.
    case http11
    /// HTTP/2.
    case http2

    /// The protocol's name on the wire.
    public var name: StaticString {
        switch self {
        case .none: ""
        case .http11: "http/1.1"
        case .http2: "h2"
        }
    }

    /// The protocol of a name on the wire.
    init(_ bytes: UnsafePointer<UInt8>?, _ count: UInt32) {
        guard let bytes else {
            self = .none
            return
        }
        for other in [Self.http2, .http11] {
            let isSame = other.name.withUTF8Buffer {
                $0.elementsEqual(UnsafeBufferPointer(start: bytes, count: Int(count)))
            }
            if isSame {
                self = other
                return
            }
        }
        self = .none
    }

    /// Names as ALPN sends them: each behind its length; with `oldest`, HTTP/1.0 comes last.
    static func wire(_ protocols: [ApplicationProtocol], oldest: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        for one in protocols where one != .none {
            one.name.withUTF8Buffer {
                bytes.append(UInt8($0.count))
                bytes.append(contentsOf: $0)
            }
        }
        if oldest { bytes += [8] + Array("http/1.0".utf8) }
        return bytes
    }
}

/// What both directions have in common.
enum Suites {
    /// TLS 1.3, in order of preference: AES-128 is the cheapest where the processor helps.
    static let tls13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    /// TLS 1.2: forward secrecy and AEAD only.
    static let tls12 =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    static let groups = "X25519:P-256:P-384"
    /// No SHA-1, no SHA-224, no DSA.
    static let signatures =
        "ecdsa_secp256r1_sha256:ed25519:rsa_pss_rsae_sha256:rsa_pss_pss_sha256:ecdsa_secp384r1_sha384:"
        + "ecdsa_secp521r1_sha512:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
        + "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512"

    /// The registered name of a suite, by its two bytes.
    static func name(_ id: UInt16) -> StaticString {
        switch id {
        case 0x1301: "TLS_AES_128_GCM_SHA256"
        case 0x1302: "TLS_AES_256_GCM_SHA384"
        case 0x1303: "TLS_CHACHA20_POLY1305_SHA256"
        case 0xc02b: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
        case 0xc02c: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
        case 0xc02f: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
        case 0xc030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
        case 0xcca8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
        case 0xcca9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        default: "other"
        }
    }
}
