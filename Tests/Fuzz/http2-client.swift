// COLD. A backend's frames: each answer a head that HTTP/1 agrees with, and no doubt about where the content ends.
import Bytes
import HTTP
import HTTP2

private final class Shared: @unchecked Sendable {
    static let shared = Shared()
    let workspace = HTTP2Workspace(pool: BufferPool(size: 2048, kept: 32))
    let head = ResponseHead()
    let out = OutputBuffer(capacity: 4096)
}

private func request(_ codec: ClientCodec, _ text: StaticString, ends: Bool) {
    let head = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    if case .opened(let stream) = codec.request(head, ends: ends, tag: 0) {
        codec.setTag(stream, stream)
        if !ends { codec.send(stream, text.utf8Start, text.utf8CodeUnitCount) }
    }
}

private func run(_ bytes: UnsafePointer<UInt8>, _ count: Int, seed: UInt64) {
    let shared = Shared.shared
    var limits = HTTP2Limits.upstream
    limits.headerList = 2048
    limits.fields = 20
    let codec = ClientCodec(limits: limits, isTLS: false, workspace: shared.workspace)
    var done: Set<Int32> = []
    var random = seed
    func take() {
        for _ in 0..<100 where codec.wantsWrite {
            shared.out.removeAll()
            codec.write(into: shared.out, limit: 1 + Int(random >> 40) % 20_000)
            if shared.out.isEmpty { break }
        }
    }
    func pull(_ piece: UnsafePointer<UInt8>, _ size: Int) -> Bool {
        var offset = 0
        while true {
            switch codec.next(piece, size, at: &offset) {
            case .needMore:
                check(offset == size, "bytes left over")
                return true
            case .failed: return false
            case .response(let stream, let tag, let isInterim, let isComplete):
                check(stream == tag && !done.contains(stream), "an answer behind the end")
                check(!(isInterim && isComplete), "an interim answer that ends")
                judge(codec.head, stream == 3 ? .head : .get, isInterim, isComplete, isTunnel: stream == 7)
                if isComplete { done.insert(stream) }
            case .data(let stream, let tag, let slice, let isLast):
                check(stream == tag && !done.contains(stream), "content behind the end")
                codec.consumed(stream, slice.count)
                if isLast { done.insert(stream) }
            case .trailers(let stream, _), .end(let stream, _):
                check(!done.contains(stream), "two ends")
                done.insert(stream)
            case .reset(let stream, let tag, _, _):
                check(stream == tag && !done.contains(stream), "reset behind the end")
                done.insert(stream)
            case .goAway, .settings, .pingAcknowledged: break
            }
        }
    }
    let all: [UInt8] =
        [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1] + Array(UnsafeBufferPointer(start: bytes, count: count))
    var start = 0
    while start < all.count {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let size = min(all.count - start, start == 0 ? 15 : seed == 0 ? all.count : 1 + Int(random >> 33) % 40)
        let goes = all.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { base in
                withCopy(base + start, size) { span in
                    span.withUnsafeBufferPointer { part in
                        part.baseAddress.map { pull($0, size) } ?? false
                    }
                }
            } ?? false
        }
        if start == 0 {
            request(codec, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", ends: true)
            request(codec, "HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n", ends: true)
            request(codec, "POST /c HTTP/1.1\r\nHost: a\r\n\r\n", ends: false)
            request(
                codec,
                "GET /d HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n",
                ends: false
            )
        }
        take()
        if codec.hasNews { _ = pull(bytes, 0) }
        if !goes { break }
        start += size
    }
    take()
    if codec.failure != nil { check(codec.isFinished && !codec.wantsWrite, "a failed connection goes on") }
}

private func judge(
    _ text: UnsafeBufferPointer<UInt8>,
    _ method: Method,
    _ isInterim: Bool,
    _ isComplete: Bool,
    isTunnel: Bool
) {
    let head = Shared.shared.head
    var limits = HeadLimits.response
    limits.field = 1 << 16
    switch ResponseParser.parse(Span(_unsafeElements: text), requestMethod: method, into: head, limits: limits) {
    case .needMore: check(false, "a head without an end")
    case .refuse: break
    case .complete:
        check(head.length == text.count, "two heads in one")
        check(head.isInterim == isInterim, "interim")
        check(head.status != 101 || isTunnel, "a switch that nobody asked for")
        if !isInterim, head.status != 101 {
            check(head.framing != .untilClose || head.status == 204, "no end")
            if isComplete { check(head.framing == .none || head.framing == .length(0), "content of none") }
        }
    }
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    run(bytes, count, seed: 0)
    run(bytes, count, seed: 1 &+ UInt64(count))
    return 0
}
