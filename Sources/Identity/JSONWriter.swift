// COLD. Writes JSON values again that were read from a token.
import Bytes
import JOSE

/// Writes JSON.
enum JSONWriter {
    /// A string of UTF-8 bytes, in quotes.
    static func append(string: UnsafeBufferPointer<UInt8>, to out: OutputBuffer) {
        out.append(byte: 0x22)
        for i in 0..<string.count {
            let byte = unsafe string[i]
            switch byte {
            case 0x22, 0x5c:
                out.append(byte: 0x5c)
                out.append(byte: byte)
            case 0..<0x20, 0x7f:
                out.append("\\u")
                out.append(hex: UInt64(byte), digits: 4)
            default: out.append(byte: byte)
            }
        }
        out.append(byte: 0x22)
    }

    /// A value of a document; its depth was limited when it was read.
    static func append(_ node: Int, of document: JSONDocument, to out: OutputBuffer) {
        switch document.kind(node) {
        case .null: out.append("null")
        case .no: out.append("false")
        case .yes: out.append("true")
        case .integer, .decimal: unsafe out.append(document.text(node))
        case .string: unsafe append(string: document.text(node), to: out)
        case .array:
            out.append("[")
            each(node, of: document, out) { append($0, of: document, to: out) }
            out.append("]")
        case .object:
            out.append("{")
            each(node, of: document, out) { child in
                unsafe append(string: document.key(child), to: out)
                out.append(":")
                append(child, of: document, to: out)
            }
            out.append("}")
        }
    }

    private static func each(_ node: Int, of document: JSONDocument, _ out: OutputBuffer, _ body: (Int) -> Void) {
        var child = document.firstChild(node)
        for index in 0..<document.childCount(node) {
            if index > 0 { out.append(",") }
            body(child)
            child = document.next(child)
        }
    }
}
