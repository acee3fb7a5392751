// COLD. Messages from other threads to a loop: a bounded queue and an eventfd that wakes it.
import Bytes
import CLinux
import Glibc

/// A queue that any thread may post to and one loop empties.
public final class Mailbox<Message: Sendable>: Sendable {
    private let queue = Locked<[Message]>([])
    private let limit: Int
    /// The descriptor that becomes readable when there is mail.
    public let descriptor: Int32

    /// A mailbox that holds at most `limit` messages.
    ///
    /// - Throws: ``SystemError`` when the kernel gives no eventfd.
    public init(limit: Int = 65536) throws(SystemError) {
        self.limit = limit
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        if descriptor < 0 { throw SystemError("eventfd") }
    }

    deinit { close(descriptor) }

    /// Leaves a message and wakes the loop; false when the box is full.
    @discardableResult
    public func post(_ message: Message) -> Bool {
        let (accepted, first) = queue.withLock { queue in
            guard queue.count < limit else { return (false, false) }
            queue.append(message)
            return (true, queue.count == 1)
        }
        if first {
            var one: UInt64 = 1
            _ = write(descriptor, &one, 8)
        }
        return accepted
    }

    /// All messages, oldest first; resets the descriptor.
    public func drain() -> [Message] {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return queue.withLock { queue in
            let all = queue
            queue.removeAll(keepingCapacity: true)
            return all
        }
    }
}
