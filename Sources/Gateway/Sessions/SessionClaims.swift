// COLD. What rules and services learn of a login session: the claims of a token that it would be.
import Bytes
import Sessions

/// Claims of a session.
enum SessionClaims {
    /// A JSON object with `iss`, `iat`, `exp`, `auth_time`, `amr`, `acr` and `sid`, and what the account says of itself:
    /// `sub` among it, and none of these names.
    static func json(_ record: SessionRecord) -> [UInt8] {
        var json = Array("{\"iss\":".utf8)
        append(record.issuer, to: &json)
        json += Array(",\"sid\":".utf8)
        append(record.key.text, to: &json)
        json += Array(",\"iat\":\(record.created),\"exp\":\(record.expires),\"auth_time\":\(record.authenticated)".utf8)
        json += Array(",\"acr\":\"\(record.strength)\",\"amr\":[".utf8)
        let methods = record.method.split(whereSeparator: { $0 == "+" || $0 == ":" })
        for (index, method) in methods.enumerated() {
            if index > 0 { json.append(0x2c) }
            append(String(method), to: &json)
        }
        json.append(0x5d)
        // The account's own members follow, without their braces.
        let own = record.claims
        if let first = own.firstIndex(of: 0x7b), let last = own.lastIndex(of: 0x7d), first < last {
            let inner = own[(first + 1)..<last]
            if inner.contains(where: { $0 > 0x20 }) {
                json.append(0x2c)
                json += inner
            }
        }
        json.append(0x7d)
        return json
    }

    static func append(_ text: String, to json: inout [UInt8]) {
        json.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5c: json += [0x5c, byte]
            case 0..<0x20: json += Array("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            default: json.append(byte)
            }
        }
        json.append(0x22)
    }
}
