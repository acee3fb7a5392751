// COLD. Hand-made frames, a scripted client and backend, and codecs joined back to back.
import Bytes
import HTTP
import HTTP2

/// Field lines in order.
typealias Fields = [(String, String)]

/// Bytes of frames, made by hand (RFC 9113 §4.1) with literal field lines (RFC 7541 §6.2.2).
struct Frames {
    var bytes: [UInt8] = []

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    /// A client's beginning: the preface and empty SETTINGS.
    static var opening: Frames {
        var frames = Frames(bytes: preface)
        frames.add(4, 0, 0, [])
        return frames
    }

    mutating func add(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8], length: Int? = nil) {
        let length = length ?? payload.count
        bytes += [UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255), type, flags]
        bytes += Self.word(stream)
        bytes += payload
    }

    static func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - $0 * 8)) } }

    static func text(_ text: String) -> [UInt8] { integer(text.utf8.count) + Array(text.utf8) }

    static func integer(_ value: Int) -> [UInt8] {
        if value < 127 { return [UInt8(value)] }
        var out: [UInt8] = [127]
        var rest = value - 127
        while rest >= 128 {
            out.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }

    static func block(_ fields: Fields) -> [UInt8] {
        fields.flatMap { name, value in [0] + text(name) + text(value) }
    }

    mutating func headers(_ stream: Int, _ fields: Fields, ends: Bool = true) {
        add(1, ends ? 5 : 4, stream, Self.block(fields))
    }

    mutating func get(_ stream: Int, _ path: String = "/", ends: Bool = true, fields: Fields = []) {
        headers(stream, Self.request("GET", path) + fields, ends: ends)
    }

    mutating func data(_ stream: Int, _ content: String, ends: Bool = false) {
        add(0, ends ? 1 : 0, stream, Array(content.utf8))
    }

    mutating func reset(_ stream: Int, _ code: Int = 8) { add(3, 0, stream, Self.word(code)) }
    mutating func window(_ stream: Int, _ increment: Int) { add(8, 0, stream, Self.word(increment)) }
    mutating func settings(_ entries: [(Int, Int)]) {
        add(4, 0, 0, entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + Self.word($0.1) })
    }

    static func request(
        _ method: String,
        _ path: String,
        scheme: String = "http",
        host: String = "example.org"
    )
        -> Fields
    {
        [(":method", method), (":scheme", scheme), (":path", path), (":authority", host)]
    }
}

/// One frame that a codec wrote.
struct WrittenFrame: Equatable {
    var type: UInt8
    var flags: UInt8
    var stream: Int
    var payload: [UInt8]

    var code: Int { type == 7 ? Self.word(payload, 4) : Self.word(payload, 0) }

    static func word(_ bytes: [UInt8], _ at: Int) -> Int {
        guard bytes.count >= at + 4 else { return -1 }
        return (0..<4).reduce(0) { $0 << 8 | Int(bytes[at + $1]) }
    }

    static func parse(_ bytes: [UInt8]) -> [WrittenFrame] {
        var frames: [WrittenFrame] = []
        var i = bytes.starts(with: Frames.preface) ? 24 : 0
        while i + 9 <= bytes.count {
            let length = Int(bytes[i]) << 16 | Int(bytes[i + 1]) << 8 | Int(bytes[i + 2])
            let end = min(bytes.count, i + 9 + length)
            frames.append(
                WrittenFrame(
                    type: bytes[i + 3],
                    flags: bytes[i + 4],
                    stream: word(bytes, i + 5),
                    payload: Array(bytes[(i + 9)..<end])
                )
            )
            i = end
        }
        return frames
    }
}

func string(_ bytes: UnsafeBufferPointer<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

func withBytes<T>(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) -> T) -> T {
    var text = text
    return text.withUTF8 { body($0) }
}

/// Makes codecs; one pool for all of them, as a worker has.
func workspace() -> HTTP2Workspace { HTTP2Workspace(pool: BufferPool(size: 4096, kept: 64)) }

/// A server codec with a scripted client.
final class ServerEnd {
    let codec: ServerCodec
    var events: [String] = []
    var heads: [Int32: String] = [:]
    var content: [Int32: String] = [:]
    /// Streams whose content is passed on at once.
    var consumes = true
    /// What to do with each request.
    var answer: ((ServerEnd, Int32) -> Void)?

    init(_ limits: HTTP2Limits = HTTP2Limits(), isTLS: Bool = false) {
        codec = ServerCodec(limits: limits, isTLS: isTLS, workspace: workspace())
    }

    func feed(_ frames: Frames, piece: Int = .max) { feed(frames.bytes, piece: piece) }

    func feed(_ bytes: [UInt8], piece: Int = .max) {
        var start = 0
        repeat {
            let end = min(bytes.count, piece == .max ? bytes.count : start + piece)
            pull(Array(bytes[start..<end]))
            start = end
        } while start < bytes.count
    }

    private func pull(_ bytes: [UInt8]) {
        (bytes + [0]).withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var offset = 0
            while true {
                let event = codec.next(base, bytes.count, at: &offset)
                if case .needMore = event { break }
                note(event)
                if case .failed = event { break }
            }
        }
    }

    private func note(_ event: ServerEvent) {
        switch event {
        case .needMore: break
        case .request(let stream, let isComplete, let isConnect):
            heads[stream] = string(codec.head)
            events.append("request \(stream)\(isComplete ? " complete" : "")\(isConnect ? " connect" : "")")
            codec.setTag(stream, stream + 1000)
            answer?(self, stream)
        case .refuse(let stream, let error, _): events.append("refuse \(stream) \(error.status)")
        case .data(let stream, let tag, let bytes, let isLast):
            content[stream, default: ""] += string(bytes)
            events.append("data \(stream) \(bytes.count)\(isLast ? " last" : "")")
            if tag != stream + 1000 { events.append("wrong tag") }
            if consumes { codec.consumed(stream, bytes.count) }
        case .trailers(let stream, _): events.append("trailers \(stream) \(string(codec.head))")
        case .end(let stream, _): events.append("end \(stream)")
        case .reset(let stream, let tag, let code):
            events.append("reset \(stream) \(code)")
            if tag != stream + 1000 { events.append("wrong tag") }
        case .goAway: events.append("goaway")
        case .pingAcknowledged: events.append("ping")
        case .failed(let error): events.append("failed \(error.code)")
        }
    }

    /// What the codec writes now.
    func written(limit: Int = .max) -> [WrittenFrame] { WrittenFrame.parse(take(limit: limit)) }

    func take(limit: Int = .max) -> [UInt8] {
        let out = OutputBuffer(capacity: 1024)
        codec.write(into: out, limit: limit)
        let bytes = Array(out.bytes)
        if codec.hasNews { pull([]) }
        return bytes
    }

    func respond(_ stream: Int32, _ head: String = "HTTP/1.1 200 OK\r\n\r\n", ends: Bool = false) {
        withBytes(head) { _ = codec.respond(stream, head: $0, ends: ends) }
    }

    @discardableResult
    func send(_ stream: Int32, _ text: String) -> Bool {
        withBytes(text) { bytes in bytes.baseAddress.map { codec.send(stream, $0, bytes.count) } ?? true }
    }
}

/// A client codec with a scripted backend.
final class ClientEnd {
    let codec: ClientCodec
    var events: [String] = []
    var heads: [Int32: [String]] = [:]
    var content: [Int32: String] = [:]
    /// Content is passed on at once.
    var consumes = true

    init(_ limits: HTTP2Limits = .upstream) {
        codec = ClientCodec(limits: limits, isTLS: false, workspace: workspace())
    }

    func request(_ head: String, ends: Bool = true, tag: Int32 = 7) -> RequestOutcome {
        withBytes(head) { codec.request($0, ends: ends, tag: tag) }
    }

    func feed(_ frames: Frames) { feed(frames.bytes) }

    func feed(_ bytes: [UInt8], piece: Int = .max) {
        var start = 0
        repeat {
            let end = min(bytes.count, piece == .max ? bytes.count : start + piece)
            pull(Array(bytes[start..<end]))
            start = end
        } while start < bytes.count
    }

    private func pull(_ bytes: [UInt8]) {
        (bytes + [0]).withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var offset = 0
            while true {
                let event = codec.next(base, bytes.count, at: &offset)
                if case .needMore = event { break }
                note(event)
                if case .failed = event { break }
            }
        }
    }

    private func note(_ event: ClientEvent) {
        switch event {
        case .needMore: break
        case .response(let stream, _, let isInterim, let isComplete):
            heads[stream, default: []].append(string(codec.head))
            events.append("response \(stream)\(isInterim ? " interim" : "")\(isComplete ? " complete" : "")")
        case .data(let stream, _, let bytes, let isLast):
            content[stream, default: ""] += string(bytes)
            events.append("data \(stream) \(bytes.count)\(isLast ? " last" : "")")
            if consumes { codec.consumed(stream, bytes.count) }
        case .trailers(let stream, _): events.append("trailers \(stream) \(string(codec.head))")
        case .end(let stream, _): events.append("end \(stream)")
        case .reset(let stream, _, let code, let refused):
            events.append("reset \(stream) \(code)\(refused ? " refused" : "")")
        case .goAway(let last): events.append("goaway \(last)")
        case .settings(let count): events.append("settings \(count)")
        case .pingAcknowledged: events.append("ping")
        case .failed(let error): events.append("failed \(error.code)")
        }
    }

    func take() -> [UInt8] {
        let out = OutputBuffer(capacity: 1024)
        codec.write(into: out, limit: .max)
        let bytes = Array(out.bytes)
        if codec.hasNews { pull([]) }
        return bytes
    }

    func written() -> [WrittenFrame] { WrittenFrame.parse(take()) }

    @discardableResult
    func send(_ stream: Int32, _ text: String) -> Bool {
        withBytes(text) { bytes in bytes.baseAddress.map { codec.send(stream, $0, bytes.count) } ?? true }
    }
}
