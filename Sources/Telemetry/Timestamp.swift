// HOT. The time at the start of a log line: rendered once per second, the milliseconds added per line.
import Bytes

/// RFC 3339 timestamps in UTC with milliseconds, `2026-11-23T17:52:19.042Z`.
struct Timestamp {
    private let text: UnsafeMutablePointer<UInt8>
    private var second: Int64 = .min

    /// Length of a timestamp.
    static let length = 24

    init() {
        text = .allocate(capacity: Self.length)
        text.initialize(repeating: 0, count: Self.length)
    }

    /// Frees its memory; the owner calls it once.
    func deallocate() { text.deallocate() }

    /// Appends the time; renders the date only when the second has changed.
    @inline(__always)
    mutating func append(unixMilliseconds: Int64, to out: OutputBuffer) {
        let now = unixMilliseconds / 1000
        if now != second {
            second = now
            render(now)
        }
        let rest = UInt32(truncatingIfNeeded: unixMilliseconds &- now &* 1000)
        text[20] = 0x30 &+ UInt8(truncatingIfNeeded: rest / 100)
        text[21] = 0x30 &+ UInt8(truncatingIfNeeded: rest / 10 % 10)
        text[22] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
        out.append(text, Self.length)
    }

    private func render(_ seconds: Int64) {
        let days = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        let time = Int(seconds - days * 86_400)
        let (year, month, day) = Self.date(days)
        put(0, year / 100)
        put(2, year % 100)
        put(5, month)
        put(8, day)
        put(11, time / 3600)
        put(14, time / 60 % 60)
        put(17, time % 60)
        text[4] = UInt8(ascii: "-")
        text[7] = UInt8(ascii: "-")
        text[10] = UInt8(ascii: "T")
        text[13] = UInt8(ascii: ":")
        text[16] = UInt8(ascii: ":")
        text[19] = UInt8(ascii: ".")
        text[23] = UInt8(ascii: "Z")
    }

    private func put(_ at: Int, _ value: Int) {
        text[at] = 0x30 &+ UInt8(truncatingIfNeeded: value / 10 % 10)
        text[at + 1] = 0x30 &+ UInt8(truncatingIfNeeded: value % 10)
    }

    /// Year, month and day of a number of days since 1970-01-01 (Gregorian, era arithmetic).
    static func date(_ days: Int64) -> (Int, Int, Int) {
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
