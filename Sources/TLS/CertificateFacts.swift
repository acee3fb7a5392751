// COLD. What operators want to know of a server certificate: names, key, dates.

/// What a server certificate's key is.
public enum CertificateKeyType: Sendable, Equatable, Hashable {
    /// RSA with this many bits.
    case rsa(bits: Int)
    /// ECDSA on a curve with this many bits.
    case ecdsa(bits: Int)
    /// Ed25519.
    case ed25519

    /// The name for people: `RSA 2048`.
    public var text: String {
        switch self {
        case .rsa(let bits): "RSA \(bits)"
        case .ecdsa(let bits): "ECDSA P-\(bits)"
        case .ed25519: "Ed25519"
        }
    }
}

/// Facts about one server certificate, for metrics, readiness and `check`.
public struct CertificateFacts: Sendable, Equatable {
    /// How long before its end a certificate is worth a warning: 14 days, in seconds.
    public static let warningSeconds: Int64 = 14 * 86_400

    /// Where it came from, as the plan says.
    public var label: String
    /// The host names it is for, in lower case.
    public var names: [String]
    /// The subject's distinguished name (RFC 4514).
    public var subject: String
    /// The issuer's distinguished name (RFC 4514).
    public var issuer: String
    /// The serial number in hexadecimal.
    public var serial: String
    /// The key.
    public var keyType: CertificateKeyType
    /// First second of its validity, since 1970.
    public var notBefore: Int64
    /// Last second of its validity, since 1970.
    public var notAfter: Int64
    /// Since when its OCSP response may be served, in seconds since 1970; nil when there is none.
    public var stapledFrom: Int64?
    /// How long its OCSP response may be served, in seconds since 1970; nil when there is none.
    public var stapledUntil: Int64?

    /// Whether its time is over.
    public func isExpired(at now: Int64) -> Bool { now > notAfter }
    /// Whether its time has not come.
    public func isEarly(at now: Int64) -> Bool { now < notBefore }
    /// Seconds that are left; negative when it has expired.
    public func secondsLeft(at now: Int64) -> Int64 { notAfter - now }
    /// Whether it expires within ``warningSeconds``, or has expired.
    public func isExpiringSoon(at now: Int64) -> Bool { secondsLeft(at: now) < Self.warningSeconds }

    /// What is worth a look about dates of validity.
    static func finding(from: Int64, until: Int64, at now: Int64, refusedBy: String) -> String? {
        let days = (until - now) / 86_400
        let span = abs(days) == 0 ? "less than a day" : abs(days) == 1 ? "1 day" : "\(abs(days)) days"
        if now > until { return "has expired \(span) ago; \(refusedBy)" }
        if until - now < warningSeconds { return "expires in \(span)" }
        return now < from ? "is not valid yet; \(refusedBy)" : nil
    }

    /// What is worth a look, each as the end of a sentence that begins with the label.
    func findings(at now: Int64) -> [String] {
        var findings: [String] = []
        if let text = Self.finding(from: notBefore, until: notAfter, at: now, refusedBy: "clients refuse it") {
            findings.append(text)
        }
        if names.isEmpty { findings.append("is for no host name at all; clients refuse it") }
        if let stapledUntil, stapledUntil <= now {
            findings.append("has an OCSP response whose time is over; it is not sent")
        }
        if let stapledFrom, stapledFrom > now {
            findings.append("has an OCSP response whose time has not come; it is not sent until then")
        }
        return findings
    }
}
