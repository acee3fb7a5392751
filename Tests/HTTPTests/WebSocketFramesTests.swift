import HTTP
import Testing

@Suite("WebSocket frames")
struct WebSocketFramesTests {
    private static func frame(_ length: Int, masked: Bool) -> [UInt8] {
        var frame: [UInt8] = [0x82]
        let bit: UInt8 = masked ? 0x80 : 0
        if length < 126 {
            frame.append(bit | UInt8(length))
        } else if length < 65536 {
            frame += [bit | 126, UInt8(length >> 8), UInt8(length & 255)]
        } else {
            frame.append(bit | 127)
            frame += (0..<8).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        }
        if masked { frame += [1, 2, 3, 4] }
        return frame + [UInt8](repeating: 0x82, count: length)
    }

    @Test(
        "the end of each frame is found, however the bytes are split",
        arguments: [[0], [1, 0, 125], [126, 5], [65535, 65536, 2], [0, 0, 300]],
        [1, 2, 3, 7, 1000, 1 << 20]
    )
    func ends(lengths: [Int], step: Int) {
        for masked in [false, true] {
            var bytes: [UInt8] = []
            var ends: Set<Int> = [0]
            for length in lengths {
                bytes += Self.frame(length, masked: masked)
                ends.insert(bytes.count)
            }
            var frames = WebSocketFrames()
            var at = 0
            var found: Set<Int> = [0]
            bytes.withUnsafeBufferPointer { buffer in
                guard let start = buffer.baseAddress else { return }
                while at < buffer.count {
                    at += frames.advance(start + at, min(step, buffer.count - at))
                    if frames.isBetweenFrames { found.insert(at) }
                    #expect(frames.isBetweenFrames == ends.contains(at))
                }
            }
            #expect(found == ends)
        }
    }
}
