// COLD. Points in time and spans as words: relative for reading, absolute in UTC beside it, without JavaScript.
import Glibc

/// Time as words.
enum PageTime {
    /// `datetime` attribute, relative and absolute words, and the latter to the second; not escaped.
    static func words(
        of time: Int64,
        now: Int64,
        in strings: PageStrings
    ) -> (iso: String, relative: String, absolute: String, exact: String) {
        var seconds = time_t(max(0, min(time, 253_402_300_799)))
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let (year, month) = (String(Int(parts.tm_year) + 1900), Int(parts.tm_mon) + 1)
        let (hour, minute) = (padded(parts.tm_hour), padded(parts.tm_min))
        let iso = "\(year)-\(padded(Int32(month)))-\(padded(parts.tm_mday))T\(hour):\(minute):\(padded(parts.tm_sec))Z"
        let values = [
            "day": String(parts.tm_mday), "month": strings.text("month.m\(month)") ?? "", "year": year,
            "hour": hour, "minute": minute, "second": padded(parts.tm_sec),
        ]
        let absolute = strings.text("time.absolute", values) ?? iso
        return (iso, relative(time, now: now, in: strings), absolute, strings.text("time.exact", values) ?? iso)
    }

    private static func relative(_ time: Int64, now: Int64, in strings: PageStrings) -> String {
        let isPast = time <= now
        let seconds = Int(min(max(isPast ? now &- time : time &- now, 0), 1 << 40))
        switch seconds {
        case ..<60: return strings.text(isPast ? "time.now" : "time.soon") ?? ""
        case ..<3600: return strings.text(isPast ? "time.minutes_ago" : "time.in_minutes", count: seconds / 60)
        case ..<86_400: return strings.text(isPast ? "time.hours_ago" : "time.in_hours", count: seconds / 3600)
        default: return strings.text(isPast ? "time.days_ago" : "time.in_days", count: seconds / 86_400)
        }
    }

    /// A waiting time, never shorter than it is.
    static func span(_ seconds: Int, in strings: PageStrings) -> String {
        switch seconds {
        case ..<91: strings.text("time.seconds", count: max(1, seconds))
        case ..<5401: strings.text("time.minutes", count: (seconds + 59) / 60)
        default: strings.text("time.hours", count: (seconds + 3599) / 3600)
        }
    }

    /// The same as a point in time: `in a minute`.
    static func ahead(_ seconds: Int, in strings: PageStrings) -> String {
        switch seconds {
        case ..<91: strings.text("time.in_seconds", count: max(1, seconds))
        case ..<5401: strings.text("time.in_minutes", count: (seconds + 59) / 60)
        default: strings.text("time.in_hours", count: (seconds + 3599) / 3600)
        }
    }

    private static func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : String(number) }
}
