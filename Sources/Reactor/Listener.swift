// COLD to open, HOT to accept. Listening sockets: one per worker by SO_REUSEPORT; a unix socket is shared.
import CLinux
import Glibc
import Synchronization

/// How many connections of one listening address are open, over all workers; for addresses that have a limit.
public final class ListenerLoad: Sendable {
    private let open = Atomic<Int>(0)
    private let most: Int

    /// Lets in at most `most` connections at a time.
    public init(most: Int) { self.most = most }

    /// Counts a connection in; false, and it is not counted, when that would be too many.
    public func enter() -> Bool {
        if open.add(1, ordering: .relaxed).newValue <= most { return true }
        leave()
        return false
    }

    /// Counts a connection out.
    public func leave() { open.subtract(1, ordering: .relaxed) }
}

/// A listening socket of one worker.
///
/// Keeps one descriptor in reserve, so that when the process has none left a waiting client is taken and closed instead
/// of keeping the poller busy for ever.
public final class Listener {
    /// What an attempt to accept came to.
    public enum Accepted {
        /// A new non-blocking connection and its peer.
        case connection(Int32, IPAddress)
        /// No descriptor was left: a client was turned away.
        case shed
        /// No descriptor was left, and none to turn a client away with: it is no use to try again at once.
        case exhausted
        /// Nobody waits.
        case none
    }

    /// The listening descriptor.
    public let descriptor: Int32
    /// Where it listens; the port is the kernel's choice when 0 was asked for.
    public let address: SocketAddress
    private var reserve: Int32
    /// Whether other workers hold the same descriptor.
    public let isShared: Bool
    /// The limit on its connections; nil for none of its own.
    public let load: ListenerLoad?

    /// Takes over an open listening descriptor.
    public init(descriptor: Int32, address: SocketAddress, isShared: Bool, load: ListenerLoad? = nil) {
        self.load = load
        self.descriptor = descriptor
        self.address = address
        self.isShared = isShared
        reserve = Self.openReserve()
    }

    deinit {
        if reserve >= 0 { close(reserve) }
    }

    /// Opens a listening socket.
    ///
    /// - Throws: ``SystemError`` when the address is taken, not ours, or not allowed.
    public static func open(
        _ address: SocketAddress,
        backlog: Int32,
        mode: UInt32 = 0o660
    ) throws(SystemError) -> (
        Int32, SocketAddress
    ) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, type, 0)
        if descriptor < 0 { throw SystemError("socket") }
        var one: Int32 = 1
        if address.ip.isUnix {
            removeStaleSocket(address)
        } else {
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, 4)
            if !address.ip.isIPv4 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) }
        }
        let bound = address.withSocketAddress { bind(descriptor, $0, $1) } ?? -1
        if bound != 0 || listen(descriptor, backlog) != 0 {
            let error = SystemError("listen on \(address.text)")
            close(descriptor)
            throw error
        }
        if address.ip.isUnix {
            chmod(address.path, mode)
            return (descriptor, address)
        }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let named = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return (descriptor, named == 0 ? SocketAddress(ip: IPAddress(storage)) : address)
    }

    /// Whether somebody listens on a TCP address already, with whom its connections would be shared.
    public static func isTaken(_ address: SocketAddress) -> Bool {
        guard !address.ip.isUnix else { return false }
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        if !address.ip.isIPv4 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) }
        return address.withSocketAddress { bind(descriptor, $0, $1) } ?? 0 != 0 && errno == EADDRINUSE
    }

    /// Takes the next waiting client.
    public func accept() -> Accepted {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        while true {
            let descriptor = withUnsafeMutablePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    accept4(self.descriptor, $0, &length, flags)
                }
            }
            if descriptor >= 0 {
                if reserve < 0 { reserve = Self.openReserve() }
                return .connection(descriptor, IPAddress(storage))
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE: return shed()
            case ENOBUFS, ENOMEM: return .exhausted
            default: return .none
            }
        }
    }

    /// Lets nobody begin to connect any more, while those whose handshake is under way still get in.
    ///
    /// Whoever knocks meanwhile hears nothing, and is refused when it knocks again after the close. For TCP; a unix
    /// socket only gets the shortest queue there is.
    public func refuseNewcomers() {
        if address.ip.isUnix {
            if !isShared { listen(descriptor, 0) }
            return
        }
        // The flags of the TCP header, of which SYN and ACK: SYN alone is dropped. Connections taken from now on have
        // the filter as well, and never get such a segment.
        var steps = [
            sock_filter(code: 0x30, jt: 0, jf: 0, k: 13), sock_filter(code: 0x54, jt: 0, jf: 0, k: 0x12),
            sock_filter(code: 0x15, jt: 0, jf: 1, k: 0x02), sock_filter(code: 0x06, jt: 0, jf: 0, k: 0),
            sock_filter(code: 0x06, jt: 0, jf: 0, k: .max),
        ]
        steps.withUnsafeMutableBufferPointer { steps in
            var program = sock_fprog(len: UInt16(steps.count), filter: steps.baseAddress)
            let size = socklen_t(MemoryLayout<sock_fprog>.size)
            _ = setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, size)
        }
    }

    /// Turns a client away with the descriptor in reserve.
    ///
    /// Another thread may be quicker to take what is given up for it here; then there is a reserve again as soon as
    /// one can be had.
    private func shed() -> Accepted {
        if reserve < 0 { reserve = Self.openReserve() }
        guard reserve >= 0 else { return .exhausted }
        close(reserve)
        let client = accept4(descriptor, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        let code = errno
        if client >= 0 { close(client) }
        reserve = Self.openReserve()
        if client >= 0 { return .shed }
        return code == EMFILE || code == ENFILE ? .exhausted : .none
    }

    private static func openReserve() -> Int32 { Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }

    /// A socket file that nobody listens on any more is removed; a live one stays, and binding fails.
    private static func removeStaleSocket(_ address: SocketAddress) {
        var status = stat()
        guard lstat(address.path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return }
        let result = address.withSocketAddress { Glibc.connect(probe, $0, $1) } ?? 0
        if result != 0, errno == ECONNREFUSED { unlink(address.path) }
        close(probe)
    }
}
