// HOT. One parsed JSON text: its bytes and a flat list of its values, reused from text to text.
internal import Bytes
import Glibc

/// What a JSON value is.
public enum JSONKind: UInt8, Sendable {
    case null, no, yes
    /// A number without fraction and exponent.
    case integer
    /// Any other number.
    case decimal
    case string, array, object
}

/// One value of a document.
struct JSONNode {
    /// Name in the enclosing object, unescaped; empty in arrays.
    var key: Slice
    /// Bytes of a scalar, unescaped for strings; for arrays and objects, the whole text as far as known.
    var value: Slice
    /// Index behind the last descendant.
    var next: UInt32
    /// Number of children.
    var count: UInt32
    /// Length and three bytes of the name, to tell names apart quickly.
    var mark: UInt32
    var kind: JSONKind
}

/// Bounds of what is parsed.
public struct JSONLimits: Sendable {
    /// Arrays and objects within each other, at most 32.
    public var depth: Int
    /// Values in all.
    public var nodes: Int

    /// Bounds; the defaults are those of tokens.
    public init(depth: Int = 16, nodes: Int = 4096) {
        self.depth = min(depth, 32)
        self.nodes = nodes
    }
}

/// What is wrong with a JSON text.
public enum JSONError: UInt8, Error, Sendable { case syntax, encoding, duplicateName, tooDeep, tooLarge }

/// A JSON text and the flat list of its values, in order of appearance; value 0 is the text's own.
///
/// Strings are unescaped in place. Indices and pointers are valid until the next `parse`. Owned by one thread while
/// it is parsed into; never changed afterwards when it is part of ``Claims`` that were kept.
@safe
public final class JSONDocument {
    private(set) var bytes: UnsafeMutablePointer<UInt8>
    private(set) var capacity: Int
    private(set) var nodes: UnsafeMutablePointer<JSONNode>
    private(set) var nodeCapacity: Int
    /// Bytes of the text.
    var count = 0
    /// Number of values; 0 before a text was parsed.
    public internal(set) var nodeCount = 0

    /// An empty document with room for `capacity` bytes and `nodes` values; both grow.
    public init(capacity: Int, nodes: Int = 64) {
        self.capacity = max(capacity, 16)
        nodeCapacity = max(nodes, 4)
        unsafe bytes = .allocate(capacity: self.capacity)
        unsafe self.nodes = .allocate(capacity: nodeCapacity)
    }

    /// A copy with no room to spare.
    init(copying other: JSONDocument) {
        capacity = max(other.count, 1)
        nodeCapacity = max(other.nodeCount, 1)
        unsafe bytes = .allocate(capacity: capacity)
        unsafe nodes = .allocate(capacity: nodeCapacity)
        count = other.count
        nodeCount = other.nodeCount
        unsafe memcpy(bytes, other.bytes, count)
        unsafe memcpy(nodes, other.nodes, nodeCount &* MemoryLayout<JSONNode>.stride)
    }

    deinit {
        unsafe bytes.deallocate()
        unsafe nodes.deallocate()
    }

    /// Forgets the text and returns where `count` bytes of a new one can be written.
    @unsafe
    func prepare(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        nodeCount = 0
        self.count = 0
        if capacity < count {
            unsafe bytes.deallocate()
            capacity = count
            unsafe bytes = .allocate(capacity: count)
        }
        return unsafe bytes
    }

    /// Copies and parses a text (cold paths).
    public func parse(_ text: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let place = unsafe prepare(text.count)
        unsafe text.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { unsafe memcpy(place, start, source.count) }
        }
        count = text.count
        try parse(limits: limits)
    }

    /// Parses the `count` bytes that were written to `bytes`.
    func parse(limits: JSONLimits) throws(JSONError) {
        nodeCount = 0
        var text = unsafe MutableSpan<UInt8>(_unsafeStart: bytes, count: count)
        do throws(JSONError) {
            try JSONParser.parse(&text, into: self, limits: limits)
        } catch {
            nodeCount = 0
            throw error
        }
    }

    /// Adds a value and returns its index.
    @inline(__always)
    func append(_ node: JSONNode) -> Int {
        let index = nodeCount
        if index == nodeCapacity { growNodes() }
        unsafe nodes[index] = node
        nodeCount = index &+ 1
        return index
    }

    @inline(never)
    private func growNodes() {
        let larger = UnsafeMutablePointer<JSONNode>.allocate(capacity: nodeCapacity * 2)
        unsafe memcpy(larger, nodes, nodeCount &* MemoryLayout<JSONNode>.stride)
        unsafe nodes.deallocate()
        unsafe nodes = larger
        nodeCapacity *= 2
    }

    @inline(__always)
    func node(_ index: Int) -> JSONNode {
        precondition(index >= 0 && index < nodeCount, "no such value")
        return unsafe nodes[index]
    }

    // MARK: Reading

    /// What a value is.
    public func kind(_ index: Int) -> JSONKind { node(index).kind }

    /// Number of a value's children.
    public func childCount(_ index: Int) -> Int { Int(node(index).count) }

    /// Index of a value's first child, or -1.
    public func firstChild(_ index: Int) -> Int { node(index).count == 0 ? -1 : index &+ 1 }

    /// Index of the value behind this one and its descendants: its next sibling, if it has one.
    public func next(_ index: Int) -> Int { Int(node(index).next) }

    /// Bytes of a scalar: a string unescaped, a number or literal as written; empty for arrays and objects.
    public func text(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        let value = node(index).value
        return unsafe UnsafeBufferPointer(start: bytes + value.start, count: value.count)
    }

    /// Name of a member, unescaped; empty for other values.
    public func key(_ index: Int) -> UnsafeBufferPointer<UInt8> {
        let key = node(index).key
        return unsafe UnsafeBufferPointer(start: bytes + key.start, count: key.count)
    }

    /// Index of the member with this name, or -1; -1 as well if the value is no object.
    @unsafe
    public func member(_ index: Int, _ name: UnsafePointer<UInt8>, _ length: Int) -> Int {
        let object = node(index)
        guard object.kind == .object else { return -1 }
        var child = index &+ 1
        let end = Int(object.next)
        while child < end {
            let key = unsafe nodes[child].key
            if key.count == length, unsafe memcmp(bytes + key.start, name, length) == 0 { return child }
            child = unsafe Int(nodes[child].next)
        }
        return -1
    }

    /// Index of the member with this name, or -1.
    public func member(_ index: Int, _ name: StaticString) -> Int {
        unsafe member(index, name.utf8Start, name.utf8CodeUnitCount)
    }

    /// An integer, or nil if it is none or does not fit.
    public func integer(_ index: Int) -> Int64? {
        let node = node(index)
        guard node.kind == .integer else { return nil }
        return unsafe DecimalText.integer(bytes + node.value.start, node.value.count)
    }

    /// A string's or number's text (cold paths).
    public func string(_ index: Int) -> String { unsafe String(decoding: text(index), as: UTF8.self) }

    /// A string's bytes, or nil if the value is no string (cold paths).
    public func stringBytes(_ index: Int) -> [UInt8]? {
        guard index >= 0, kind(index) == .string else { return nil }
        return unsafe Array(text(index))
    }
}

/// Decimal digits to numbers.
enum DecimalText {
    /// The value of `-?[0-9]+`, or nil beyond 18 digits.
    @unsafe
    static func integer(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
        var i = 0
        let negative = count > 0 && (unsafe text[0] == 0x2d)
        if negative { i = 1 }
        guard count &- i <= 18, count > i else { return nil }
        var value: Int64 = 0
        while i < count {
            value = unsafe value &* 10 &+ Int64(text[i] &- 0x30)
            i &+= 1
        }
        return negative ? 0 &- value : value
    }
}
