// HOT. JSON text (RFC 8259) to a flat list of values: one pass, no recursion, no allocation of its own.
internal import Bytes

/// The parser of ``JSONDocument``: strict grammar, valid UTF-8, no name twice in an object, bounded depth and count.
enum JSONParser {
    static func parse(
        _ text: inout MutableSpan<UInt8>,
        into document: JSONDocument,
        limits: JSONLimits
    ) throws(JSONError) {
        let count = text.count
        var open = InlineArray<33, Int>(repeating: 0)
        var depth = 0
        var i = 0
        var key = Slice()
        var mark: UInt32 = 0
        while true {
            skipSpace(text, &i)
            guard i < count else { throw .syntax }
            guard document.nodeCount < limits.nodes else { throw .tooLarge }
            let first = text[i]
            let here = document.nodeCount
            var node = JSONNode(
                key: key,
                value: Slice(i, i),
                next: UInt32(here &+ 1),
                count: 0,
                mark: mark,
                kind: .null
            )
            key = Slice()
            mark = 0
            switch first {
            case 0x22:
                i &+= 1
                node.kind = .string
                node.value = try JSONStrings.scan(&text, &i)
                _ = document.append(node)
            case 0x7b, 0x5b:
                guard depth < limits.depth else { throw .tooDeep }
                node.kind = first == 0x7b ? .object : .array
                _ = document.append(node)
                i &+= 1
                skipSpace(text, &i)
                guard i < count else { throw .syntax }
                if text[i] != first &+ 2 {
                    open[depth] = here
                    depth &+= 1
                    if first == 0x7b { try name(&text, &i, in: here, of: document, &key, &mark) }
                    continue
                }
                i &+= 1
            case 0x2d, 0x30...0x39:
                let start = i
                node.kind = try number(text, &i)
                node.value = Slice(start, i)
                _ = document.append(node)
            default:
                let start = i
                node.kind = try literal(text, &i)
                node.value = Slice(start, i)
                _ = document.append(node)
            }
            // A value is complete: go on in the enclosing one, closing as many as end here.
            while true {
                skipSpace(text, &i)
                if depth == 0 {
                    guard i == count else { throw .syntax }
                    return
                }
                guard i < count else { throw .syntax }
                let parent = open[depth &- 1]
                let kind = unsafe document.nodes[parent].kind
                unsafe document.nodes[parent].count &+= 1
                let byte = text[i]
                i &+= 1
                if byte == 0x2c {
                    if kind == .object {
                        skipSpace(text, &i)
                        try name(&text, &i, in: parent, of: document, &key, &mark)
                    }
                    break
                }
                guard byte == (kind == .object ? 0x7d : 0x5d) else { throw .syntax }
                unsafe document.nodes[parent].next = UInt32(document.nodeCount)
                if kind == .object, unsafe document.nodes[parent].count > fewNames {
                    try ManyNames.check(parent, of: document)
                }
                depth &-= 1
            }
        }
    }

    @inline(__always)
    private static func skipSpace(_ text: borrowing MutableSpan<UInt8>, _ i: inout Int) {
        while i < text.count {
            let byte = text[i]
            guard byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return }
            i &+= 1
        }
    }

    /// Up to this many members are compared with each other; more are checked by a table when the object ends.
    private static let fewNames: UInt32 = 16

    /// Reads `"name" :`, and refuses a name that the object already has.
    @inline(__always)
    private static func name(
        _ text: inout MutableSpan<UInt8>,
        _ i: inout Int,
        in object: Int,
        of document: JSONDocument,
        _ key: inout Slice,
        _ mark: inout UInt32
    ) throws(JSONError) {
        guard i < text.count, text[i] == 0x22 else { throw .syntax }
        i &+= 1
        key = try JSONStrings.scan(&text, &i)
        skipSpace(text, &i)
        guard i < text.count, text[i] == 0x3a else { throw .syntax }
        i &+= 1
        let length = key.count
        if length > 0 {
            let first = UInt32(text[key.start])
            let middle = UInt32(text[key.start &+ length / 2])
            let last = UInt32(text[key.end &- 1])
            mark = UInt32(truncatingIfNeeded: length) & 0xff | first << 8 | middle << 16 | last << 24
        }
        // Beyond a few members, the table at the object's end finds what this would find.
        guard unsafe document.nodes[object].count < fewNames else { return }
        var sibling = object &+ 1
        let end = document.nodeCount
        while sibling < end {
            let node = unsafe document.nodes + sibling
            if unsafe node.pointee.mark == mark, unsafe equal(text, node.pointee.key, key) { throw .duplicateName }
            sibling = unsafe Int(node.pointee.next)
        }
    }

    private static func equal(_ text: borrowing MutableSpan<UInt8>, _ a: Slice, _ b: Slice) -> Bool {
        guard a.count == b.count else { return false }
        var i = 0
        while i < a.count {
            if text[a.start &+ i] != text[b.start &+ i] { return false }
            i &+= 1
        }
        return true
    }

    /// RFC 8259 §6: no plus, no leading zero, digits around the point.
    private static func number(_ text: borrowing MutableSpan<UInt8>, _ i: inout Int) throws(JSONError) -> JSONKind {
        if text[i] == 0x2d { i &+= 1 }
        let start = i
        let whole = digits(text, &i)
        guard whole > 0, whole == 1 || text[start] != 0x30 else { throw .syntax }
        var kind = JSONKind.integer
        if i < text.count, text[i] == 0x2e {
            i &+= 1
            kind = .decimal
            guard digits(text, &i) > 0 else { throw .syntax }
        }
        if i < text.count, text[i] | 0x20 == 0x65 {
            i &+= 1
            kind = .decimal
            if i < text.count, text[i] == 0x2b || text[i] == 0x2d { i &+= 1 }
            guard digits(text, &i) > 0 else { throw .syntax }
        }
        return kind
    }

    @inline(__always)
    private static func digits(_ text: borrowing MutableSpan<UInt8>, _ i: inout Int) -> Int {
        let start = i
        while i < text.count, text[i] &- 0x30 < 10 { i &+= 1 }
        return i &- start
    }

    private static func literal(_ text: borrowing MutableSpan<UInt8>, _ i: inout Int) throws(JSONError) -> JSONKind {
        let rest = text.count &- i
        let four =
            rest >= 4
            ? UInt32(text[i]) << 24 | UInt32(text[i &+ 1]) << 16 | UInt32(text[i &+ 2]) << 8 | UInt32(text[i &+ 3]) : 0
        switch four {
        case 0x7472_7565:
            i &+= 4
            return .yes
        case 0x6e75_6c6c:
            i &+= 4
            return .null
        case 0x6661_6c73 where rest >= 5 && text[i &+ 4] == 0x65:
            i &+= 5
            return .no
        default: throw .syntax
        }
    }
}

/// The duplicate check of objects with many members: a table with a secret hash, so that it cannot be made slow.
enum ManyNames {
    private static let hash = KeyedHash()

    @inline(never)
    static func check(_ object: Int, of document: JSONDocument) throws(JSONError) {
        let count = unsafe Int(document.nodes[object].count)
        var size = 64
        while size < count * 2 { size *= 2 }
        var table = [UInt32](repeating: 0, count: size)
        var child = object + 1
        for _ in 0..<count {
            let key = unsafe document.nodes[child].key
            var place = unsafe Int(truncatingIfNeeded: hash.hash(document.bytes + key.start, key.count)) & (size - 1)
            while table[place] != 0 {
                let other = unsafe document.nodes[Int(table[place])].key
                if unsafe other.count == key.count
                    && Scan.equal(document.bytes + other.start, document.bytes + key.start, key.count)
                {
                    throw .duplicateName
                }
                place = (place + 1) & (size - 1)
            }
            table[place] = UInt32(child)
            child = unsafe Int(document.nodes[child].next)
        }
    }
}
