// COLD. WebSockets whose two sides speak different versions of HTTP: the gateway is one end of the handshake of each
// (RFC 6455 §4); and the close frames that it makes.
import Bytes
import HTTP
import HTTP2
import Reactor

extension Problem {
    /// The client's half of a WebSocket handshake is not one.
    static let handshake = Problem(
        status: 400,
        code: "websocket_handshake",
        detail: "A WebSocket needs one Sec-WebSocket-Key of 16 bytes and one Sec-WebSocket-Version."
    )

    /// A version of the protocol that is not spoken (RFC 6455 §4.2.2).
    static let webSocketVersion = Problem(
        status: 426,
        code: "websocket_version",
        detail: "Only version 13 of the WebSocket protocol is spoken."
    )
}

extension Exchange {
    /// What is wrong with the client's handshake, where the backend will never see it as it was made.
    func handshakeProblem(
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> Problem? {
        guard connection.wantsTunnel != sendsRaw else { return nil }
        // Over HTTP/2 there is no key; the one here is ours.
        guard head.count(.secWebSocketVersion) == 1, head.count(.secWebSocketKey) == 1 else { return .handshake }
        let version = head[head.first(.secWebSocketVersion)].value
        guard version.count == 2, input[version.start] == 0x31, input[version.start + 1] == 0x33 else {
            return .webSocketVersion
        }
        let slice = head[head.first(.secWebSocketKey)].value
        let key = UnsafeBufferPointer(start: input + slice.start, count: slice.count)
        guard WebSocketKey.isKey(key) else { return .handshake }
        if connection.wantsTunnel { acceptedKey = WebSocketKey.accept(for: key) }
        return nil
    }

    /// Whether a 101 answers the key that we made for a client that has none (RFC 6455 §4.1); clients judge the answers
    /// to their own.
    func isKeyAccepted(_ head: ResponseHead, _ bytes: UnsafePointer<UInt8>) -> Bool {
        guard let connection, connection.wantsTunnel, !sendsRaw else { return true }
        guard head.count(.secWebSocketAccept) == 1 else { return false }
        let value = head[head.first(.secWebSocketAccept)].value
        return UnsafeBufferPointer(start: bytes + value.start, count: value.count).elementsEqual(acceptedKey)
    }

    // MARK: Close frames

    /// Tells the client why (RFC 6455 §5.5.1), the backend as well, and ends.
    func sendClose() {
        guard let connection else { return }
        let frame = worker.compose
        writeClose(mask: nil, to: frame)
        connection.send(frame.readable, frame.count)
        frame.removeAll()
        closeBackend()
        finish(keepAlive: false)
    }

    /// Ends the backend's side: with a close frame, if the client's last frame to it was whole.
    func closeBackend() {
        guard ending != .none, isWebSocket, clientFrames.isBetweenFrames, !hasUnsentRequest, !clientEndPassed,
            let backend = upstreamConnection.take()
        else { return }
        let frame = worker.bodyScratch
        writeClose(mask: UInt32(truncatingIfNeeded: worker.random.next()), to: frame)
        backend.close(saying: frame.readable, frame.count)
        frame.removeAll()
    }

    /// A close frame; masked as every frame to a server is (§5.3).
    private func writeClose(mask: UInt32?, to frame: OutputBuffer) {
        frame.removeAll()
        let detail = ending.detail
        let length = min(detail.utf8CodeUnitCount, 123)
        frame.append(byte: 0x88)
        frame.append(byte: UInt8(2 + length) | (mask == nil ? 0 : 0x80))
        if let mask {
            for i in 0..<4 { frame.append(byte: UInt8(truncatingIfNeeded: mask >> UInt32(i * 8))) }
        }
        for i in 0..<(2 + length) {
            let byte =
                switch i {
                case 0: UInt8(ending.closeCode >> 8)
                case 1: UInt8(ending.closeCode & 0xff)
                default: detail.utf8Start[i - 2]
                }
            frame.append(byte: byte ^ UInt8(truncatingIfNeeded: (mask ?? 0) >> UInt32((i & 3) * 8)))
        }
    }
}
