// COLD. A command as bytes, with the slot of a cluster that its key belongs to; and what comes back to who asked.
internal import Bytes
import CHiredis

/// One word of a command.
struct RedisArgument: Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }
    init(_ text: String) { bytes = Array(text.utf8) }
    init(_ number: Int64) { bytes = Array(String(number).utf8) }
    init(stringLiteral text: String) { self.init(text) }
}

/// A command, ready to be sent.
struct RedisCommand: Sendable {
    /// In the protocol's form; empty when memory was out.
    let wire: [UInt8]
    /// Slot of its keys, 0…16383; −1 when any server will do.
    let slot: Int
    /// Whether it may be sent again when a connection was lost and nobody knows whether it was carried out.
    let isRead: Bool

    /// A command; `key` is one of the keys that it touches, all of which share a slot.
    init(key: String?, isRead: Bool = false, _ arguments: [RedisArgument]) {
        wire = Self.format(arguments)
        slot = key.map { RedisSlot.of($0) } ?? -1
        self.isRead = isRead
    }

    private static func format(_ arguments: [RedisArgument]) -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(arguments.reduce(1) { $0 + $1.bytes.count })
        var lengths: [Int] = []
        lengths.reserveCapacity(arguments.count)
        for argument in arguments {
            all += argument.bytes
            lengths.append(argument.bytes.count)
        }
        // So that there is an address even when all words are empty.
        all.append(0)
        var target: UnsafeMutablePointer<CChar>?
        let count = all.withUnsafeBytes { raw -> Int32 in
            var place = 0
            var words: [UnsafePointer<CChar>?] = lengths.map { length in
                defer { place += length }
                return raw.baseAddress.map { ($0 + place).assumingMemoryBound(to: CChar.self) }
            }
            return redisFormatCommandArgv(&target, Int32(words.count), &words, &lengths)
        }
        guard let target, count > 0 else { return [] }
        defer { redisFreeCommand(target) }
        return Array(UnsafeRawBufferPointer(start: target, count: Int(count)))
    }
}

/// Slots of a cluster: CRC-16 (XMODEM) of the key, or of what stands in its first braces.
enum RedisSlot {
    static let count = 16_384

    private static let table: [UInt16] = (0..<256).map { index in
        (0..<8).reduce(UInt16(index) << 8) { value, _ in value & 0x8000 != 0 ? value << 1 ^ 0x1021 : value << 1 }
    }

    static func of(_ key: String) -> Int {
        var bytes = Array(key.utf8)[...]
        if let open = bytes.firstIndex(of: 0x7b), let close = bytes[open...].firstIndex(of: 0x7d), close > open + 1 {
            bytes = bytes[(open + 1)..<close]
        }
        let sum = bytes.reduce(UInt16(0)) { $0 << 8 ^ table[Int(($0 >> 8) ^ UInt16($1))] }
        return Int(sum) % count
    }
}

/// What one command came to.
typealias RedisResult = Result<RedisReply, StoreError>

/// The answers of commands that were handed over together.
///
/// Behind a lock, although one thread fills it and another takes it afterwards: a lock is what sanitizers see.
final class RedisGather: Sendable {
    private struct State {
        var results: [RedisResult]
        var missing: Int
        var continuation: CheckedContinuation<Void, Never>?
    }

    private let state: Locked<State>

    init(_ count: Int) {
        state = Locked(
            State(results: .init(repeating: .failure(.unavailable), count: count), missing: count, continuation: nil)
        )
    }

    /// Who is woken by the last answer; set before the commands are handed over.
    func wakes(_ continuation: CheckedContinuation<Void, Never>) { state.withLock { $0.continuation = continuation } }

    func set(_ index: Int, _ result: RedisResult) {
        let done = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.results[index] = result
            state.missing -= 1
            return state.missing == 0 ? state.continuation : nil
        }
        done?.resume()
    }

    /// What came, once it is whole.
    var results: [RedisResult] { state.withLock { $0.results } }
}

/// A command that somebody waits for.
struct RedisCall: Sendable {
    let command: RedisCommand
    let gather: RedisGather
    let index: Int
    /// Milliseconds of the monotonic clock.
    let deadline: Int64
    /// How often it was sent on to another server.
    var hops = 0
    /// The server that a cluster named for this one time.
    var asked: RedisEndpoint?
}
