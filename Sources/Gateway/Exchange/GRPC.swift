// HOT. What the gateway knows of gRPC: which requests are calls, how long they may take, how refusals are told.
import Bytes
import HTTP

/// Calls of gRPC over HTTP/2.
enum GRPC {
    /// Whether a request is a call: by its content type, `application/grpc` or `application/grpc+proto` and the like.
    static func isCall(_ head: RequestHead, _ bytes: UnsafePointer<UInt8>) -> Bool {
        let index = head.first(.contentType)
        guard index >= 0 else { return false }
        let value = head[index].value
        let type: StaticString = "application/grpc"
        let length = type.utf8CodeUnitCount
        guard value.count >= length, Scan.equalFolded(bytes + value.start, length, type) else { return false }
        guard value.count > length else { return true }
        let next = bytes[value.start + length]
        return next == 0x2b || next == 0x3b || next == 0x20
    }

    /// How many milliseconds a call may take, as the caller says in `grpc-timeout`; nil when it does not.
    static func timeout(_ head: RequestHead, _ bytes: UnsafePointer<UInt8>) -> Int64? {
        let name: StaticString = "grpc-timeout"
        for i in 0..<head.fieldCount where head[i].id == .other {
            let field = head[i]
            guard Scan.equalFolded(bytes + field.name.start, field.name.count, name) else { continue }
            return milliseconds(bytes + field.value.start, field.value.count).map { max(1, $0) }
        }
        return nil
    }

    /// At most eight digits and a unit.
    private static func milliseconds(_ text: UnsafePointer<UInt8>, _ count: Int) -> Int64? {
        guard (2...9).contains(count) else { return nil }
        var value: Int64 = 0
        for i in 0..<(count - 1) {
            guard text[i] &- 0x30 < 10 else { return nil }
            value = value * 10 + Int64(text[i] &- 0x30)
        }
        switch text[count - 1] {
        case UInt8(ascii: "H"): return value * 3_600_000
        case UInt8(ascii: "M"): return value * 60_000
        case UInt8(ascii: "S"): return value * 1000
        case UInt8(ascii: "m"): return value
        case UInt8(ascii: "u"): return value / 1000
        case UInt8(ascii: "n"): return value / 1_000_000
        default: return nil
        }
    }
}

extension Exchange {
    /// A call ends when the caller says, when the route says (0: never), and with the credential.
    ///
    /// What the caller says holds to the end of a stream; the route's patience is with the beginning of an answer.
    func limitCall(_ head: RequestHead, _ bytes: UnsafePointer<UInt8>, most: Int64) {
        let asked = GRPC.timeout(head, bytes)
        if let asked { callDeadline = worker.now &+ asked }
        limitOverall(asked.map { most == 0 ? $0 : min($0, most) } ?? most)
        limitToCredential()
    }

    /// Ends a call whose answer has begun with a status in trailers; false when it is no call.
    func endCall(_ status: GRPCStatus, _ detail: StaticString) -> Bool {
        guard note.isGRPC, let connection, connection.isStream, phase == .answering else { return false }
        closeUpstream()
        let text = worker.bodyScratch
        text.removeAll()
        text.append("grpc-status: ")
        text.append(decimal: UInt64(status.rawValue))
        text.append("\r\ngrpc-message: ")
        text.append(detail)
        text.append("\r\n\r\n")
        connection.sendEnd(trailers: text.bytes)
        finish(keepAlive: true)
        return true
    }
}

/// The status of a call, as gRPC numbers them.
enum GRPCStatus: Int {
    case invalidArgument = 3
    case deadlineExceeded = 4
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case internalError = 13
    case unavailable = 14
    case unauthenticated = 16

    /// The status for an answer that the gateway would make with an HTTP status.
    init(http status: Int) {
        switch status {
        case 401: self = .unauthenticated
        case 403: self = .permissionDenied
        case 404, 405: self = .unimplemented
        case 408, 504: self = .deadlineExceeded
        case 413, 429, 431: self = .resourceExhausted
        case 500: self = .internalError
        case 502, 503: self = .unavailable
        default: self = .invalidArgument
        }
    }
}
