// HOT. The `Connection` field: its options, and the fields they name.
import Bytes

/// What the `Connection` fields of a message say (RFC 9110 §7.6.1).
struct ConnectionOptions {
    var close = false
    var keepAlive = false
    var upgrade = false
    /// Whether they name a field that would go on otherwise, in the head or in the trailers.
    var namesFields = false

    /// Reads all `Connection` fields and marks the fields they name.
    ///
    /// In a request a name that is essential refuses the message: what it asks for would change what the request means.
    /// In a response of a backend it takes away the field like every other (RFC 9110 §7.6.1).
    mutating func read(
        _ input: Span<UInt8>,
        _ fields: FieldTable,
        isRequest: Bool,
        limits: HeadLimits
    ) -> ProtocolError? {
        var index = fields.first(.connection)
        if fields.count(.connection) == 1, isUsual(input, fields[index].value) { return nil }
        var left = limits.connectionOptions
        while index >= 0 {
            let value = fields[index].value
            var i = value.start
            while i < value.end {
                if isBlank(input[i]) || input[i] == 0x2c {
                    i &+= 1
                    continue
                }
                let start = i
                while i < value.end, ByteScan.isToken(input[i]) { i &+= 1 }
                let end = i
                while i < value.end, isBlank(input[i]) { i &+= 1 }
                guard end > start, i == value.end || input[i] == 0x2c, left > 0 else { return .connectionMalformed }
                left &-= 1
                if let error = option(input, start, end, fields, isRequest) { return error }
            }
            index = fields.next(.connection, after: index)
        }
        return nil
    }

    /// Reads a value that is `keep-alive` or `close` and nothing else; false if it is not.
    @inline(__always)
    private mutating func isUsual(_ input: Span<UInt8>, _ value: Slice) -> Bool {
        let bytes = unsafe input.bytes
        // No byte of a value but a letter's own two cases becomes that letter, and none but `-` becomes `-`.
        let folded: UInt64 = 0x2020_2020_2020_2020
        switch value.count {
        case 10:
            let head = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: value.start, as: UInt64.self).bigEndian
            let tail = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: value.end &- 8, as: UInt64.self).bigEndian
            guard head | folded == 0x6b65_6570_2d61_6c69, tail | folded == 0x6570_2d61_6c69_7665 else { return false }
            keepAlive = true
        case 5:
            let head = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: value.start, as: UInt32.self).bigEndian
            guard head | 0x2020_2020 == 0x636c_6f73, input[value.end &- 1] | 0x20 == 0x65 else { return false }
            close = true
        default: return false
        }
        return true
    }

    @inline(__always)
    private mutating func option(
        _ input: Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ fields: FieldTable,
        _ isRequest: Bool
    ) -> ProtocolError? {
        switch end &- start {
        case 5 where ByteScan.equalFolded(input, start, end, "close"):
            close = true
            return nil
        case 10 where ByteScan.equalFolded(input, start, end, "keep-alive"):
            // The field of that name is dropped in any case.
            keepAlive = true
            return nil
        case 7 where ByteScan.equalFolded(input, start, end, "upgrade"):
            upgrade = true
            return nil
        default:
            break
        }
        return mark(input, start, end, fields, isRequest)
    }

    /// Marks every field that has this name as belonging to the connection.
    private mutating func mark(
        _ input: Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ fields: FieldTable,
        _ isRequest: Bool
    ) -> ProtocolError? {
        let id = ByteScan.endOfUsualName(input, start) >= end ? fields.names.id(input, start, end) : .other
        if isRequest, HopByHop.isEssential(id) { return .connectionNamesEssential }
        if !HopByHop.drops(id) { namesFields = true }
        for i in 0..<fields.count {
            let field = fields[i]
            guard field.name.count == end &- start,
                ByteScan.equalFolded(input, start, field.name.start, count: end &- start)
            else { continue }
            fields[i].connectionNamed = true
            fields[i].isDropped = true
        }
        return nil
    }

    @inline(__always)
    private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
