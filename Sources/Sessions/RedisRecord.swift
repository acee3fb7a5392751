// COLD. A session as the bytes that Redis keeps: times in front, where scripts read and move them, the rest behind.
//
//     "1" lastSeen idle expires created   16 decimal digits each
//     length of the fixed part            6 decimal digits
//     fixed part                          numbers of 8 bytes, texts after their length in 4, all big-endian
//     accountVersion claims               8 bytes, and all that is left: what a refresh replaces

enum RedisRecord {
    /// Bytes in front of the fixed part.
    static let head = 71
    /// Numbers that Lua holds exactly.
    private static let largest: Int64 = 9_007_199_254_740_991
    private static let version = UInt8(ascii: "1")
    private static let longestFixed = 999_999

    /// The bytes of a record; nil when a text is longer than any can be.
    static func encode(_ record: SessionRecord) -> [UInt8]? {
        var fixed: [UInt8] = []
        append(UInt64(bitPattern: Int64(record.strength)), to: &fixed)
        append(UInt64(bitPattern: record.authenticated), to: &fixed)
        for text in [
            record.family, record.account, record.issuer, record.method, record.address, record.device, record.site,
            record.csrf,
        ] {
            let bytes = Array(text.utf8)
            guard bytes.count < longestFixed else { return nil }
            for shift in [24, 16, 8, 0] { fixed.append(UInt8(truncatingIfNeeded: bytes.count >> shift)) }
            fixed += bytes
        }
        guard fixed.count <= longestFixed else { return nil }
        var bytes = [version]
        for time in [record.lastSeen, record.idle, record.expires, record.created] {
            bytes += digits(min(max(time, 0), largest), 16)
        }
        return bytes + digits(Int64(fixed.count), 6) + fixed + tail(record.claims, record.accountVersion)
    }

    /// What a refresh replaces.
    static func tail(_ claims: [UInt8], _ accountVersion: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        append(accountVersion, to: &bytes)
        return bytes + claims
    }

    /// The record of `key`; nil when the bytes are none.
    static func decode(_ bytes: [UInt8], key: SessionKey) -> SessionRecord? {
        guard bytes.count >= head, bytes[0] == version else { return nil }
        var place = 1
        func number(_ count: Int) -> Int64? {
            defer { place += count }
            var value: Int64 = 0
            for byte in bytes[place..<(place + count)] {
                guard byte &- 0x30 < 10 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        guard let lastSeen = number(16), let idle = number(16), let expires = number(16), let created = number(16),
            let length = number(6).map({ Int($0) }), bytes.count >= head + length + 8
        else { return nil }
        let end = head + length
        func word() -> UInt64? {
            guard place + 8 <= bytes.count else { return nil }
            defer { place += 8 }
            return bytes[place..<(place + 8)].reduce(0) { $0 << 8 | UInt64($1) }
        }
        func text() -> String? {
            guard place + 4 <= end else { return nil }
            let count = bytes[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
            place += 4
            guard place + count <= end else { return nil }
            defer { place += count }
            return String(decoding: bytes[place..<(place + count)], as: UTF8.self)
        }
        guard let strength = word(), let authenticated = word(), let family = text(), let account = text(),
            let issuer = text(), let method = text(), let address = text(), let device = text(), let site = text(),
            let csrf = text()
        else { return nil }
        // A later version may have put more behind these.
        place = end
        guard let accountVersion = word() else { return nil }
        return SessionRecord(
            key: key,
            family: family,
            account: account,
            issuer: issuer,
            method: method,
            strength: Int(truncatingIfNeeded: strength),
            claims: Array(bytes[place...]),
            accountVersion: accountVersion,
            created: created,
            authenticated: Int64(bitPattern: authenticated),
            lastSeen: lastSeen,
            idle: idle,
            expires: expires,
            address: address,
            device: device,
            site: site,
            csrf: csrf
        )
    }

    private static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    private static func digits(_ value: Int64, _ count: Int) -> [UInt8] {
        var digits = [UInt8](repeating: 0x30, count: count)
        var rest = value
        for index in stride(from: count - 1, through: 0, by: -1) where rest > 0 {
            digits[index] = 0x30 + UInt8(rest % 10)
            rest /= 10
        }
        return digits
    }
}
