// HOT. Field lines up to and with the empty line: the one loop that heads and trailers share.
import Bytes

/// Parses field lines (RFC 9112 §5) in one pass, strictly: CRLF only, no folding, no space before the colon.
enum FieldSection {
    /// Parses from `start`; `headStart` is where the limit for the whole begins to count, `most` that limit.
    ///
    /// `trimsNames` is for heads of responses, whose white space before the colon is removed (RFC 9112 §5.1), but for
    /// fields that say where the message ends.
    @inline(__always)
    static func parse(
        _ input: Span<UInt8>,
        from start: Int,
        headStart: Int,
        most: Int,
        into fields: FieldTable,
        limits: HeadLimits,
        trimsNames: Bool = false
    ) -> SectionOutcome {
        let count = input.count
        let names = fields.names
        let fieldLimit = limits.field
        let bounds = Bounds(headEnd: headStart &+ most, limits: limits)
        let fieldCount = min(limits.fields, fields.capacity)
        var i = start
        while true {
            guard i < count else { return bounds.more(count) }
            let lead = input[i]
            if lead <= 0x20 {
                guard lead == 0x0d else { return bounds.refuse(badLead(lead), at: i, line: i) }
                guard i &+ 1 < count else { return bounds.more(count) }
                guard input[i &+ 1] == 0x0a else { return bounds.refuse(.bareCarriageReturn, at: i &+ 1, line: i) }
                guard i &+ 2 <= bounds.headEnd else { return .refuse(.headTooLarge) }
                fields.end = i
                return .complete(i &+ 2)
            }

            let nameStart = i
            i = ByteScan.endOfUsualName(input, i)
            var nameEnd = i
            var unusual = false
            if i < count, input[i] != 0x3a {
                i = ByteScan.endOfToken(input, i)
                unusual = i > nameEnd
                nameEnd = i
                if trimsNames, i > nameStart { i = endOfBlanks(input, i) }
                guard i < count else { return bounds.more(count, line: nameStart) }
                guard input[i] == 0x3a, i == nameEnd || !isFraming(input, nameStart, nameEnd) else {
                    // Up to here the blanks might have been followed by a colon.
                    return bounds.refuse(badName(input[nameEnd]), at: i, line: nameStart)
                }
            }
            guard i < count else { return bounds.more(count, line: nameStart) }
            guard nameEnd > nameStart else { return bounds.refuse(.fieldNameEmpty, at: i, line: nameStart) }
            let id = unusual ? .other : names.id(input, nameStart, nameEnd)

            i &+= 1
            i = endOfBlanks(input, i)
            let valueStart = i
            i = ByteScan.endOfValue(input, i)
            guard i &+ 1 < count, input[i] == 0x0d, input[i &+ 1] == 0x0a else {
                return unfinished(input, i, nameStart, id, bounds)
            }
            var valueEnd = i
            while valueEnd > valueStart, input[valueEnd &- 1] == 0x20 || input[valueEnd &- 1] == 0x09 {
                valueEnd &-= 1
            }
            if i &- nameStart > fieldLimit || i &+ 2 > bounds.headEnd,
                let error = bounds.passed(i &+ 1, line: nameStart, id)
            {
                return .refuse(error)
            }
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

    /// Whether a name says where the message ends.
    private static func isFraming(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        ByteScan.equalFolded(input, start, end, "content-length")
            || ByteScan.equalFolded(input, start, end, "transfer-encoding")
    }

    @inline(__always)
    private static func endOfBlanks(_ input: Span<UInt8>, _ start: Int) -> Int {
        var i = start
        while i < input.count, input[i] == 0x20 || input[i] == 0x09 { i &+= 1 }
        return i
    }

    /// The answer when the line's value is not followed by CRLF: its end is not here yet, or a byte is wrong.
    private static func unfinished(
        _ input: Span<UInt8>,
        _ end: Int,
        _ line: Int,
        _ id: FieldID,
        _ bounds: Bounds
    ) -> SectionOutcome {
        guard end < input.count else { return bounds.more(end, line: line, id) }
        let byte = input[end]
        guard byte == 0x0d else {
            return bounds.refuse(byte == 0x0a ? .bareLineFeed : .fieldValueCharacter, at: end, line: line, id)
        }
        guard end &+ 1 < input.count else { return bounds.more(end &+ 1, line: line, id) }
        return bounds.refuse(.bareCarriageReturn, at: end &+ 1, line: line, id)
    }

    private static func badLead(_ byte: UInt8) -> ProtocolError {
        switch byte {
        case 0x20, 0x09: .lineFolding
        case 0x0a: .bareLineFeed
        default: .fieldNameMalformed
        }
    }

    private static func badName(_ byte: UInt8) -> ProtocolError {
        switch byte {
        case 0x20, 0x09: .fieldNameSpace
        case 0x0a: .bareLineFeed
        default: .fieldNameMalformed
        }
    }
}

/// The limits of a field section.
///
/// Whichever rule is broken first in the order of the bytes is the answer, so that it does not depend on how the bytes
/// were split on their way.
private struct Bounds {
    /// The offset behind the last byte the section may have.
    let headEnd: Int
    let limits: HeadLimits

    /// The limit that is passed when the input ends at `size`, inside the line that begins at `line`.
    func passed(_ size: Int, line: Int, _ id: FieldID) -> ProtocolError? {
        let most =
            switch id {
            case .authorization: max(limits.authorizationField, limits.field)
            case .cookie: max(limits.cookieField, limits.field)
            default: limits.field
            }
        // The last byte may be the line's CR, which is not counted.
        let fieldEnd = line &+ most &+ 2
        if size >= fieldEnd, fieldEnd <= headEnd { return .fieldTooLarge }
        if size >= headEnd { return .headTooLarge }
        return size >= fieldEnd ? .fieldTooLarge : nil
    }

    /// The answer when all bytes up to `size` are valid and there must be more.
    func more(_ size: Int, line: Int, _ id: FieldID = .other) -> SectionOutcome {
        if let error = passed(size, line: line, id) { return .refuse(error) }
        return .needMore
    }

    /// The same between two lines.
    func more(_ size: Int) -> SectionOutcome { size >= headEnd ? .refuse(.headTooLarge) : .needMore }

    /// The answer to a wrong byte at `index`, unless a limit was passed before it.
    func refuse(_ error: ProtocolError, at index: Int, line: Int, _ id: FieldID = .other) -> SectionOutcome {
        .refuse(passed(index, line: line, id) ?? error)
    }
}
