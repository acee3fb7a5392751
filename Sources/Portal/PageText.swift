// COLD. Text from outside as HTML, and links that may stand in a page; templates never get anything else.

/// Values for templates.
enum PageText {
    /// `text` as HTML: neither an element nor an attribute's value can be left with it.
    ///
    /// Works on scalars: a quote with a combining mark behind it is one `Character`, and must not slip through.
    /// Control characters and those that turn the direction of what follows become U+FFFD.
    static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count + 16)
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x26: result += "&amp;"
            case 0x3c: result += "&lt;"
            case 0x3e: result += "&gt;"
            case 0x22: result += "&quot;"
            case 0x27: result += "&#39;"
            case 0x60: result += "&#96;"
            case 0x09, 0x0a, 0x0d: result += " "
            case 0x00...0x1f, 0x7f...0x9f, 0x202a...0x202e, 0x2066...0x2069, 0xfff9...0xfffb: result += "\u{fffd}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// `target` when it is a path of this site or an http(s) address, nil otherwise (advisory D31).
    static func link(_ target: String) -> String? {
        let bytes = Array(target.utf8)
        guard let first = bytes.first, bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x5c }) else { return nil }
        if first == UInt8(ascii: "/") { return bytes.dropFirst().first == first ? nil : target }
        let start = target.prefix(8).lowercased()
        return start == "https://" || start.hasPrefix("http://") ? target : nil
    }

    /// `text` as the value of a query parameter: all but unreserved characters encoded (RFC 3986 §2.3).
    static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    /// `target` with the query parameter `lang`.
    static func link(_ target: String, language: String?) -> String {
        guard let language, target.first == "/" else { return target }
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let fragment = parts.count > 1 ? "#\(parts[1])" : ""
        return "\(parts[0])\(parts[0].contains("?") ? "&" : "?")lang=\(language)\(fragment)"
    }
}
