// HOT. What a second decoding of a path would make of it.

/// The check of paths that hold `%25`.
enum DoubleEncoding {
    /// Refuses `%25` where a second decoding would make a separator, a dot, a control, another `%`, or overlong UTF-8.
    ///
    /// It looks at what was written, so that a digit that was itself encoded does not hide from it.
    static func check(_ span: Span<UInt8>) -> ProtocolError? {
        for i in 0..<span.count {
            guard let byte = escapedTwice(span, i) else { continue }
            switch byte {
            case 0..<0x20, 0x7f, 0x23, 0x25, 0x2e, 0x2f, 0x3b, 0x3f, 0x5c, 0xc0, 0xc1, 0xf5...0xff:
                return .pathEscapedTwice
            case 0xe0:
                if let next = escapedTwice(span, i &+ 5), next < 0xa0 { return .pathEscapedTwice }
            case 0xf0:
                if let next = escapedTwice(span, i &+ 5), next < 0x90 { return .pathEscapedTwice }
            default:
                break
            }
        }
        return nil
    }

    /// The byte behind `%25hh` at an index, nil if that is not there.
    private static func escapedTwice(_ span: Span<UInt8>, _ i: Int) -> UInt8? {
        guard span.count &- i >= 5, span[i] == 0x25, span[i &+ 1] == 0x32, span[i &+ 2] == 0x35 else { return nil }
        let high = ByteScan.hexValue(span[i &+ 3])
        let low = ByteScan.hexValue(span[i &+ 4])
        return high < 16 && low < 16 ? high &<< 4 | low : nil
    }
}
