// HOT. The flat pieces of the route table: hosts, nodes, and one table of all edges.
import Bytes

/// A hash for names from the configuration; looked up with bytes from outside, filled only from inside.
enum FoldedHash {
    /// Makes A–Z lower case.
    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// FNV-1a over the bytes, lower case if asked for.
    @inline(__always)
    static func hash(_ bytes: UnsafeBufferPointer<UInt8>, seed: UInt64, folding: Bool) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ (seed &* 0x9e37_79b9_7f4a_7c15)
        for i in 0..<bytes.count {
            let byte = unsafe bytes[i]
            hash = (hash ^ UInt64(folding ? lowered(byte) : byte)) &* 0x100_0000_01b3
        }
        return hash ^ hash >> 29
    }
}

/// A place in the trie of one host's paths.
struct TrieNode: Sendable {
    /// The child for a named segment, or -1.
    var parameter: Int32 = -1
    var hasLiterals = false
    /// Routes for exactly this path.
    var exactStart: Int32 = 0
    var exactCount: Int32 = 0
    /// Routes for this path and everything below it.
    var prefixStart: Int32 = 0
    var prefixCount: Int32 = 0
}

/// An open-addressed table from (tag, name) to a number.
struct NameTable: Sendable {
    private struct Entry: Sendable {
        var tag: UInt64
        var start: Int32
        var count: Int32
        var value: Int32
    }

    private var slots: [Entry]
    private var text: [UInt8]
    private let mask: Int
    private let folding: Bool

    /// A table of these names; `folding` ones are found in any case and must be given in lower case.
    init(_ names: [(tag: UInt64, name: [UInt8], value: Int)], folding: Bool) {
        var size = 4
        while size < names.count * 2 { size *= 2 }
        mask = size - 1
        self.folding = folding
        slots = Array(repeating: Entry(tag: 0, start: 0, count: -1, value: -1), count: size)
        text = []
        for (tag, name, value) in names {
            let entry = Entry(tag: tag, start: Int32(text.count), count: Int32(name.count), value: Int32(value))
            text += name
            var at = unsafe name.withUnsafeBufferPointer { unsafe place($0, tag) }
            while slots[at].count >= 0 { at = (at + 1) & mask }
            slots[at] = entry
        }
    }

    private func place(_ name: UnsafeBufferPointer<UInt8>, _ tag: UInt64) -> Int {
        Int(truncatingIfNeeded: unsafe FoldedHash.hash(name, seed: tag, folding: folding)) & mask
    }

    /// The number of a name, or -1.
    @inline(__always)
    func find(_ tag: UInt64, _ name: UnsafeBufferPointer<UInt8>) -> Int {
        var at = unsafe place(name, tag)
        while true {
            let entry = slots[at]
            if entry.count < 0 { return -1 }
            if entry.tag == tag, Int(entry.count) == name.count, unsafe isEqual(entry, name) { return Int(entry.value) }
            at = (at &+ 1) & mask
        }
    }

    @inline(__always)
    private func isEqual(_ entry: Entry, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        for i in 0..<name.count {
            let byte = unsafe folding ? FoldedHash.lowered(name[i]) : name[i]
            if text[Int(entry.start) &+ i] != byte { return false }
        }
        return true
    }
}

/// The roots of all hosts' tries.
struct HostTable: Sendable {
    private let exactNames: NameTable
    private let wildcards: NameTable
    let hasWildcards: Bool
    /// The root for any host, or -1.
    let any: Int

    init(exact: [([UInt8], Int)], wildcards suffixes: [([UInt8], Int)], any: Int) {
        exactNames = NameTable(exact.map { (0, $0.0, $0.1) }, folding: true)
        wildcards = NameTable(suffixes.map { (1, $0.0, $0.1) }, folding: true)
        hasWildcards = !suffixes.isEmpty
        self.any = any
    }

    @inline(__always)
    func exact(_ host: UnsafeBufferPointer<UInt8>) -> Int {
        unsafe AddressHost.isOne(host) ? address(host) : exactNames.find(0, host)
    }

    /// The root for an IPv6 address, in whatever form.
    @inline(never)
    private func address(_ host: UnsafeBufferPointer<UInt8>) -> Int {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: AddressHost.longest) { text in
            let count = unsafe AddressHost.write(host, to: text)
            guard count > 0 else { return unsafe exactNames.find(0, host) }
            return unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<count])
                .withMemoryRebound(to: UInt8.self) { unsafe exactNames.find(0, $0) }
        }
    }

    /// The root for names that end with `suffix`, which begins with a dot.
    @inline(__always)
    func wildcard(_ suffix: UnsafeBufferPointer<UInt8>) -> Int { unsafe wildcards.find(1, suffix) }
}

/// All literal edges of all tries.
struct EdgeTable: Sendable {
    private let names: NameTable

    init(_ edges: [(parent: Int, name: [UInt8], child: Int)]) {
        names = NameTable(edges.map { (UInt64($0.parent), $0.name, $0.child) }, folding: false)
    }

    @inline(__always)
    func child(of parent: Int, _ name: UnsafeBufferPointer<UInt8>) -> Int { unsafe names.find(UInt64(parent), name) }
}
