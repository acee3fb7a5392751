// HOT. The only epoll of the program: sockets are registered once, edge-triggered, and a turn asks what is ready.
import CLinux
import Glibc

/// A system call failed; carries `errno`.
public struct SystemError: Error, CustomStringConvertible, Equatable {
    /// The call that failed.
    public let call: String
    /// The value of `errno`.
    public let code: Int32

    /// The current `errno` as an error of `call`.
    public init(_ call: String) {
        self.call = call
        code = errno
    }

    /// An error of `call` with a given code.
    public init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The call and the system's words for the code.
    public var description: String { "\(call): \(String(cString: strerror(code)))" }
}

/// What is ready on a socket.
public struct Readiness: OptionSet, Sendable {
    /// The bits of `epoll_event.events`.
    public let rawValue: UInt32
    /// A set of the given bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Bytes to read, an end, or an error.
    public static let readable = Readiness(
        rawValue: EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue
    )
    /// Room to write, or an error.
    public static let writable = Readiness(rawValue: EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue)
    /// Both directions are closed or the socket failed.
    public static let failed = Readiness(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
    /// The socket failed.
    public static let error = Readiness(rawValue: EPOLLERR.rawValue)
    /// Both directions are closed.
    public static let hangup = Readiness(rawValue: EPOLLHUP.rawValue)
    /// The other side will send nothing more.
    public static let halfClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
}

/// An epoll instance with its event array.
///
/// Owned by one thread.
///
/// A registration carries the descriptor and a generation; whoever receives an event compares the generation, so that a
/// late event never touches what has taken the descriptor's place.
public final class Poller {
    private let epoll: Int32
    private let events: UnsafeMutablePointer<epoll_event>
    /// Most events of one turn.
    public static let maximumEvents = 256

    /// A new instance.
    ///
    /// - Throws: ``SystemError`` when the kernel refuses.
    public init() throws(SystemError) {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        events = .allocate(capacity: Self.maximumEvents)
        if epoll < 0 { throw SystemError("epoll_create1") }
    }

    deinit {
        events.deallocate()
        close(epoll)
    }

    /// Watches a socket for both directions, edge-triggered.
    public func add(_ descriptor: Int32, generation: UInt32) -> Bool {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
        event.data.u64 = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    /// Watches a listening socket or an eventfd, level-triggered; `exclusive` when several pollers share it.
    public func addLevel(_ descriptor: Int32, generation: UInt32, exclusive: Bool = false) -> Bool {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (exclusive ? EPOLLEXCLUSIVE.rawValue : 0)
        event.data.u64 = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    /// Stops watching a descriptor that stays open.
    public func remove(_ descriptor: Int32) {
        var event = epoll_event()
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event)
    }

    /// Waits at most `milliseconds` (−1: for ever) and returns how many events there are.
    @inline(__always)
    public func wait(milliseconds: Int32) -> Int {
        let count = epoll_wait(epoll, events, Int32(Self.maximumEvents), milliseconds)
        return count < 0 ? 0 : Int(count)
    }

    /// Event `index` of the last wait.
    @inline(__always)
    public func event(_ index: Int) -> (descriptor: Int32, generation: UInt32, readiness: Readiness) {
        let event = events[index]
        let data = event.data.u64
        return (
            Int32(truncatingIfNeeded: data), UInt32(truncatingIfNeeded: data >> 32), Readiness(rawValue: event.events)
        )
    }
}
