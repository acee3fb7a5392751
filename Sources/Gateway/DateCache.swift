// HOT. The Date field's value (RFC 9110 §5.6.7), rendered once per second.
import Bytes
import Glibc

/// The current IMF-fixdate, 29 bytes.
final class DateCache {
    private var second: Int64 = -1
    private let text: UnsafeMutablePointer<UInt8>
    static let length = 29

    init() {
        text = .allocate(capacity: 32)
        text.initialize(repeating: 0x20, count: 32)
    }

    deinit { text.deallocate() }

    /// Appends the date of `unixSeconds`.
    @inline(__always)
    func append(to out: OutputBuffer, unixSeconds: Int64) {
        if unixSeconds != second { render(unixSeconds) }
        out.append(text, Self.length)
    }

    private func render(_ seconds: Int64) {
        second = seconds
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        let names: StaticString = "SunMonTueWedThuFriSat"
        let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
        let out = OutputBuffer(capacity: 64)
        out.append(names.utf8Start + Int(parts.tm_wday) * 3, 3)
        out.append(", ")
        two(out, parts.tm_mday)
        out.append(" ")
        out.append(months.utf8Start + Int(parts.tm_mon) * 3, 3)
        out.append(" ")
        out.append(decimal: UInt64(parts.tm_year + 1900))
        out.append(" ")
        two(out, parts.tm_hour)
        out.append(":")
        two(out, parts.tm_min)
        out.append(":")
        two(out, parts.tm_sec)
        out.append(" GMT")
        memcpy(text, out.readable, min(32, out.count))
    }

    private func two(_ out: OutputBuffer, _ value: Int32) {
        out.append(byte: 0x30 + UInt8(value / 10))
        out.append(byte: 0x30 + UInt8(value % 10))
    }
}
