// COLD. An answer of Redis as a value, and the reader (hiredis') that makes answers of bytes. No sockets.
internal import CHiredis

/// An answer of Redis.
enum RedisReply: Sendable, Equatable {
    case status(String)
    case error(String)
    case integer(Int64)
    case bytes([UInt8])
    case array([RedisReply])
    case none

    /// The bytes of a text, or of a status.
    var bytes: [UInt8]? {
        switch self {
        case .bytes(let bytes): bytes
        case .status(let text): Array(text.utf8)
        default: nil
        }
    }

    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .bytes(let bytes): Int64(String(decoding: bytes, as: UTF8.self))
        default: nil
        }
    }

    var array: [RedisReply]? {
        if case .array(let elements) = self { return elements }
        return nil
    }
}

/// Bytes of one connection to answers.
final class RedisReader {
    enum Next {
        case reply(RedisReply)
        case needMore
        case broken
    }

    /// Most bytes of an answer: a page of the longest records is far below.
    static let longest = 64 << 20
    private let reader: UnsafeMutablePointer<redisReader>

    init?() {
        guard let reader = redisReaderCreate() else { return nil }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// Takes bytes in; false when they cannot belong to an answer.
    func feed(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let raw = UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self)
        guard redisReaderFeed(reader, raw, count) == REDIS_OK else { return false }
        return reader.pointee.len - reader.pointee.pos <= Self.longest
    }

    func next() -> Next {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { return .broken }
        guard let raw else { return .needMore }
        defer { freeReplyObject(raw) }
        return .reply(Self.value(raw.assumingMemoryBound(to: redisReply.self).pointee))
    }

    /// hiredis nests seven arrays at most.
    private static func value(_ reply: redisReply) -> RedisReply {
        switch reply.type {
        case REDIS_REPLY_STRING: return .bytes(bytes(reply))
        case REDIS_REPLY_STATUS: return .status(String(decoding: bytes(reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: return .error(String(decoding: bytes(reply), as: UTF8.self))
        case REDIS_REPLY_INTEGER: return .integer(reply.integer)
        case REDIS_REPLY_ARRAY:
            var elements: [RedisReply] = []
            elements.reserveCapacity(reply.elements)
            for index in 0..<reply.elements {
                elements.append(reply.element?[index].map { value($0.pointee) } ?? .none)
            }
            return .array(elements)
        default: return .none
        }
    }

    private static func bytes(_ reply: redisReply) -> [UInt8] {
        guard let text = reply.str, reply.len > 0 else { return [] }
        return Array(UnsafeRawBufferPointer(start: text, count: reply.len))
    }
}
