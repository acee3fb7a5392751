// COLD. What ends a connection, one for each rule of RFC 9113 §4–6 and RFC 7541.
import Testing

/// Bytes behind the opening that end the connection, and with which code.
struct BrokenConnection: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let code: Int
    let bytes: [UInt8]

    init(_ name: String, _ code: Int, _ build: (inout Frames) -> Void) {
        testDescription = name
        self.code = code
        var frames = Frames()
        build(&frames)
        bytes = frames.bytes
    }

    static let all: [BrokenConnection] = [
        BrokenConnection("DATA on stream 0", 1) { $0.data(0, "x") },
        BrokenConnection("DATA on an idle stream", 1) { $0.data(1, "x") },
        BrokenConnection("HEADERS on stream 0", 1) { $0.get(0) },
        BrokenConnection("HEADERS on an even stream", 1) { $0.get(2) },
        BrokenConnection("a stream id that was passed by", 1) {
            $0.get(5)
            $0.get(3)
        },
        BrokenConnection("HEADERS behind END_STREAM", 5) {
            $0.get(1)
            $0.headers(1, [("a", "b")])
        },
        BrokenConnection("DATA behind END_STREAM", 5) {
            $0.get(1)
            $0.data(1, "x")
        },
        BrokenConnection("HEADERS behind RST_STREAM", 5) {
            $0.get(1, ends: false)
            $0.reset(1)
            $0.headers(1, [("a", "b")])
        },
        BrokenConnection("a frame that is too large", 6) { $0.add(0, 0, 1, [], length: 16385) },
        BrokenConnection("SETTINGS of a wrong length", 6) { $0.add(4, 0, 0, [1, 2, 3]) },
        BrokenConnection("SETTINGS on a stream", 1) { $0.add(4, 0, 1, []) },
        BrokenConnection("an acknowledgement with content", 6) { $0.add(4, 1, 0, [0, 0, 0, 0, 0, 0]) },
        BrokenConnection("SETTINGS_ENABLE_PUSH 2", 1) { $0.settings([(2, 2)]) },
        BrokenConnection("SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1", 3) { $0.settings([(4, 0x8000_0000)]) },
        BrokenConnection("SETTINGS_MAX_FRAME_SIZE too small", 1) { $0.settings([(5, 100)]) },
        BrokenConnection("PING of a wrong length", 6) { $0.add(6, 0, 0, [1]) },
        BrokenConnection("PING on a stream", 1) { $0.add(6, 0, 1, [0, 0, 0, 0, 0, 0, 0, 0]) },
        BrokenConnection("RST_STREAM on an idle stream", 1) { $0.reset(1) },
        BrokenConnection("RST_STREAM of a wrong length", 6) { $0.add(3, 0, 1, [0]) },
        BrokenConnection("WINDOW_UPDATE by 0", 1) { $0.window(0, 0) },
        BrokenConnection("WINDOW_UPDATE of a wrong length", 6) { $0.add(8, 0, 0, [0]) },
        BrokenConnection("a window over 2^31-1", 3) { $0.window(0, 0x7fff_ffff) },
        BrokenConnection("PUSH_PROMISE from a client", 1) { $0.add(5, 4, 1, Frames.word(2)) },
        BrokenConnection("CONTINUATION without HEADERS", 1) { $0.add(9, 4, 1, []) },
        BrokenConnection("a frame inside a field section", 1) {
            $0.add(1, 0, 1, Frames.block(Frames.request("GET", "/")))
            $0.data(1, "x")
        },
        BrokenConnection("CONTINUATION of another stream", 1) {
            $0.add(1, 0, 1, Frames.block(Frames.request("GET", "/")))
            $0.add(9, 4, 3, [])
        },
        BrokenConnection("PRIORITY on stream 0", 1) { $0.add(2, 0, 0, [0, 0, 0, 1, 1]) },
        BrokenConnection("PRIORITY on itself", 1) { $0.add(2, 0, 3, [0, 0, 0, 3, 1]) },
        BrokenConnection("HEADERS that depend on themselves", 1) {
            $0.add(1, 0x25, 1, Frames.word(1) + [1] + Frames.block(Frames.request("GET", "/")))
        },
        BrokenConnection("more padding than payload", 1) {
            $0.get(1, ends: false)
            $0.add(0, 8, 1, [9, 1])
        },
        BrokenConnection("compression: an index that does not exist", 9) { $0.add(1, 5, 1, [0xff, 0x80, 0x01]) },
        BrokenConnection("compression: a table larger than allowed", 9) { $0.add(1, 5, 1, [0x3f, 0xe2, 0x3f]) },
        BrokenConnection("compression: Huffman padding", 9) { $0.add(1, 5, 1, [0x00, 0x81, 0x00, 0x81, 0x00]) },
    ]
}
