// HOT to look at, COLD to empty. OpenSSL's per-thread list of errors: the only place that empties it.
internal import COpenSSL

/// OpenSSL's error queue of this thread.
enum ErrorQueue {
    /// Makes it empty before an operation, so that what is in it afterwards belongs to that operation.
    @inline(__always)
    static func clear() {
        if ERR_peek_error() != 0 { ERR_clear_error() }
    }

    /// The first error, which is the cause of the others, or 0; empties the queue.
    static func take() -> UInt {
        let code = ERR_peek_error()
        if code != 0 { ERR_clear_error() }
        return code
    }

    /// The library's reason within an error code.
    static func reason(_ code: UInt) -> Int32 { ERR_GET_REASON(code) }

    /// The words for an error code.
    static func text(_ code: UInt) -> String {
        ERR_reason_error_string(code).map { String(cString: $0) } ?? "unknown error"
    }
}
