// HOT. The field lines of one message, in memory that is allocated once and reused.
public import Bytes

/// The field lines of a message in their order, with the first place and the number of each known field.
///
/// One per worker and direction; a parser fills it, and the slices are valid as long as the bytes they came from.
@safe
public final class FieldTable {
    /// The greatest number of fields it can hold.
    public let capacity: Int
    /// The number of fields.
    public internal(set) var count = 0
    /// The offset behind the last field line, which is where the empty line starts.
    public internal(set) var end = 0
    /// Whether some field's name holds a byte outside `[A-Za-z0-9-]`.
    public internal(set) var hasUnusualNames = false

    private let storage: UnsafeMutablePointer<Field>
    /// For each known field its first index plus one (low half) and its number (high half).
    private let places: UnsafeMutablePointer<UInt32>
    let names: FieldNames

    /// A table for up to `capacity` fields.
    public init(capacity: Int = 100) {
        self.capacity = max(1, min(capacity, 4096))
        unsafe storage = .allocate(capacity: self.capacity)
        unsafe places = .allocate(capacity: FieldTable.identities)
        unsafe places.initialize(repeating: 0, count: FieldTable.identities)
        names = FieldNames.shared
    }

    private static let identities = 128

    deinit {
        unsafe storage.deallocate()
        unsafe places.deallocate()
    }

    /// Forgets all fields.
    @inline(__always)
    public func removeAll() {
        for i in 0..<count {
            let id = unsafe storage[i].id
            unsafe places[Int(id.rawValue)] = 0
        }
        count = 0
        end = 0
        hasUnusualNames = false
    }

    /// The field at an index below `count`.
    public subscript(index: Int) -> Field {
        @inline(__always) get {
            precondition(index >= 0 && index < count)
            return unsafe storage[index]
        }
        @inline(__always) set {
            precondition(index >= 0 && index < count)
            unsafe storage[index] = newValue
        }
    }

    /// Marks a field as one that is not copied onwards.
    @inline(__always)
    public func drop(_ index: Int) {
        precondition(index >= 0 && index < count)
        unsafe storage[index].isDropped = true
    }

    /// Index of the first field of that kind, -1 if there is none.
    @inline(__always)
    public func first(_ id: FieldID) -> Int {
        let place = unsafe places[Int(id.rawValue)]
        return Int(place & 0xffff) &- 1
    }

    /// Index of the next field of that kind behind `index`, -1 if there is none.
    public func next(_ id: FieldID, after index: Int) -> Int {
        var i = index &+ 1
        while i < count {
            if unsafe storage[i].id == id { return i }
            i &+= 1
        }
        return -1
    }

    /// What the field's name becomes at servers that fold it: everything but letters and digits to `-`, runs of them to
    /// one, none at the ends.
    ///
    /// For names with unusual bytes, whose own identity is `other`. 64 bytes of what they become tell it, because only
    /// families, which are known by how they begin, have longer names.
    public func foldedID(_ index: Int, from base: UnsafePointer<UInt8>) -> FieldID {
        let name = self[index].name
        return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { folded in
            var count = 0
            for i in name.start..<name.end where count < 64 {
                let byte = unsafe base[i]
                let isUsual = (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10
                if !isUsual, count == 0 || (unsafe folded[count &- 1] == 0x2d) { continue }
                unsafe folded[count] = isUsual ? byte : 0x2d
                count &+= 1
            }
            if count > 0, unsafe folded[count &- 1] == 0x2d { count &-= 1 }
            return names.id(unsafe Span(_unsafeElements: UnsafeBufferPointer(rebasing: folded[..<count])), 0, count)
        }
    }

    /// The number of fields of that kind.
    @inline(__always)
    public func count(_ id: FieldID) -> Int {
        Int(unsafe places[Int(id.rawValue)] >> 16)
    }

    /// Adds a field; false when the table is full.
    @inline(__always)
    func append(_ field: Field) -> Bool {
        guard count < capacity else { return false }
        unsafe storage[count] = field
        let id = Int(field.id.rawValue)
        let place = unsafe places[id]
        count &+= 1
        unsafe places[id] = place == 0 ? 0x1_0000 | UInt32(truncatingIfNeeded: count) : place &+ 0x1_0000
        return true
    }

    /// Appends every field that is not dropped to `output`, each as `name: value` CRLF; `base` is what was parsed.
    ///
    /// Lines that stand side by side and are plain are copied in one piece.
    public func writeKept(from base: UnsafePointer<UInt8>, to output: OutputBuffer) {
        var i = 0
        while i < count {
            let field = unsafe storage[i]
            i &+= 1
            if field.isDropped { continue }
            if field.isPlain {
                let start = field.name.start
                var stop = field.value.end &+ 2
                while i < count {
                    let next = unsafe storage[i]
                    guard next.isPlain, !next.isDropped, next.name.start == stop else { break }
                    stop = next.value.end &+ 2
                    i &+= 1
                }
                unsafe output.append(base, Slice(start, stop))
            } else {
                unsafe output.append(base, field.name)
                output.append(": ")
                unsafe output.append(base, field.value)
                output.append("\r\n")
            }
        }
    }
}
