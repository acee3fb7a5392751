// COLD. nghttp2's callbacks and options, made once, and the sessions made with them.
import CNghttp2

/// What all sessions share.
final class Library: Sendable {
    static let shared = Library()

    // Exception: unchecked, because both are written here once and only read by the library afterwards.
    nonisolated(unsafe) private let callbacks: OpaquePointer?
    nonisolated(unsafe) private let option: OpaquePointer?

    private init() {
        var made: OpaquePointer?
        if nghttp2_session_callbacks_new(&made) == 0, let made { Callbacks.install(in: made) }
        callbacks = made
        var option: OpaquePointer?
        if nghttp2_option_new(&option) == 0, let option {
            nghttp2_option_set_no_auto_window_update(option, 1)
            nghttp2_option_set_no_closed_streams(option, 1)
            nghttp2_option_set_max_outbound_ack(option, 200)
            nghttp2_option_set_peer_max_concurrent_streams(option, 100)
            nghttp2_option_set_max_deflate_dynamic_table_size(option, 4096)
            nghttp2_option_set_builtin_recv_extension_type(option, UInt8(NGHTTP2_PRIORITY_UPDATE.rawValue))
        }
        self.option = option
    }

    /// A new session, nil if there is no memory for it.
    func session(isServer: Bool, limits: HTTP2Limits, user: UnsafeMutableRawPointer) -> OpaquePointer? {
        guard let callbacks, let option else { return nil }
        var made: OpaquePointer?
        let result =
            isServer
            ? nghttp2_session_server_new2(&made, callbacks, user, option)
            : nghttp2_session_client_new2(&made, callbacks, user, option)
        return result == 0 ? made : nil
    }
}
