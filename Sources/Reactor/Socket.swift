// HOT. System calls on sockets, with errno turned into a value at once.
import CLinux
import Glibc

/// What a read or write came to: a byte count, or one of the negative constants.
public enum IO {
    /// Nothing now; the poller tells when.
    public static let wouldBlock = -1
    /// The connection failed.
    public static let failed = -2
}

/// Non-blocking sockets.
public enum Socket {
    /// Reads up to `count` bytes: 0 is the end, negative see ``IO``.
    @inline(__always)
    public static func read(_ descriptor: Int32, _ buffer: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        while true {
            let n = recv(descriptor, buffer, count, 0)
            if n >= 0 { return n }
            if errno == EAGAIN { return IO.wouldBlock }
            if errno != EINTR { return IO.failed }
        }
    }

    /// Writes up to `count` bytes, negative see ``IO``; `more` when bytes follow at once.
    @inline(__always)
    public static func write(
        _ descriptor: Int32,
        _ buffer: UnsafePointer<UInt8>,
        _ count: Int,
        more: Bool = false
    ) -> Int {
        while true {
            let n = send(descriptor, buffer, count, Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0))
            if n >= 0 { return n }
            if errno == EAGAIN { return IO.wouldBlock }
            if errno != EINTR { return IO.failed }
        }
    }

    /// Begins to connect.
    ///
    /// Returns the descriptor, or a negative errno.
    public static func connect(to address: SocketAddress) -> (descriptor: Int32, done: Bool) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, type, 0)
        if descriptor < 0 { return (-errno, false) }
        if !address.ip.isUnix { setNoDelay(descriptor) }
        let result = address.withSocketAddress { Glibc.connect(descriptor, $0, $1) } ?? -1
        if result == 0 { return (descriptor, true) }
        // A unix socket whose backlog is full answers EAGAIN: nothing is under way.
        if errno == EINPROGRESS { return (descriptor, false) }
        let code = errno
        close(descriptor)
        return (-max(1, code), false)
    }

    /// The error of a connection attempt, 0 when it succeeded.
    public static func error(of descriptor: Int32) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(4)
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &length) == 0 ? value : errno
    }

    /// Whether a pooled connection still has nothing to say: no byte, no end, no error.
    public static func isQuiet(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        let n = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return n < 0 && errno == EAGAIN
    }

    /// Sends small segments at once.
    public static func setNoDelay(_ descriptor: Int32) {
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    /// Lets the kernel ask a silent peer for a sign of life, and end the connection when none comes; milliseconds, of
    /// which the kernel counts whole seconds; 0 for never.
    ///
    /// A listening socket hands it on to those that it accepts.
    public static func setKeepAlive(_ descriptor: Int32, after silence: Int64, answer: Int64) {
        var isOn: Int32 = silence > 0 ? 1 : 0
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &isOn, 4)
        guard silence > 0 else { return }
        var idle = Int32(clamping: max(1, silence / 1000))
        var count: Int32 = answer < 3000 ? 1 : 3
        var interval = Int32(clamping: max(1, answer / 1000 / Int64(count)))
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, &idle, 4)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, &interval, 4)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, &count, 4)
    }

    /// Ends our direction; the other one goes on.
    public static func shutdownWrite(_ descriptor: Int32) { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends both directions; the descriptor stays open.
    public static func shutdownBoth(_ descriptor: Int32) { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Closes a descriptor.
    public static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    /// Makes the close an abort: the other side sees a reset, so that a cut answer never looks complete.
    public static func abortOnClose(_ descriptor: Int32) {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }
}
