// COLD. How the tests call the parsers: strings in, plain values out.
import Bytes
import HTTP

/// A byte sequence from text in which `\u{80}`…`\u{ff}` stand for the single bytes.
func latin1(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}

/// A parsed request with the bytes it points into.
struct ParsedRequest {
    let bytes: [UInt8]
    let head: RequestHead
    let outcome: ParseOutcome

    init(_ bytes: [UInt8], limits: HeadLimits = HeadLimits(), head: RequestHead = RequestHead()) {
        self.bytes = bytes
        self.head = head
        outcome = RequestParser.parse(bytes.span, into: head, limits: limits)
    }

    init(_ text: String, limits: HeadLimits = HeadLimits()) {
        self.init(latin1(text), limits: limits)
    }

    /// The error, nil if there was none.
    var error: ProtocolError? {
        if case .refuse(let error) = outcome { return error }
        return nil
    }

    func text(_ slice: Slice) -> String { HTTPTests.text(bytes, slice) }

    /// `name: value` of every field that would be passed on.
    var kept: [String] { lines(bytes, head.fields) { !$0.isDropped } }

    /// What `writeKept` writes.
    var written: String { HTTPTests.written(bytes, head.fields) }
}

/// A parsed response with the bytes it points into.
struct ParsedResponse {
    let bytes: [UInt8]
    let head = ResponseHead()
    let outcome: ParseOutcome

    init(_ text: String, to method: Method = .get, limits: HeadLimits = .response) {
        let bytes = latin1(text)
        self.bytes = bytes
        outcome = ResponseParser.parse(bytes.span, requestMethod: method, into: head, limits: limits)
    }

    var error: ProtocolError? {
        if case .refuse(let error) = outcome { return error }
        return nil
    }

    func text(_ slice: Slice) -> String { HTTPTests.text(bytes, slice) }

    var kept: [String] { lines(bytes, head.fields) { !$0.isDropped } }
}

func text(_ bytes: [UInt8], _ slice: Slice) -> String {
    String(decoding: bytes[slice.start..<slice.end], as: UTF8.self)
}

func lines(_ bytes: [UInt8], _ fields: FieldTable, where include: (Field) -> Bool) -> [String] {
    (0..<fields.count).filter { include(fields[$0]) }.map {
        "\(text(bytes, fields[$0].name)): \(text(bytes, fields[$0].value))"
    }
}

func written(_ bytes: [UInt8], _ fields: FieldTable) -> String {
    let output = OutputBuffer(capacity: 64)
    bytes.withUnsafeBufferPointer { buffer in
        if let base = buffer.baseAddress { fields.writeKept(from: base, to: output) }
    }
    return String(decoding: output.bytes, as: UTF8.self)
}

/// The canonical form of a path and its query, or why there is none.
func canonical(_ target: String, encodedSlashes: Bool = false, capacity: Int = 8192) -> Result<String, ProtocolError> {
    let alone = canonical(latin1(target), target.unicodeScalars.count, encodedSlashes, capacity)
    // The rest of the request behind it changes nothing.
    let bytes = latin1(target + " HTTP/1.1\r\nHost: example.com\r\n\r\n")
    let inRequest = canonical(bytes, target.unicodeScalars.count, encodedSlashes, capacity)
    return alone == inRequest ? alone : .success("two forms")
}

private func canonical(
    _ bytes: [UInt8],
    _ count: Int,
    _ encodedSlashes: Bool,
    _ capacity: Int
) -> Result<String, ProtocolError> {
    let canonical = CanonicalTarget(capacity: capacity)
    let options = CanonicalTarget.Options(encodedSlashes: encodedSlashes)
    if let error = canonical.canonicalize(bytes.span, target: Slice(0, count), options: options) {
        return .failure(error)
    }
    let query = canonical.hasQuery ? "?" + text(bytes, canonical.query) : ""
    return .success(String(decoding: canonical.path, as: UTF8.self) + query)
}

/// A small but complete request whose head holds these lines.
func request(_ lines: String..., method: String = "GET", version: String = "1.1", host: Bool = true) -> String {
    let all = ["\(method) / HTTP/\(version)"] + (host ? ["Host: a"] : []) + lines
    return all.joined(separator: "\r\n") + "\r\n\r\n"
}

/// A small but complete response whose head holds these lines.
func response(_ lines: String..., status: Int = 200, version: String = "1.1") -> String {
    (["HTTP/\(version) \(status) X"] + lines).joined(separator: "\r\n") + "\r\n\r\n"
}

/// What a chunked body decodes to, what follows its last chunk's line, and the error.
struct DecodedChunks: Equatable {
    var data = ""
    var rest: String?
    var error: ProtocolError?

    /// Decodes `text` given in pieces of at most `piece` bytes.
    init(_ text: String, piece: Int = .max) {
        let bytes = latin1(text)
        var decoder = ChunkedDecoder()
        var start = 0
        while start < bytes.count {
            let end = piece < bytes.count - start ? start + piece : bytes.count
            let part = Array(bytes[start..<end])
            var offset = 0
            steps: while true {
                switch decoder.next(part.span, at: &offset) {
                case .data(let slice): data += HTTPTests.text(part, slice)
                case .needMore: break steps
                case .refuse(let error):
                    self.error = error
                    return
                case .trailers:
                    rest = String(decoding: bytes[(start + offset)...], as: UTF8.self)
                    return
                }
            }
            start = end
        }
    }
}

/// A parsed trailer section.
struct ParsedTrailers {
    let bytes: [UInt8]
    let fields = FieldTable(capacity: 10)
    let outcome: ParseOutcome
    let end: Int

    init(_ text: String, from start: Int = 0, limits: HeadLimits = HeadLimits()) {
        let bytes = latin1(text)
        self.bytes = bytes
        (outcome, end) = TrailerParser.parse(bytes.span, from: start, into: fields, limits: limits)
    }

    var kept: [String] { lines(bytes, fields) { !$0.isDropped } }
}

extension CanonicalTarget {
    /// Canonicalises all of the bytes.
    func read(_ bytes: [UInt8]) -> ProtocolError? {
        canonicalize(bytes.span, target: Slice(0, bytes.count))
    }
}
