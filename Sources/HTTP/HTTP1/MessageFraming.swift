// HOT. `Content-Length` and `Transfer-Encoding`, read in the one way that every next hop agrees with.
import Bytes

/// The rules of RFC 9112 §6 without any of its leniencies.
enum MessageFraming {
    /// What the fields say; `.none` if there is neither of them.
    @inline(__always)
    static func read(
        _ input: Span<UInt8>,
        _ fields: FieldTable,
        version: HTTPVersion
    ) -> Result<BodyFraming, ProtocolError> {
        let encoding = fields.first(.transferEncoding)
        let length = fields.first(.contentLength)
        if encoding >= 0 {
            if length >= 0 { return .failure(.framingConflict) }
            if version == .http10 { return .failure(.transferEncodingVersion) }
            if let error = transferEncoding(input, fields, encoding) { return .failure(error) }
            return .success(.chunked)
        }
        guard length >= 0 else { return .success(.none) }
        if fields.count(.contentLength) > 1 { return .failure(.contentLengthDuplicate) }
        let value = fields[length].value
        return contentLength(input, value.start, value.end)
    }

    /// Digits only (RFC 9110 §8.6): no sign, no list, not empty, below 2^63.
    private static func contentLength(
        _ input: Span<UInt8>,
        _ start: Int,
        _ end: Int
    ) -> Result<BodyFraming, ProtocolError> {
        guard end > start else { return .failure(.contentLengthMalformed) }
        var value: UInt64 = 0
        var overflow = false
        for i in start..<end {
            let digit = input[i] &- 0x30
            guard digit < 10 else { return .failure(.contentLengthMalformed) }
            if value > (UInt64(Int64.max) - 9) / 10 { overflow = true }
            value = value &* 10 &+ UInt64(digit)
        }
        return overflow ? .failure(.contentLengthTooLarge) : .success(.length(value))
    }

    /// Exactly one coding in all fields together, and it is `chunked`.
    ///
    /// Without `chunked` at the end nobody knows where the message ends, which is a 400 whatever the codings are
    /// (RFC 9112 §6.3); with others before it the message is sound, but not understood here.
    private static func transferEncoding(
        _ input: Span<UInt8>,
        _ fields: FieldTable,
        _ first: Int
    ) -> ProtocolError? {
        var index = first
        var chunked = false
        var unknown = false
        while index >= 0 {
            let value = fields[index].value
            var i = value.start
            while true {
                while i < value.end, isBlank(input[i]) { i &+= 1 }
                let start = i
                while i < value.end, ByteScan.isToken(input[i]) { i &+= 1 }
                let end = i
                guard end > start, !chunked else { return .transferEncodingMalformed }
                while i < value.end, isBlank(input[i]) { i &+= 1 }
                if ByteScan.equalFolded(input, start, end, "chunked") {
                    guard i == value.end || input[i] == 0x2c else { return .transferEncodingMalformed }
                    chunked = true
                } else {
                    unknown = true
                    if i < value.end, input[i] == 0x3b { i = ByteScan.index(of: 0x2c, in: input, i, value.end) }
                    guard i == value.end || input[i] == 0x2c else { return .transferEncodingMalformed }
                }
                if i == value.end { break }
                i &+= 1
            }
            index = fields.next(.transferEncoding, after: index)
        }
        guard chunked else { return .transferEncodingMalformed }
        return unknown ? .transferEncodingUnknown : nil
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
