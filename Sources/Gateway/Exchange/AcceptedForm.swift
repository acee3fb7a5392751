// HOT. Whether a client wants pages: what `Accept` (RFC 9110 §12.5.1) says of HTML beside JSON.
import Bytes
import Glibc
import HTTP

/// What all `Accept` fields of a request say of HTML and of JSON.
struct AcceptedForm {
    /// Qualities in thousandths; -1: not named.
    private(set) var html = -1
    private(set) var json = -1

    /// Whether HTML is named, not refused, and no worse than JSON; a wildcard names nothing.
    var isHTML: Bool { html > 0 && html >= json }

    /// Nothing is looked at twice, and fields too short to name HTML or JSON not at all.
    static func prefersHTML(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        var index = head.first(.accept)
        guard index >= 0 else { return false }
        var form = AcceptedForm()
        while index >= 0 {
            let value = head[index].value
            if value.count >= 9 { form.read(input + value.start, value.count) }
            index = head.count(.accept) > 1 ? head.fields.next(.accept, after: index) : -1
        }
        return form.isHTML
    }

    /// Reads one field; a type that is named twice counts with its better quality.
    mutating func read(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        var start = 0
        while start < count {
            let end = Self.end(of: bytes, from: start, to: count, at: 0x2c)
            readRange(bytes, from: start, to: end)
            start = end &+ 1
        }
    }

    private mutating func readRange(_ bytes: UnsafePointer<UInt8>, from: Int, to end: Int) {
        var start = from
        while start < end, Self.isSpace(bytes[start]) { start &+= 1 }
        var stop = start
        while stop < end, bytes[stop] != 0x3b, !Self.isSpace(bytes[stop]) { stop &+= 1 }
        let (type, length) = (bytes + start, stop &- start)
        let isHTML = Scan.equalFolded(type, length, "text/html")
        guard
            isHTML || Scan.equalFolded(type, length, "application/json")
                || Scan.equalFolded(type, length, "application/problem+json")
        else { return }
        let quality = Self.quality(bytes, from: stop, to: end)
        if isHTML { html = max(html, quality) } else { json = max(json, quality) }
    }

    /// `q` among the parameters; one that is no number refuses.
    static func quality(_ bytes: UnsafePointer<UInt8>, from: Int, to end: Int) -> Int {
        var start = from
        while start < end {
            let stop = self.end(of: bytes, from: start, to: end, at: 0x3b)
            var name = start
            while name < stop, isSpace(bytes[name]) { name &+= 1 }
            if stop &- name >= 2, Scan.lowercase(bytes[name]) == 0x71, bytes[name &+ 1] == 0x3d {
                return thousandths(bytes, from: name &+ 2, to: stop)
            }
            start = stop &+ 1
        }
        return 1000
    }

    /// `0.5` as 500; 0 for what has not this form.
    private static func thousandths(_ bytes: UnsafePointer<UInt8>, from: Int, to: Int) -> Int {
        var end = to
        while end > from, isSpace(bytes[end &- 1]) { end &-= 1 }
        guard from < end, bytes[from] == 0x30 || bytes[from] == 0x31 else { return 0 }
        var value = Int(bytes[from] &- 0x30) &* 1000
        guard end &- from > 1 else { return value }
        guard bytes[from &+ 1] == 0x2e else { return 0 }
        var worth = 100
        var index = from &+ 2
        while index < end {
            guard bytes[index] &- 0x30 < 10 else { return 0 }
            value &+= Int(bytes[index] &- 0x30) &* worth
            worth /= 10
            index &+= 1
        }
        return min(value, 1000)
    }

    /// The next `separator` outside of quotes, or `limit`.
    static func end(of bytes: UnsafePointer<UInt8>, from: Int, to limit: Int, at separator: UInt8) -> Int {
        var index = from
        var isQuoted = false
        while index < limit {
            let byte = bytes[index]
            if byte == 0x22 { isQuoted.toggle() }
            if isQuoted, byte == 0x5c { index &+= 1 } else if !isQuoted, byte == separator { return index }
            index &+= 1
        }
        return limit
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
