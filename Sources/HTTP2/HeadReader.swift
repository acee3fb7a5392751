// HOT. HTTP/1 heads of our own making, taken apart for the field compression.
import Bytes
import CNghttp2

/// What is left out of a head besides the fields of one connection.
enum DroppedFields {
    case none
    /// The request line says what `Host` says.
    case host
    /// The same, and the key of a WebSocket handshake.
    case hostAndKey
    /// The answer to that key.
    case accept
}

/// Reads lines of `name: value` CRLF.
enum HeadReader {
    /// Writes the fields of `text`, which may end with an empty line, to `out[start...]`.
    ///
    /// Returns their number with those before `start`, or -1 if there are too many or a line is none. The entries
    /// point into `text`; the library copies them and makes the names lower case.
    static func fields(
        _ text: UnsafeBufferPointer<UInt8>,
        into out: UnsafeMutablePointer<nghttp2_nv>,
        from start: Int,
        dropping: DroppedFields
    ) -> Int {
        guard let bytes = text.baseAddress else { return start }
        var count = start
        var i = 0
        while i < text.count {
            guard let lineFeed = Scan.first(0x0a, in: bytes, from: i, to: text.count) else { return -1 }
            var end = lineFeed
            if end > i, bytes[end &- 1] == 0x0d { end &-= 1 }
            if end == i { break }
            guard let colon = Scan.first(0x3a, in: bytes, from: i, to: end), colon > i else { return -1 }
            var value = colon &+ 1
            while value < end, FieldRules.isBlank(bytes[value]) { value &+= 1 }
            while end > value, FieldRules.isBlank(bytes[end &- 1]) { end &-= 1 }
            if !drops(bytes + i, colon &- i, bytes + value, end &- value, dropping) {
                guard count < HTTP2Workspace.capacity else { return -1 }
                set(out + count, bytes + i, colon &- i, bytes + value, end &- value)
                count &+= 1
            }
            i = lineFeed &+ 1
        }
        return count
    }

    /// Whether there is a field line at all.
    static func hasFields(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let bytes = text.baseAddress, text.count > 2 else { return false }
        return bytes[0] != 0x0d && bytes[0] != 0x0a
    }

    @inline(__always)
    static func set(
        _ place: UnsafeMutablePointer<nghttp2_nv>,
        _ name: UnsafePointer<UInt8>,
        _ nameCount: Int,
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int
    ) {
        place.pointee.name = UnsafeMutablePointer(mutating: name)
        place.pointee.namelen = nameCount
        place.pointee.value = UnsafeMutablePointer(mutating: value)
        place.pointee.valuelen = valueCount
        place.pointee.flags = 0
    }

    /// Whether the field is for one connection only (RFC 9113 §8.2.2) or left out for `dropping`.
    @inline(__always)
    private static func drops(
        _ name: UnsafePointer<UInt8>,
        _ count: Int,
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int,
        _ dropping: DroppedFields
    ) -> Bool {
        switch count {
        case 2: Scan.equalFolded(name, 2, "te") && !Scan.equalFolded(value, valueCount, "trailers")
        case 4: dropping != .none && dropping != .accept && Scan.equalFolded(name, 4, "host")
        case 7: Scan.equalFolded(name, 7, "upgrade")
        case 10: Scan.equalFolded(name, 10, "connection") || Scan.equalFolded(name, 10, "keep-alive")
        case 14: Scan.equalFolded(name, 14, "http2-settings")
        case 16: Scan.equalFolded(name, 16, "proxy-connection")
        case 17:
            Scan.equalFolded(name, 17, "transfer-encoding")
                || dropping == .hostAndKey && Scan.equalFolded(name, 17, "sec-websocket-key")
        case 20: dropping == .accept && Scan.equalFolded(name, 20, "sec-websocket-accept")
        default: false
        }
    }

    /// The value of the first field of that name (lower case).
    static func value(of name: StaticString, in text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        guard let bytes = text.baseAddress else { return nil }
        var i = 0
        while i < text.count, let lineFeed = Scan.first(0x0a, in: bytes, from: i, to: text.count) {
            let length = name.utf8CodeUnitCount
            if lineFeed &- i > length, bytes[i &+ length] == 0x3a, Scan.equalFolded(bytes + i, length, name) {
                var start = i &+ length &+ 1
                var end = lineFeed
                while end > start, FieldRules.isBlank(bytes[end &- 1]) || bytes[end &- 1] == 0x0d { end &-= 1 }
                while start < end, FieldRules.isBlank(bytes[start]) { start &+= 1 }
                return UnsafeBufferPointer(start: bytes + start, count: end &- start)
            }
            i = lineFeed &+ 1
        }
        return nil
    }
}
