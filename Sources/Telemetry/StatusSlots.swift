// COLD to build, HOT to read. Status codes mapped to 64 slots, so that what an upstream invents stays bounded.

/// The slots that status codes are counted in.
enum StatusSlots {
    /// Number of slots; the first six are for codes without a slot of their own: invalid, 1xx … 5xx.
    static let count = 64

    private static let known: [Int] =
        [100, 101, 103] + Array(200...207) + [300, 301, 302, 303, 304, 307, 308] + Array(400...418)
        + [421, 422, 423, 424, 425, 426, 428, 429, 431, 451, 499] + Array(500...508) + [511]

    /// Label values by slot.
    static let labels: [String] = ["invalid", "1xx", "2xx", "3xx", "4xx", "5xx"] + known.map(String.init)

    /// A table of 600 slot numbers by code; the caller frees it.
    static func makeTable() -> UnsafeMutablePointer<UInt8> {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 600)
        for code in 0..<600 { table[code] = UInt8(code / 100) }
        for (index, code) in known.enumerated() { table[code] = UInt8(6 + index) }
        return table
    }
}
