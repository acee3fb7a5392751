// COLD. What is said to a backend to learn whether it is well, over HTTP/1, HTTP/2 and gRPC: bytes in, bytes out. Pure.
import Bytes
import HTTP
import HTTP2

/// What a probe asks.
enum HealthQuestion: Sendable, Equatable {
    /// GET over HTTP/1.1.
    case http1(path: String)
    /// GET over HTTP/2.
    case http2(path: String)
    /// `grpc.health.v1.Health/Check` about a service; of an empty name, about the server as a whole.
    case grpc(service: String)
}

/// One question and its answer.
///
///     asking ──bytes──► answered(well or not)
final class HealthDialogue {
    private enum Wire {
        case http1(ResponseHead)
        case http2(ClientCodec)
    }

    private let plan: HealthPlan
    private let wire: Wire
    private let input = OutputBuffer(capacity: 1024)
    /// Interim responses (103 and the like) that came before the answer.
    private var interims = 0
    /// The message of a gRPC answer, and whether the call went well so far.
    private let message = OutputBuffer(capacity: 64)
    private var isCallGood = false
    /// Whether the backend is well; nil while it is not known.
    private(set) var verdict: Bool?
    /// What is to be sent.
    let output = OutputBuffer(capacity: 1024)

    private static let longestMessage = 1024
    private static let mostInterims = 16

    /// The question, to be sent when the connection is there.
    init(_ plan: HealthPlan, isTLS: Bool, workspace: HTTP2Workspace, now: Int64) {
        self.plan = plan
        switch plan.question {
        case .http1(let path):
            wire = .http1(ResponseHead())
            writeHead("GET", path, to: output)
            output.append("Accept: */*\r\nConnection: close\r\n\r\n")
        case .http2(let path):
            let codec = ClientCodec(isTLS: isTLS, workspace: workspace)
            wire = .http2(codec)
            codec.now = now
            let head = OutputBuffer(capacity: 512)
            writeHead("GET", path, to: head)
            head.append("Accept: */*\r\n\r\n")
            ask(codec, head, nil)
        case .grpc(let service):
            let codec = ClientCodec(isTLS: isTLS, workspace: workspace)
            wire = .http2(codec)
            codec.now = now
            let head = OutputBuffer(capacity: 512)
            writeHead("POST", "/grpc.health.v1.Health/Check", to: head)
            head.append("Content-Type: application/grpc\r\nTE: trailers\r\n\r\n")
            ask(codec, head, GRPCHealth.request(service))
        }
    }

    private func writeHead(_ method: StaticString, _ path: String, to out: OutputBuffer) {
        out.append(method)
        out.append(" ")
        out.append(string: path)
        out.append(" HTTP/1.1\r\nHost: ")
        out.append(string: plan.host)
        out.append("\r\nUser-Agent: portcullis-health\r\n")
    }

    private func ask(_ codec: ClientCodec, _ head: OutputBuffer, _ content: [UInt8]?) {
        guard case .opened(let stream) = codec.request(head.bytes, ends: content == nil) else {
            verdict = false
            return
        }
        if let content {
            content.withUnsafeBufferPointer { bytes in
                if let start = bytes.baseAddress { codec.send(stream, start, bytes.count) }
            }
            codec.finish(stream)
        }
        codec.write(into: output, limit: 64 * 1024)
    }

    /// Bytes came from the backend.
    func received(_ bytes: UnsafePointer<UInt8>, _ count: Int, now: Int64) {
        guard verdict == nil else { return }
        switch wire {
        case .http1(let head): receive(bytes, count, head)
        case .http2(let codec):
            codec.now = now
            receive(bytes, count, codec)
        }
    }

    /// The backend ended the connection.
    func ended() { verdict = verdict ?? false }

    // MARK: HTTP/1

    private func receive(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ head: ResponseHead) {
        input.append(bytes, count)
        while verdict == nil {
            let span = Span(_unsafeElements: input.bytes)
            switch ResponseParser.parse(span, requestMethod: .get, into: head, limits: HeadLimits()) {
            case .complete where head.status < 200 && head.status != 101 && interims < Self.mostInterims:
                // The answer is yet to come (RFC 9110 §15.2).
                interims += 1
                input.consume(head.length)
            case .complete: verdict = plan.accepts(head.status)
            case .refuse: verdict = false
            case .needMore: return
            }
        }
    }

    // MARK: HTTP/2

    private func receive(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ codec: ClientCodec) {
        var offset = 0
        while verdict == nil {
            switch codec.next(bytes, count, at: &offset) {
            case .needMore:
                codec.write(into: output, limit: 64 * 1024)
                return
            case .response(_, _, let isInterim, let isComplete):
                if !isInterim { answered(codec.head, isComplete: isComplete) }
            case .data(let stream, _, let content, let isLast):
                codec.consumed(stream, content.count)
                guard message.count + content.count <= Self.longestMessage else {
                    verdict = false
                    return
                }
                message.append(content)
                // A call ends with its status, in trailers.
                if isLast { verdict = false }
            case .trailers:
                isCallGood = isCallGood && GRPCHealth.isGood(trailers: codec.head)
                verdict = isCallGood && GRPCHealth.isServing(message.bytes)
            case .end, .reset, .goAway, .failed: verdict = false
            case .settings, .pingAcknowledged: break
            }
        }
    }

    private func answered(_ head: UnsafeBufferPointer<UInt8>, isComplete: Bool) {
        let status = Self.status(head)
        guard case .grpc = plan.question else {
            verdict = plan.accepts(status)
            return
        }
        isCallGood = status == 200
        if isComplete || !isCallGood { verdict = false }
    }

    /// The status of a head in HTTP/1 form: `HTTP/1.1 200`.
    private static func status(_ head: UnsafeBufferPointer<UInt8>) -> Int {
        guard head.count >= 12 else { return 0 }
        var status = 0
        for byte in head[9..<12] {
            guard byte &- 0x30 < 10 else { return 0 }
            status = status * 10 + Int(byte &- 0x30)
        }
        return status
    }
}

extension HealthPlan {
    /// Whether a status says that the backend is well.
    fileprivate func accepts(_ status: Int) -> Bool { statuses.contains { $0.contains(status) } }
}

/// The messages of `grpc.health.v1.Health/Check`.
enum GRPCHealth {
    /// `HealthCheckRequest { string service = 1 }`, as one message of a call.
    static func request(_ service: String) -> [UInt8] {
        let name = Array(service.utf8)
        var message: [UInt8] = []
        if !name.isEmpty {
            message.append(0x0a)
            append(varint: name.count, to: &message)
            message += name
        }
        let count = message.count
        return [0, UInt8(count >> 24 & 255), UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
            + message
    }

    /// Whether the one message of a call is a `HealthCheckResponse` with `status = 1` (SERVING).
    ///
    /// Fields that are not known are skipped; of several statuses the last counts, as in any protobuf.
    static func isServing(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count >= 5, bytes[0] == 0 else { return false }
        let count = bytes[1..<5].reduce(0) { $0 << 8 | Int($1) }
        guard count == bytes.count - 5 else { return false }
        var place = 5
        var status: UInt64 = 0
        while place < bytes.count {
            guard let tag = varint(bytes, &place) else { return false }
            switch tag & 7 {
            case 0:
                guard let value = varint(bytes, &place) else { return false }
                if tag >> 3 == 1 { status = value }
            case 1: place += 8
            case 2:
                guard let length = varint(bytes, &place), length <= UInt64(bytes.count) else { return false }
                place += Int(length)
            case 5: place += 4
            default: return false
            }
            if place > bytes.count { return false }
        }
        return status == 1
    }

    /// Whether trailers, as `name: value` lines, say `grpc-status: 0`.
    static func isGood(trailers: UnsafeBufferPointer<UInt8>) -> Bool {
        String(decoding: trailers, as: UTF8.self).split(separator: "\r\n").contains { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2 && parts[0].lowercased() == "grpc-status"
                && parts[1].filter { $0 != " " } == "0"
        }
    }

    private static func append(varint value: Int, to out: inout [UInt8]) {
        var value = value
        while value > 127 {
            out.append(UInt8(value & 127) | 128)
            value >>= 7
        }
        out.append(UInt8(value))
    }

    private static func varint(_ bytes: UnsafeBufferPointer<UInt8>, _ place: inout Int) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard place < bytes.count else { return nil }
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 127) << shift
            if byte < 128 { return value }
        }
        return nil
    }
}
