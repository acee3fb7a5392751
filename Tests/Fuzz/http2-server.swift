// COLD. A client's frames: the same requests however the bytes arrive, each one a head that HTTP/1 agrees with.
import Bytes
import HTTP
import HTTP2

private final class Shared: @unchecked Sendable {
    static let shared = Shared()
    let workspace = HTTP2Workspace(pool: BufferPool(size: 2048, kept: 32))
    let head = RequestHead()
    let out = OutputBuffer(capacity: 4096)
}

/// What a client made happen.
private struct Log: Equatable {
    var heads: [[UInt8]] = []
    var content: [Int32: [UInt8]] = [:]
    var ends: [Int32] = []
    var refused: [Int32] = []
    var failure: HTTP2Error?
}

private func opening() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    return bytes + [0, 0, 0, 4, 0, 0, 0, 0, 0]
}

private func run(_ bytes: UnsafePointer<UInt8>, _ count: Int, seed: UInt64, answers: Bool) -> Log {
    let shared = Shared.shared
    var limits = HTTP2Limits()
    limits.headerList = 2048
    limits.fields = 20
    limits.concurrentStreams = 10
    limits.resetsProvoked.burst = 20
    limits.resetsReceived.burst = 20
    let codec = ServerCodec(limits: limits, isTLS: false, workspace: shared.workspace)
    var log = Log()
    var random = seed
    func take() {
        shared.out.removeAll()
        codec.write(into: shared.out, limit: 1 + Int(random >> 40) % 20_000)
    }
    func pull(_ piece: UnsafePointer<UInt8>, _ size: Int) -> Bool {
        var offset = 0
        while true {
            let event = codec.next(piece, size, at: &offset)
            check(offset <= size, "read too far")
            switch event {
            case .needMore:
                check(offset == size, "bytes left over")
                return true
            case .failed(let error):
                log.failure = error
                return false
            case .request(let stream, let isComplete, let isTunnel):
                judge(codec.head, isComplete, isTunnel)
                if !isTunnel { log.heads.append(Array(codec.head)) }
                codec.setTag(stream, stream)
                if isComplete { log.ends.append(stream) }
                if answers { answer(stream) }
            case .refuse(let stream, let error, _):
                check(error.status >= 400, "status")
                log.refused.append(stream)
            case .data(let stream, let tag, let slice, let isLast):
                check(stream == tag, "tag")
                log.content[stream, default: []] += Array(slice)
                if isLast { log.ends.append(stream) }
                if stream & 2 == 0 { codec.consumed(stream, slice.count) }
            case .trailers(let stream, _):
                let fields = FieldTable(capacity: 30)
                let text = codec.head
                let outcome = TrailerParser.parse(
                    Span(_unsafeElements: text),
                    from: 0,
                    into: fields,
                    limits: HeadLimits()
                )
                if outcome.outcome == .complete { check(outcome.end == text.count, "trailers") }
                check(outcome.outcome != .needMore, "trailers without an end")
                log.ends.append(stream)
            case .end(let stream, _): log.ends.append(stream)
            case .reset(let stream, let tag, _):
                check(stream == tag, "tag")
                // How much came before the error depends on the pieces.
                log.content[stream] = nil
            case .goAway, .pingAcknowledged: break
            }
            check(codec.heldBytes >= 0 && codec.heldBytes < 4 << 20, "held bytes")
        }
    }
    func answer(_ stream: Int32) {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let text: StaticString = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
        let head = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        switch random >> 60 {
        case 0..<4: codec.respond(stream, head: head, ends: true)
        case 4: codec.reset(stream, HTTP2Code.internalError)
        case 5..<12:
            codec.respond(stream, head: head, ends: false)
            for _ in 0..<(random >> 50 & 63) { codec.send(stream, text.utf8Start, text.utf8CodeUnitCount) }
            if random >> 58 & 1 == 0 { codec.finish(stream) } else { codec.finish(stream, trailers: head) }
        default: break
        }
    }
    let all = opening() + Array(UnsafeBufferPointer(start: bytes, count: count))
    var start = 0
    while start < all.count {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let size = min(all.count - start, seed == 0 ? all.count : seed == 1 ? 1 : 1 + Int(random >> 33) % 40)
        let goes = all.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { base in
                withCopy(base + start, size) { span in
                    span.withUnsafeBufferPointer { part in
                        part.baseAddress.map { pull($0, size) } ?? false
                    }
                }
            } ?? false
        }
        if answers {
            take()
            if codec.hasNews { _ = pull(bytes, 0) }
            while codec.nextDrained() != nil {}
        }
        if !goes { break }
        start += size
    }
    for _ in 0..<10_000 where codec.wantsWrite {
        take()
        if shared.out.isEmpty { break }
    }
    if let failure = codec.failure {
        log.failure = failure
        log.content = [:]
        check(codec.isFinished && !codec.wantsWrite, "a failed connection goes on")
    }
    return log
}

/// What comes out must be one HTTP/1 head for whoever reads it.
private func judge(_ text: UnsafeBufferPointer<UInt8>, _ isComplete: Bool, _ isTunnel: Bool) {
    let head = Shared.shared.head
    var limits = HeadLimits()
    limits.requestLine = 1 << 16
    limits.head = 1 << 17
    limits.field = 1 << 16
    switch RequestParser.parse(Span(_unsafeElements: text), into: head, limits: limits) {
    case .needMore: check(false, "a head without an end")
    case .refuse: break
    case .complete:
        check(head.length == text.count, "two heads in one")
        if isComplete { check(head.framing == .none || head.framing == .length(0), "content of none") }
        if !isComplete, !isTunnel { check(head.framing != .none, "content without framing") }
        check(isTunnel == !head.upgrade.isEmpty, "upgrade")
        check(head.keepAlive || head.count(.connection) == 0, "connection")
    }
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let whole = run(bytes, count, seed: 0, answers: false)
    check(whole == run(bytes, count, seed: 1, answers: false), "single bytes have another answer")
    check(whole == run(bytes, count, seed: 77 &+ UInt64(count), answers: false), "pieces have another answer")
    _ = run(bytes, count, seed: 0, answers: true)
    _ = run(bytes, count, seed: 99 &+ UInt64(count), answers: true)
    return 0
}
