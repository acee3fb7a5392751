// COLD. Request heads: what is accepted holds no byte that another hop could split at, however it arrives.
import Bytes
import HTTP

private final class Heads: @unchecked Sendable {
    static let shared = Heads()
    let first = RequestHead()
    let second = RequestHead(maxFields: 200)
    let written = OutputBuffer(capacity: 4096)
    let again = OutputBuffer(capacity: 4096)
}

private func limits(small: Bool) -> HeadLimits {
    var limits = HeadLimits()
    guard small else { return limits }
    limits.requestLine = 64
    limits.head = 256
    limits.field = 64
    limits.authorizationField = 96
    limits.fields = 6
    limits.cookiePairs = 3
    limits.connectionOptions = 3
    return limits
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    for small in [false, true] {
        let limits = limits(small: small)
        let head = Heads.shared.first
        let outcome = withCopy(bytes, count) { RequestParser.parse($0, into: head, limits: limits) }
        let length = head.length
        if outcome == .complete {
            accepted(bytes, count, head)
            rewritten(bytes, head)
        }
        for end in prefixes(count) {
            let other = withCopy(bytes, end) { RequestParser.parse($0, into: head, limits: limits) }
            if outcome == .complete {
                check(other == (end < length ? .needMore : .complete), "a prefix has another answer")
            } else {
                check(other == .needMore || other == outcome, "a prefix has another answer")
            }
            guard outcome == .complete, end < length else { continue }
            let isWorth = withCopy(bytes, length) {
                HeadScanner.isWorthParsing($0, scanned: end, limits: limits)
            }
            check(isWorth, "the scanner slept")
        }
    }
    return 0
}

private func accepted(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ head: RequestHead) {
    check(head.length > 0 && head.length <= count, "length")
    check(head.fields.end + 2 == head.length, "end of fields")
    check(bytes[head.length - 2] == 0x0d && bytes[head.length - 1] == 0x0a, "empty line")
    check(!head.methodName.isEmpty && head.method != .connect, "method")
    for i in head.target.start..<head.target.end {
        check(bytes[i] > 0x20 && bytes[i] < 0x7f && bytes[i] != 0x23, "byte in target")
    }
    for i in head.authority.start..<head.authority.end {
        check(bytes[i] > 0x20 && bytes[i] < 0x7f, "byte in authority")
        check(!"@/\\?#,%".utf8.contains(bytes[i]), "delimiter in authority")
    }
    check(head.version == .http10 || !head.host.isEmpty, "host")
    check(head.count(.host) <= 1 && head.count(.contentLength) <= 1, "singletons")
    check(head.framing != .untilClose, "framing")
    if head.framing == .chunked { check(head.count(.contentLength) == 0 && head.version == .http11, "chunked") }
    if head.count(.transferEncoding) > 0 { check(head.framing == .chunked, "transfer encoding") }
    var end = 0
    for index in 0..<head.fieldCount {
        let field = head[index]
        check(field.name.start >= end && !field.name.isEmpty, "field order")
        for i in field.name.start..<field.name.end {
            check(bytes[i] > 0x20 && bytes[i] < 0x7f && bytes[i] != 0x3a, "byte in name")
        }
        check(bytes[field.name.end] == 0x3a && field.value.start > field.name.end, "colon")
        for i in field.value.start..<field.value.end {
            check(bytes[i] >= 0x20 && bytes[i] != 0x7f || bytes[i] == 0x09, "byte in value")
        }
        end = field.value.end
    }
    check(end <= head.fields.end || head.fieldCount == 0, "last field")
}

/// What is written for the next hop reads the same there.
private func rewritten(_ bytes: UnsafePointer<UInt8>, _ head: RequestHead) {
    guard head.form != .asterisk else { return }
    let heads = Heads.shared
    let out = heads.written
    out.removeAll()
    out.append(bytes, head.methodName)
    out.append(" ")
    let path = head.pathAndQuery
    if path.isEmpty || bytes[path.start] == 0x3f { out.append("/") }
    out.append(bytes, path)
    out.append(head.version == .http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n")
    if !head.authority.isEmpty {
        out.append("Host: ")
        out.append(bytes, head.authority)
        out.append("\r\n")
    }
    let start = out.count
    head.fields.writeKept(from: bytes, to: out)
    let kept = UnsafeBufferPointer(rebasing: out.bytes[start...])
    let keptCount = kept.count
    switch head.framing {
    case .length(let length):
        out.append("Content-Length: ")
        out.append(decimal: length)
        out.append("\r\n")
    case .chunked: out.append("Transfer-Encoding: chunked\r\n")
    default: break
    }
    out.append("\r\n")

    var limits = HeadLimits()
    limits.requestLine = 1 << 20
    limits.head = 1 << 20
    limits.field = 1 << 20
    limits.fields = 200
    let second = heads.second
    let outcome = withCopy(out.bytes.baseAddress ?? bytes, out.count) {
        RequestParser.parse($0, into: second, limits: limits)
    }
    check(outcome == .complete, "the written head is refused")
    check(second.length == out.count, "the written head has another length")
    check(second.method == head.method && second.version == head.version, "another request line")
    check(second.framing == head.framing, "another framing")
    check(second.port == head.port && second.host.count == head.host.count, "another host")
    let again = heads.again
    again.removeAll()
    second.fields.writeKept(from: UnsafePointer(out.readable), to: again)
    check(again.count == keptCount, "other fields")
    check(same(again.bytes, UnsafeBufferPointer(rebasing: out.bytes[start..<(start + keptCount)])), "other fields")
}
