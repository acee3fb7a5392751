// HOT. How OpenSSL reaches a socket: its own descriptor BIO, plus what it does not tell: drained, ended, failed.
internal import CLinux
internal import COpenSSL
internal import Glibc

/// The socket of one connection, as the callbacks see it.
///
/// OpenSSL's own socket BIO was not taken because it hides whether a read was short; knowing that saves the read that
/// would only say "nothing more" (about 440 ns).
struct Wire {
    var descriptor: Int32
    /// Whether the last read took all that there was.
    var isDrained = false
    /// Whether the other side ended its direction.
    var isEnded = false
    /// Whether the system reported an error.
    var isFailed = false

    /// How OpenSSL calls this; made once.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = BIO_meth_new(type, "portcullis socket") else { return nil }
        BIO_meth_set_read(method, read)
        BIO_meth_set_write(method, write)
        BIO_meth_set_ctrl(method) { _, command, _, _ in
            command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0
        }
        return method
    }()

    /// A BIO over `wire`, which must live longer; nil when memory is out.
    static func makeBIO(_ wire: UnsafeMutablePointer<Wire>) -> OpaquePointer? {
        guard let method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, wire)
        BIO_set_init(bio, 1)
        return bio
    }

    private static let retryFlags = BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY

    private static let read: @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int32) -> Int32 = {
        bio,
        buffer,
        count in
        guard let bio, let buffer, let data = BIO_get_data(bio) else { return -1 }
        let wire = data.assumingMemoryBound(to: Wire.self)
        BIO_clear_flags(bio, retryFlags)
        while true {
            let n = recv(wire.pointee.descriptor, buffer, Int(count), 0)
            if n > 0 {
                wire.pointee.isDrained = n < Int(count)
                return Int32(truncatingIfNeeded: n)
            }
            if n < 0, errno == EINTR { continue }
            wire.pointee.isDrained = true
            if n == 0 {
                wire.pointee.isEnded = true
                return 0
            }
            if errno == EAGAIN {
                BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
            } else {
                wire.pointee.isFailed = true
            }
            return -1
        }
    }

    private static let write: @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int32) -> Int32 = {
        bio,
        buffer,
        count in
        guard let bio, let buffer, let data = BIO_get_data(bio) else { return -1 }
        let wire = data.assumingMemoryBound(to: Wire.self)
        BIO_clear_flags(bio, retryFlags)
        while true {
            let n = send(wire.pointee.descriptor, buffer, Int(count), Int32(MSG_NOSIGNAL))
            if n >= 0 { return Int32(truncatingIfNeeded: n) }
            if errno == EINTR { continue }
            if errno == EAGAIN {
                BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
            } else {
                wire.pointee.isFailed = true
            }
            return -1
        }
    }
}
