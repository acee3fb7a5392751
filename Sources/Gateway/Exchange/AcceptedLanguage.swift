// HOT. Which of the languages that there are a reader prefers: `Accept-Language` (RFC 9110 §12.5.4, RFC 4647 §3.4).
import Bytes
import HTTP
import Portal

/// Chooses the language of a page.
enum AcceptedLanguage {
    /// No browser sends more ranges than this.
    private static let mostRanges = 32

    /// The place of the language that is liked best; of two that are liked the same, the one named first.
    static func choose(among pages: PreparedPages, _ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Int {
        let index = head.first(.acceptLanguage)
        guard index >= 0, pages.languages.count > 1 else { return pages.fallback }
        let value = head[index].value
        return choose(among: pages.languages, fallback: pages.fallback, input + value.start, value.count)
    }

    /// The same of the field's value.
    static func choose(among tags: [[UInt8]], fallback: Int, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var (best, found, start, ranges) = (0, fallback, 0, 0)
        while start < count, ranges < mostRanges {
            let end = AcceptedForm.end(of: bytes, from: start, to: count, at: 0x2c)
            let quality = read(tags, fallback, bytes, from: start, to: end)
            if quality.place >= 0, quality.value > best { (best, found) = (quality.value, quality.place) }
            start = end &+ 1
            ranges &+= 1
        }
        return found
    }

    private static func read(
        _ tags: [[UInt8]],
        _ fallback: Int,
        _ bytes: UnsafePointer<UInt8>,
        from: Int,
        to end: Int
    ) -> (place: Int, value: Int) {
        var start = from
        while start < end, AcceptedForm.isSpace(bytes[start]) { start &+= 1 }
        var stop = start
        while stop < end, bytes[stop] != 0x3b, !AcceptedForm.isSpace(bytes[stop]) { stop &+= 1 }
        guard stop > start else { return (-1, 0) }
        let isAny = stop &- start == 1 && bytes[start] == 0x2a
        let place = isAny ? fallback : match(tags, bytes + start, stop &- start)
        guard place >= 0 else { return (-1, 0) }
        return (place, AcceptedForm.quality(bytes, from: stop, to: end))
    }

    /// The tag itself, what it is a kind of (`de` for `de-at`), or a kind of it (`pt-br` for `pt`); -1 for none.
    private static func match(_ tags: [[UInt8]], _ range: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var (place, length) = (-1, 0)
        for (index, tag) in tags.enumerated() {
            let common = min(tag.count, count)
            guard common > length, tag.count == count || (tag.count > count ? tag[count] : range[tag.count]) == 0x2d,
                isSame(tag, range, common)
            else { continue }
            (place, length) = (index, common)
        }
        return place
    }

    private static func isSame(_ tag: [UInt8], _ range: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for i in 0..<count where tag[i] != Scan.lowercase(range[i]) { return false }
        return true
    }
}
