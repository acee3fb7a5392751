// COLD. Response heads: one answer however they arrive, and no doubt about where the content ends.
import Bytes
import HTTP

private final class Heads: @unchecked Sendable {
    static let shared = Heads()
    let first = ResponseHead()
    let second = ResponseHead(maxFields: 400)
    let written = OutputBuffer(capacity: 4096)
    let again = OutputBuffer(capacity: 4096)
}

private func limits(small: Bool) -> HeadLimits {
    var limits = HeadLimits.response
    guard small else { return limits }
    limits.requestLine = 64
    limits.head = 256
    limits.field = 64
    limits.authorizationField = 96
    limits.fields = 6
    limits.connectionOptions = 3
    return limits
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    for (method, small) in [(Method.get, false), (.head, false), (.get, true)] {
        let limits = limits(small: small)
        let head = Heads.shared.first
        let outcome = withCopy(bytes, count) {
            ResponseParser.parse($0, requestMethod: method, into: head, limits: limits)
        }
        let length = head.length
        if case .refuse(let error) = outcome { check(error.status == 502, "the client is blamed") }
        if outcome == .complete { accepted(bytes, count, head, method) }
        for end in prefixes(count) {
            let other = withCopy(bytes, end) {
                ResponseParser.parse($0, requestMethod: method, into: head, limits: limits)
            }
            if outcome == .complete {
                check(other == (end < length ? .needMore : .complete), "a prefix has another answer")
            } else {
                check(other == .needMore || other == outcome, "a prefix has another answer")
            }
        }
    }
    return 0
}

private func accepted(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ head: ResponseHead, _ method: Method) {
    check(head.length > 0 && head.length <= count, "length")
    check(head.fields.end + 2 == head.length, "end of fields")
    check(head.status >= 100 && head.status < 600, "status")
    check(!(head.framing == .untilClose && head.keepAlive), "kept open until close")
    if head.status < 200 || head.status == 204 {
        check(head.framing == .none && head.contentLength == -1, "content of an interim or empty response")
        check(head.count(.transferEncoding) == 0 || head.status == 204 && !head.keepAlive, "chunked empty response")
    }
    if method == .head { check(head.framing == .none, "content of an answer to HEAD") }
    if head.count(.transferEncoding) > 0 { check(head.count(.contentLength) == 0, "two framings") }
    check(head.count(.contentLength) <= 1, "two lengths")
    for i in head.reason.start..<head.reason.end {
        check(bytes[i] >= 0x20 && bytes[i] != 0x7f || bytes[i] == 0x09, "byte in reason")
    }
    let heads = Heads.shared
    let out = heads.written
    out.removeAll()
    out.append("HTTP/1.1 ")
    out.append(decimal: UInt64(head.status))
    out.append(" ")
    out.append(bytes, head.reason)
    out.append("\r\n")
    let start = out.count
    head.fields.writeKept(from: bytes, to: out)
    let end = out.count
    switch head.framing {
    case .length(let length):
        out.append("Content-Length: ")
        out.append(decimal: length)
        out.append("\r\n")
    case .chunked: out.append("Transfer-Encoding: chunked\r\n")
    default: break
    }
    out.append("\r\n")
    var limits = HeadLimits.response
    limits.requestLine = 1 << 20
    limits.head = 1 << 20
    limits.field = 1 << 20
    limits.fields = 400
    let second = heads.second
    let outcome = withCopy(UnsafePointer(out.readable), out.count) {
        ResponseParser.parse($0, requestMethod: method, into: second, limits: limits)
    }
    check(outcome == .complete && second.length == out.count, "the written head is refused")
    check(second.framing == head.framing && second.status == head.status, "another framing")
    check(second.count(.transferEncoding) == (head.framing == .chunked ? 1 : 0), "chunked without chunks")
    heads.again.removeAll()
    second.fields.writeKept(from: UnsafePointer(out.readable), to: heads.again)
    check(same(heads.again.bytes, UnsafeBufferPointer(rebasing: out.bytes[start..<end])), "other fields")
}
