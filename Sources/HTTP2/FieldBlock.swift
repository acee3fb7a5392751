// HOT. A compressed field section from outside: where its fields begin and end, without undoing the compression.

/// The representations of a field section (RFC 7541 §6), as far as their lengths go.
struct FieldBlock {
    /// A value's place: `lengthStart` is where its length is told, `start` where its bytes begin.
    struct Value {
        var lengthStart: Int
        var start: Int
        var count: Int
    }

    /// `authorization` in the static table (RFC 7541 appendix A).
    static let authorization = 23

    private let bytes: UnsafePointer<UInt8>
    private let count: Int
    private var at = 0

    init(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        self.bytes = bytes
        self.count = count
    }

    /// The Huffman-coded value of the only field that is named `authorization` by the static table and is not indexed.
    ///
    /// Nil when there is none or more than one, or when the section is not whole and well formed.
    var credential: Value? {
        var block = self
        return block.findCredential()
    }

    private mutating func findCredential() -> Value? {
        var found: Value?
        while at < count {
            let first = bytes[at]
            if first & 0x80 != 0 {
                guard integer(7) > 0 else { return nil }
            } else if first & 0xe0 == 0x20 {
                guard integer(5) >= 0 else { return nil }
            } else {
                let isIndexed = first & 0x40 != 0
                let name = integer(isIndexed ? 6 : 4)
                guard name >= 0 else { return nil }
                if name == 0, string() == nil { return nil }
                guard let value = string() else { return nil }
                guard !isIndexed, name == Self.authorization else { continue }
                if found != nil { return nil }
                found = value
                if bytes[value.lengthStart] & 0x80 == 0 { return nil }
            }
        }
        return found
    }

    /// An integer with a prefix of `bits` (RFC 7541 §5.1); negative when it is cut or too large.
    @inline(__always)
    private mutating func integer(_ bits: Int) -> Int {
        guard at < count else { return -1 }
        let most = (1 &<< bits) &- 1
        var value = Int(bytes[at]) & most
        at &+= 1
        if value < most { return value }
        var shift = 0
        while at < count, shift <= 21 {
            let byte = Int(bytes[at])
            at &+= 1
            value &+= (byte & 127) &<< shift
            if byte & 128 == 0 { return value }
            shift &+= 7
        }
        return -1
    }

    /// Passes by a string (RFC 7541 §5.2).
    @inline(__always)
    private mutating func string() -> Value? {
        let lengthStart = at
        let length = integer(7)
        guard length >= 0, length <= count &- at else { return nil }
        let start = at
        at &+= length
        return Value(lengthStart: lengthStart, start: start, count: length)
    }
}
