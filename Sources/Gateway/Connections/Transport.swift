// HOT. A connected socket, in clear text or under TLS: one way to read and write for everything above.
import Bytes
import Reactor
import TLS

/// A connected, non-blocking socket and, if there is one, the TLS over it.
///
/// The owner of the descriptor closes it, after the last use.
struct Transport {
    let descriptor: Int32
    let tls: TLSStream?

    /// Reads up to `count` bytes: 0 is a clean end, negative see `IO`.
    @inline(__always)
    func read(_ place: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        guard let tls else { return Socket.read(descriptor, place, count) }
        return tls.read(place, count)
    }

    /// Whether another read may bring more before the poller says so, given that the last of `room` brought `count`.
    @inline(__always)
    func mayHaveMore(after count: Int, of room: Int) -> Bool {
        guard let tls else { return count == room }
        return tls.mayHaveMore
    }

    /// The poller says that there are bytes to read; to be told before anything is read.
    @inline(__always)
    func becameReadable() { tls?.becameReadable() }

    /// Writes up to `count` bytes: how many went, or a negative `IO` when none did.
    @inline(__always)
    func write(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        guard let tls else { return Socket.write(descriptor, bytes, count) }
        return Self.write(tls, bytes, count)
    }

    /// TLS takes a record at a time.
    private static func write(_ tls: TLSStream, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        var sent = 0
        while sent < count {
            let n = tls.write(bytes + sent, count &- sent)
            guard n > 0 else { return sent > 0 ? sent : n }
            sent &+= n
        }
        return sent
    }

    /// Whether a kept connection still has nothing to say.
    var isQuiet: Bool {
        guard let tls else { return Socket.isQuiet(descriptor) }
        if tls.isQuiet { return true }
        // A session ticket may have come late.
        var byte: UInt8 = 0
        return tls.read(&byte, 1) == IO.wouldBlock && tls.isQuiet
    }

    /// Ends our direction; under TLS with a close_notify, so that the other side knows that nothing is missing.
    func endWriting() {
        if let tls { _ = tls.shutdown() }
        Socket.shutdownWrite(descriptor)
    }

    /// What a readable socket makes possible beside reading: a write that waited for bytes.
    @inline(__always)
    var writesWhenReadable: Bool { tls?.writeNeedsReadable ?? false }

    /// What a writable socket makes possible beside writing: a read that waited for room.
    @inline(__always)
    var readsWhenWritable: Bool { tls?.readNeedsWritable ?? false }
}
