// HOT. Finds cookies of the gateway's own in a request, and leaves them out of what goes on (RFC 6265 §5.4).
public import Bytes
public import HTTP
import Glibc

/// What a request has for a session cookie.
public enum CookieFinding {
    /// Nothing.
    case none
    /// One, with this value.
    case one(Slice)
    /// Something that cannot be one: two of the name, more cookies than are looked at, or an impossible value.
    case unusable
}

/// The cookies of the gateway's own.
public struct OwnCookies: Sendable {
    /// More than this is no browser's: nothing of it is looked at (bytes of all Cookie fields).
    public static let longestField = 8192
    /// The same for pairs.
    public static let mostPairs = 64
    /// Bytes of a session id in a cookie.
    public static let idLength = 43

    /// The name of the session cookie.
    public let session: [UInt8]
    /// The names that no service gets to see, the session's among them.
    private let names: [[UInt8]]

    /// Cookies of these names.
    public init(session: [UInt8], others: [[UInt8]]) {
        self.session = session
        names = [session] + others
    }

    /// Looks for the session cookie in all Cookie fields of a request.
    ///
    /// Cost: one pass over the fields, no allocation.
    public func findSession(in head: RequestHead, _ input: UnsafePointer<UInt8>) -> CookieFinding {
        var index = head.first(.cookie)
        guard index >= 0 else { return .none }
        var found = Slice()
        var total = 0
        var pairs = 0
        while index >= 0 {
            let field = head[index].value
            total &+= field.count
            var at = field.start
            while at < field.end {
                let end = unsafe Self.end(of: at, field.end, input)
                pairs &+= 1
                if let value = unsafe value(of: session, at, end, input) {
                    guard found.isEmpty, value.count == Self.idLength else { return .unusable }
                    found = value
                }
                at = end &+ 1
            }
            index = head.fields.next(.cookie, after: index)
        }
        guard total <= Self.longestField, pairs <= Self.mostPairs else { return found.isEmpty ? .none : .unusable }
        guard !found.isEmpty else { return .none }
        for i in found.start..<found.end where unsafe !Self.isIDByte(input[i]) { return .unusable }
        return .one(found)
    }

    /// Whether a Cookie field holds one of ours.
    public func isIn(_ field: Slice, _ input: UnsafePointer<UInt8>) -> Bool {
        var at = field.start
        while at < field.end {
            let end = unsafe Self.end(of: at, field.end, input)
            if unsafe isOwn(at, end, input) { return true }
            at = end &+ 1
        }
        return false
    }

    /// Writes what of a Cookie field is not ours, as a whole line; nothing when nothing is left.
    public func writeForeign(of field: Slice, _ input: UnsafePointer<UInt8>, to out: OutputBuffer) {
        var at = field.start
        var isFirst = true
        while at < field.end {
            let end = unsafe Self.end(of: at, field.end, input)
            var start = at
            while start < end, unsafe input[start] == 0x20 || input[start] == 0x09 { start &+= 1 }
            if start < end, unsafe !isOwn(start, end, input) {
                out.append(isFirst ? "Cookie: " : "; ")
                isFirst = false
                unsafe out.append(input + start, end &- start)
            }
            at = end &+ 1
        }
        if !isFirst { out.append("\r\n") }
    }

    /// Marks the Set-Cookie fields of a response that are for cookies of ours: no service makes or removes them.
    public func dropForged(_ fields: FieldTable, _ input: UnsafePointer<UInt8>) {
        var index = fields.first(.setCookie)
        while index >= 0 {
            let value = fields[index].value
            let end = unsafe Self.end(of: value.start, value.end, input)
            var start = value.start
            while start < end, unsafe input[start] == 0x20 || input[start] == 0x09 { start &+= 1 }
            // Of a cookie without a name browsers send the value alone: `=name=value` would come back as one of ours.
            if start < end, unsafe input[start] == 0x3d { start &+= 1 }
            if unsafe isOwn(start, end, input) { fields.drop(index) }
            index = fields.next(.setCookie, after: index)
        }
    }

    // MARK: Pairs

    @inline(__always)
    private static func end(of start: Int, _ limit: Int, _ input: UnsafePointer<UInt8>) -> Int {
        guard let mark = unsafe memchr(input + start, 0x3b, limit &- start) else { return limit }
        return unsafe input.distance(to: UnsafePointer(mark.assumingMemoryBound(to: UInt8.self)))
    }

    private func isOwn(_ start: Int, _ end: Int, _ input: UnsafePointer<UInt8>) -> Bool {
        for name in names where unsafe value(of: name, start, end, input) != nil { return true }
        return false
    }

    /// The value of a pair, if its name is `name`.
    @inline(__always)
    private func value(of name: [UInt8], _ from: Int, _ to: Int, _ input: UnsafePointer<UInt8>) -> Slice? {
        var start = from
        var end = to
        while start < end, unsafe input[start] == 0x20 || input[start] == 0x09 { start &+= 1 }
        while end > start, unsafe input[end &- 1] == 0x20 || input[end &- 1] == 0x09 { end &-= 1 }
        let count = name.count
        guard end &- start >= count else { return nil }
        let isNamed = unsafe name.withUnsafeBufferPointer { name in
            guard let base = name.baseAddress else { return false }
            return unsafe memcmp(input + start, base, count) == 0
        }
        guard isNamed else { return nil }
        start &+= count
        // Some servers take blanks before the equals sign, and a pair without one for a name.
        while start < end, unsafe input[start] == 0x20 || input[start] == 0x09 { start &+= 1 }
        if start == end { return Slice(start, start) }
        guard unsafe input[start] == 0x3d else { return nil }
        start &+= 1
        while start < end, unsafe input[start] == 0x20 || input[start] == 0x09 { start &+= 1 }
        return Slice(start, end)
    }

    @inline(__always)
    private static func isIDByte(_ byte: UInt8) -> Bool {
        byte | 0x20 &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2d || byte == 0x5f
    }
}
