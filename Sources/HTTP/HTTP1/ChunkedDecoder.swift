// HOT. The chunked transfer coding, as a state machine that consumes every byte it is shown.
public import Bytes

/// Decodes chunked content (RFC 9112 §7.1) strictly: CRLF only, sizes of one to eight hexadecimal digits, extensions
/// of at most 256 bytes that are checked and forgotten.
///
/// It keeps no bytes: input may be split anywhere.
public struct ChunkedDecoder: Sendable {
    /// What comes next in the input.
    public enum Step: Equatable, Sendable {
        /// That many bytes of content, relative to the input.
        case data(Slice)
        /// All of the input is consumed.
        case needMore
        /// The last chunk's line was read; the trailer section begins at the offset.
        case trailers
        /// The coding is broken.
        case refuse(ProtocolError)
    }

    private enum State: UInt8 {
        /// Before or inside the size.
        case size
        /// After white space, which only an extension may follow.
        case beforeExtension
        /// Behind a `;`, before the extension's name.
        case extensionStart
        case extensionName
        /// After white space behind a name, where `=` or another extension comes.
        case extensionNameEnd
        /// Behind `=`.
        case extensionValue
        case extensionToken
        case extensionQuoted
        case extensionEscape
        /// Behind a quoted value, where white space, `;` or CR comes.
        case extensionEnd
        case sizeLineFeed
        case data
        case dataCarriageReturn
        case dataLineFeed
        case finished
    }

    /// The longest extensions of one chunk, unless it is said otherwise.
    public static let longestExtensions = 256
    /// How much more than its data a body's chunk lines may weigh before it is refused.
    public static let mostOverhead = 16384

    private var state = State.size
    private var digits: UInt8 = 0
    private var extensions: UInt16 = 0
    private let extensionLimit: UInt16
    private var overhead: Int32 = 0
    private var remaining: UInt64 = 0

    /// A decoder at the start of the content, for extensions of up to `longestExtensions` bytes, at most 65,534.
    public init(longestExtensions: Int = ChunkedDecoder.longestExtensions) {
        extensionLimit = UInt16(clamping: min(max(longestExtensions, 0), 65_534))
    }

    /// Whether the last chunk's line was read.
    public var isFinished: Bool { state == .finished }

    /// The next step of the input from `offset` on; moves `offset` behind what it consumed.
    @inline(__always)
    public mutating func next(_ input: Span<UInt8>, at offset: inout Int) -> Step {
        if state == .data, offset < input.count {
            return data(input, &offset)
        }
        return line(input, &offset)
    }

    @inline(__always)
    private mutating func data(_ input: Span<UInt8>, _ offset: inout Int) -> Step {
        let start = offset
        let available = UInt64(input.count &- start)
        let take = min(remaining, available)
        offset &+= Int(take)
        remaining &-= take
        if remaining == 0 { state = .dataCarriageReturn }
        return .data(Slice(start, offset))
    }

    /// Everything but data, byte by byte.
    private mutating func line(_ input: Span<UInt8>, _ offset: inout Int) -> Step {
        while offset < input.count {
            let byte = input[offset]
            switch state {
            case .size:
                let value = ByteScan.hexValue(byte)
                if value < 16 {
                    guard digits < 8 else { return .refuse(.chunkSizeMalformed) }
                    digits &+= 1
                    remaining = remaining &<< 4 | UInt64(value)
                } else {
                    guard digits > 0 else { return .refuse(.chunkSizeMalformed) }
                    if let error = afterSize(byte) { return .refuse(error) }
                }
            case .sizeLineFeed:
                guard byte == 0x0a else { return .refuse(.chunkLineEnd) }
                offset &+= 1
                if let error = weigh() { return .refuse(error) }
                if remaining == 0 {
                    state = .finished
                    return .trailers
                }
                state = .data
                guard offset < input.count else { return .needMore }
                return data(input, &offset)
            case .dataCarriageReturn:
                guard byte == 0x0d else { return .refuse(.chunkDataEnd) }
                state = .dataLineFeed
            case .dataLineFeed:
                guard byte == 0x0a else { return .refuse(.chunkDataEnd) }
                state = .size
                digits = 0
                extensions = 0
            case .data:
                return data(input, &offset)
            case .finished:
                return .trailers
            default:
                if let error = inExtension(byte) { return .refuse(error) }
            }
            offset &+= 1
        }
        return state == .finished ? .trailers : .needMore
    }

    private mutating func afterSize(_ byte: UInt8) -> ProtocolError? {
        switch byte {
        case 0x0d: state = .sizeLineFeed
        case 0x0a: return .chunkLineEnd
        case 0x3b: state = .extensionStart
        case 0x20, 0x09: state = .beforeExtension
        default: return .chunkSizeMalformed
        }
        return nil
    }

    /// One byte of `*( BWS ";" BWS name [ BWS "=" BWS value ] )` (RFC 9112 §7.1.1).
    private mutating func inExtension(_ byte: UInt8) -> ProtocolError? {
        extensions &+= 1
        if extensions > extensionLimit { return .chunkExtensionTooLong }
        let isBlank = byte == 0x20 || byte == 0x09
        switch state {
        case .extensionQuoted:
            if byte == 0x22 { state = .extensionEnd } else if byte == 0x5c { state = .extensionEscape }
            return isText(byte) ? nil : broken(byte)
        case .extensionEscape:
            state = .extensionQuoted
            return isText(byte) ? nil : broken(byte)
        case .extensionStart:
            if isBlank { return nil }
            state = .extensionName
            return ByteScan.isToken(byte) ? nil : broken(byte)
        case .extensionValue:
            if isBlank { return nil }
            state = byte == 0x22 ? .extensionQuoted : .extensionToken
            return byte == 0x22 || ByteScan.isToken(byte) ? nil : broken(byte)
        case .extensionName, .extensionToken:
            if ByteScan.isToken(byte) { return nil }
            if state == .extensionToken { break }
            if byte == 0x3d { state = .extensionValue } else if isBlank { state = .extensionNameEnd } else { break }
            return nil
        case .extensionNameEnd:
            if isBlank { return nil }
            guard byte == 0x3d else { break }
            state = .extensionValue
            return nil
        default:
            break
        }
        switch byte {
        case 0x3b: state = .extensionStart
        case 0x20, 0x09: state = .beforeExtension
        case 0x0d where state != .beforeExtension && state != .extensionNameEnd: state = .sizeLineFeed
        default: return broken(byte)
        }
        return nil
    }

    private func isText(_ byte: UInt8) -> Bool { byte == 0x09 || byte >= 0x20 && byte != 0x7f }

    private func broken(_ byte: UInt8) -> ProtocolError {
        byte == 0x0a || byte == 0x0d ? .chunkLineEnd : .chunkExtensionMalformed
    }

    /// Refuses a body that is made of chunk lines more than of data (one-byte chunks with long extensions).
    private mutating func weigh() -> ProtocolError? {
        let line = Int(extensions) &+ Int(digits) &+ 2
        let allowed = remaining > 1 << 20 ? 1 << 20 : Int(remaining) &* 2 &+ 16
        overhead = Int32(truncatingIfNeeded: max(0, Int(overhead) &+ line &- allowed))
        return Int(overhead) > ChunkedDecoder.mostOverhead ? .chunkExtensionTooLong : nil
    }
}
