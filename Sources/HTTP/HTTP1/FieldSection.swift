// HOT. Field lines up to and with the empty line: the one loop that heads and trailers share.
import Bytes

/// Parses field lines (RFC 9112 §5) in one pass, strictly: CRLF only, no folding, no space before the colon.
enum FieldSection {
    /// Parses from `start`; `headStart` is where the limit for the whole begins to count, `most` that limit.
    @inline(__always)
    static func parse(
        _ input: Span<UInt8>,
        from start: Int,
        headStart: Int,
        most: Int,
        into fields: FieldTable,
        limits: HeadLimits
    ) -> SectionOutcome {
        let count = input.count
        let names = fields.names
        let fieldLimit = limits.field
        let fieldCount = min(limits.fields, fields.capacity)
        var i = start
        while true {
            guard i < count else { return more(i &- headStart, most) }
            let lead = input[i]
            if lead <= 0x20 {
                guard lead == 0x0d else {
                    if lead == 0x0a { return .refuse(.bareLineFeed) }
                    return .refuse(lead == 0x20 || lead == 0x09 ? .lineFolding : .fieldNameMalformed)
                }
                guard i &+ 1 < count else { return more(i &+ 1 &- headStart, most) }
                guard input[i &+ 1] == 0x0a else { return .refuse(.bareCarriageReturn) }
                guard i &+ 2 &- headStart <= most else { return .refuse(.headTooLarge) }
                fields.end = i
                return .complete(i &+ 2)
            }

            let nameStart = i
            i = ByteScan.endOfUsualName(input, i)
            var unusual = false
            if i < count, input[i] != 0x3a {
                i = ByteScan.endOfToken(input, i)
                unusual = true
            }
            guard i < count else { return unfinished(input, nameStart, .other, headStart, most, limits) }
            guard input[i] == 0x3a else { return .refuse(badName(input[i])) }
            guard i > nameStart else { return .refuse(.fieldNameEmpty) }
            let nameEnd = i
            let id = unusual ? .other : names.id(input, nameStart, nameEnd)

            i &+= 1
            while i < count, input[i] == 0x20 || input[i] == 0x09 { i &+= 1 }
            let valueStart = i
            i = ByteScan.endOfValue(input, i)
            guard i &+ 1 < count else {
                if i < count, input[i] != 0x0d { return .refuse(badValue(input[i])) }
                return unfinished(input, nameStart, id, headStart, most, limits)
            }
            guard input[i] == 0x0d else { return .refuse(badValue(input[i])) }
            guard input[i &+ 1] == 0x0a else { return .refuse(.bareCarriageReturn) }
            var valueEnd = i
            while valueEnd > valueStart, input[valueEnd &- 1] == 0x20 || input[valueEnd &- 1] == 0x09 {
                valueEnd &-= 1
            }
            if i &- nameStart > fieldLimit, i &- nameStart > limit(of: id, limits) { return .refuse(.fieldTooLarge) }
            guard i &+ 2 &- headStart <= most else { return .refuse(.headTooLarge) }
            guard fields.count < fieldCount else { return .refuse(.tooManyFields) }

            var field = Field(name: Slice(nameStart, nameEnd), value: Slice(valueStart, valueEnd), id: id)
            field.isDropped = HopByHop.drops(id)
            field.isPlain = valueEnd == i && valueStart == nameEnd &+ 2 && input[nameEnd &+ 1] == 0x20
            if unusual {
                field.hasUnusualName = true
                fields.hasUnusualNames = true
            }
            _ = fields.append(field)
            i &+= 2
        }
    }

    @inline(__always)
    private static func limit(of id: FieldID, _ limits: HeadLimits) -> Int {
        id == .authorization ? max(limits.authorizationField, limits.field) : limits.field
    }

    /// The answer when the input ends after `size` valid bytes.
    private static func more(_ size: Int, _ most: Int) -> SectionOutcome {
        size >= most ? .refuse(.headTooLarge) : .needMore
    }

    /// The answer when the input ends inside a field line.
    private static func unfinished(
        _ input: Span<UInt8>,
        _ start: Int,
        _ id: FieldID,
        _ headStart: Int,
        _ most: Int,
        _ limits: HeadLimits
    ) -> SectionOutcome {
        let size = input.count &- start
        // The last byte may be the line's CR, which is not counted.
        if size > limit(of: id, limits) &+ 1 { return .refuse(.fieldTooLarge) }
        return more(input.count &- headStart, most)
    }

    private static func badName(_ byte: UInt8) -> ProtocolError {
        switch byte {
        case 0x20, 0x09: .fieldNameSpace
        case 0x0a: .bareLineFeed
        default: .fieldNameMalformed
        }
    }

    private static func badValue(_ byte: UInt8) -> ProtocolError {
        byte == 0x0a ? .bareLineFeed : .fieldValueCharacter
    }
}
