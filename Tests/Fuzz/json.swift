// COLD. JSON documents: what is accepted can be written again, reads the same then, and is in order.
import Bytes
import JOSE

private final class Documents: @unchecked Sendable {
    static let shared = Documents()
    let first = JSONDocument(capacity: 16, nodes: 4)
    let second = JSONDocument(capacity: 16, nodes: 4)
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let document = Documents.shared.first
    guard parse(bytes, count, into: document) else {
        check(document.nodeCount == 0, "values are left after an error")
        return 0
    }
    check(document.next(0) == document.nodeCount, "more than one value")
    var text: [UInt8] = []
    write(document, 0, to: &text, depth: 0)
    let again = Documents.shared.second
    let isSame = text.withUnsafeBufferPointer { buffer -> Bool in
        guard let base = buffer.baseAddress else { return false }
        return parse(base, buffer.count, into: again)
    }
    check(isSame && again.nodeCount == document.nodeCount, "written again it is refused")
    var third: [UInt8] = []
    write(again, 0, to: &third, depth: 0)
    check(third == text, "written again it differs")
    return 0
}

private func parse(_ bytes: UnsafePointer<UInt8>, _ count: Int, into document: JSONDocument) -> Bool {
    withCopy(bytes, count) { text in
        do throws(JSONError) {
            try document.parse(text)
            return true
        } catch {
            return false
        }
    }
}

/// Writes a value and its descendants, checking their order, their strings and the names of their members.
private func write(_ document: JSONDocument, _ index: Int, to text: inout [UInt8], depth: Int) {
    check(depth <= 17, "too deep")
    let kind = document.kind(index)
    switch kind {
    case .string: write(string: document.text(index), to: &text)
    case .integer, .decimal, .yes, .no, .null:
        check(!document.text(index).isEmpty, "empty scalar")
        if document.integer(index) != nil { check(kind == .integer, "integer") }
        text.append(contentsOf: document.text(index))
    case .array, .object:
        text.append(kind == .array ? 0x5b : 0x7b)
        var child = document.firstChild(index)
        check(document.childCount(index) == 0 || child == index + 1, "first child")
        for place in 0..<document.childCount(index) {
            if place > 0 { text.append(0x2c) }
            if kind == .object {
                let key = document.key(child)
                var empty: UInt8 = 0
                let found = withUnsafePointer(to: &empty) {
                    document.member(index, key.baseAddress ?? $0, key.count)
                }
                check(found == child, "a name stands twice")
                write(string: key, to: &text)
                text.append(0x3a)
            }
            write(document, child, to: &text, depth: depth + 1)
            check(document.next(child) > child, "order")
            child = document.next(child)
        }
        check(document.childCount(index) == 0 || child == document.next(index), "last child")
        text.append(kind == .array ? 0x5d : 0x7d)
    }
}

private func write(string: UnsafeBufferPointer<UInt8>, to text: inout [UInt8]) {
    check(String(validating: string, as: UTF8.self) != nil, "not UTF-8")
    let hex = Array("0123456789abcdef".utf8)
    text.append(0x22)
    for byte in string {
        switch byte {
        case 0x22, 0x5c: text += [0x5c, byte]
        case 0..<0x20: text += [0x5c, 0x75, 0x30, 0x30, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
        default: text.append(byte)
        }
    }
    text.append(0x22)
}
