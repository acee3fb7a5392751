// HOT. From a field name's bytes to its identity: one probe of a small table.
import Bytes

/// An immutable table of the known names, found by length and by the first and last eight bytes without case.
@safe
final class FieldNames: @unchecked Sendable {
    static let shared = FieldNames()

    private struct Entry {
        var head: UInt64
        var tail: UInt64
        var length: Int
        var id: FieldID
    }

    private static let slots = 256
    private let entries: UnsafeMutablePointer<Entry>

    private init() {
        unsafe entries = .allocate(capacity: FieldNames.slots)
        unsafe entries.initialize(
            repeating: Entry(head: 0, tail: 0, length: 0, id: .other),
            count: FieldNames.slots
        )
        for id in FieldID.allCases where id.name.utf8CodeUnitCount > 0 {
            let name = unsafe Span(_unsafeStart: id.name.utf8Start, count: id.name.utf8CodeUnitCount)
            let key = FieldNames.key(name, 0, name.count)
            var slot = FieldNames.slot(key)
            while unsafe entries[slot].length != 0 { slot = (slot &+ 1) & (FieldNames.slots - 1) }
            unsafe entries[slot] = Entry(head: key.head, tail: key.tail, length: name.count, id: id)
        }
    }

    deinit { unsafe entries.deallocate() }

    /// The identity of a name that holds only `[A-Za-z0-9-]` (for which `| 0x20` folds case and nothing else).
    @inline(__always)
    func id(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> FieldID {
        let key = FieldNames.key(input, start, end)
        var slot = FieldNames.slot(key)
        while true {
            let entry = unsafe entries[slot]
            if entry.head == key.head, entry.tail == key.tail, entry.length == end &- start {
                return end &- start <= 16 || middle(input, start, end, entry.id) ? entry.id : .other
            }
            if entry.length == 0 { break }
            slot = (slot &+ 1) & (FieldNames.slots - 1)
        }
        if key.head == 0x7261_7772_6f66_2d78 || key.head == 0x6e69_6769_726f_2d78
            || key.head == 0x7469_7277_6572_2d78 || key.head == 0x2d79_6f76_6e65_2d78
        {
            return family(input, start, end)
        }
        return .other
    }

    @inline(__always)
    private static func key(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> (head: UInt64, tail: UInt64) {
        let bytes = unsafe input.bytes
        let length = end &- start
        let folded: UInt64 = 0x2020_2020_2020_2020
        if length >= 8 {
            let head = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self)
            let tail = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: end &- 8, as: UInt64.self)
            return (head | folded, tail | folded)
        }
        if length >= 4 {
            let head = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self)
            let tail = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: end &- 4, as: UInt32.self)
            return (UInt64(head) | folded, UInt64(tail) | folded)
        }
        var head: UInt64 = 0
        for i in start..<end { head = head &<< 8 | UInt64(input[i]) }
        return (head | folded, 0)
    }

    @inline(__always)
    private static func slot(_ key: (head: UInt64, tail: UInt64)) -> Int {
        let mixed = (key.head ^ (key.tail &<< 29 | key.tail &>> 35)) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed &>> 56)
    }

    /// Whether the bytes between the first and the last eight are those of the name.
    private func middle(_ input: Span<UInt8>, _ start: Int, _ end: Int, _ id: FieldID) -> Bool {
        let want = id.name
        for i in 8..<(end &- start &- 8) where unsafe input[start &+ i] | 0x20 != want.utf8Start[i] { return false }
        return true
    }

    /// The families: `x-forwarded-…` with `x-envoy-…`, `x-original-…`, and `x-rewrite-url`.
    private func family(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> FieldID {
        if FieldNames.hasPrefix(input, start, end, "x-forwarded-") { return .xForwardedOther }
        if FieldNames.hasPrefix(input, start, end, "x-envoy-") { return .xForwardedOther }
        if FieldNames.hasPrefix(input, start, end, "x-original-") { return .xOriginalURL }
        if FieldNames.hasPrefix(input, start, end, "x-rewrite-url"), end &- start == 13 { return .xOriginalURL }
        return .other
    }

    private static func hasPrefix(_ input: Span<UInt8>, _ start: Int, _ end: Int, _ prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard end &- start >= count else { return false }
        for i in 0..<count where unsafe input[start &+ i] | 0x20 != prefix.utf8Start[i] { return false }
        return true
    }
}
