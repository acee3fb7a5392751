// COLD. Where a login may lead back to: nowhere that an attacker chose (advisory D31).

/// A checked place to return to.
public enum ReturnTarget: Sendable, Equatable {
    /// A path of the same host, with its query.
    case local(String)
    /// A path of a configured site: its origin and the path there.
    case site(origin: String, path: String)

    /// `text` when it is a path that every browser takes for one of the same host, else nil.
    ///
    /// It begins with one `/`, is at most 8 KiB of visible US-ASCII without `\`, of which a form and a query can be made
    /// (``PortalPlan/codedTarget``), and has no dot segments; its path, decoded once, has neither control characters nor
    /// backslashes and still begins with one `/`. The portal's own paths are none, but for the list of sessions: they
    /// would lead back to the login.
    public static func local(_ text: String, plan: PortalPlan) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.count <= PortalLimits.target, bytes.first == UInt8(ascii: "/"),
            bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }),
            PercentCoding.count(bytes) <= plan.codedTarget
        else { return nil }
        let end = bytes.firstIndex { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") } ?? bytes.count
        guard let path = PercentCoding.decode(bytes[..<end]) else { return nil }
        guard path.count == 1 || path[1] != UInt8(ascii: "/"),
            !path.contains(where: { $0 < 0x20 || $0 == 0x7f || $0 == UInt8(ascii: "\\") })
        else { return nil }
        // WHATWG: a parser that removes `.` and `..` could bring two slashes to the front.
        let segments = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard !segments.contains(where: { $0.elementsEqual([0x2e]) || $0.elementsEqual([0x2e, 0x2e]) }) else {
            return nil
        }
        let merged =
            "/" + segments.filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
        let (folded, prefix) = (merged.lowercased(), plan.prefix.lowercased())
        if folded == prefix || folded.hasPrefix(prefix + "/"), merged != plan.path("sessions") { return nil }
        return text
    }

    /// `text` when it is a local path, or an absolute URL of the request's own `origin` or that of one of `sites`.
    ///
    /// Origins are compared byte for byte, so that user names, other ports and look-alikes are none.
    public static func check(_ text: String, origin: String, sites: [String], plan: PortalPlan) -> ReturnTarget? {
        if let path = local(text, plan: plan) { return .local(path) }
        for known in [origin] + sites where text.hasPrefix(known) {
            let rest = String(text.dropFirst(known.count))
            guard let path = local(rest.isEmpty ? "/" : rest, plan: plan) else { continue }
            if known == origin { return .local(path) }
            return .site(origin: known, path: path.utf8.count <= PortalLimits.handedTarget ? path : "/")
        }
        return nil
    }

    /// As text for a form or a query.
    public var text: String {
        switch self {
        case .local(let path): path
        case .site(let origin, let path): origin + path
        }
    }
}

/// Percent-coding (RFC 3986 §2.1), strict.
enum PercentCoding {
    /// The bytes; nil when a `%` has no two hexadecimal digits behind it.
    static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%") {
                guard bytes.endIndex - index > 2, let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
                else { return nil }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                index += 1
            }
        }
        return decoded
    }

    /// Bytes of the coded text.
    static func count(_ text: [UInt8]) -> Int {
        text.reduce(0) { $0 + (isPlain($1) ? 1 : 3) }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e, 0x2f: true
        default: false
        }
    }

    /// All but unreserved characters and `/` coded: fit for the value of a query field.
    static func encode(_ text: String) -> String {
        var coded = ""
        for byte in text.utf8 {
            if isPlain(byte) {
                coded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = Array("0123456789ABCDEF")
                coded += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return coded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
