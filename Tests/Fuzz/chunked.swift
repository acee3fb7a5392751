// COLD. Chunked content and trailers: pieces change nothing, and what is decoded comes back when encoded again.
import Bytes
import HTTP

private struct Decoded: Equatable {
    var data: [UInt8] = []
    var error: ProtocolError?
    /// Where the trailer section begins.
    var trailers = -1
}

/// Decodes in pieces whose sizes follow from `seed`; 0 is all at once.
private func decode(_ bytes: UnsafePointer<UInt8>, _ count: Int, seed: UInt64) -> Decoded {
    var result = Decoded()
    var decoder = ChunkedDecoder()
    var random = seed
    var start = 0
    while start < count {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let piece = seed == 0 ? count : seed == 1 ? 1 : 1 + Int(random >> 33) % 17
        let size = min(piece, count - start)
        let isOver = withCopy(bytes + start, size) { part in
            var offset = 0
            while true {
                let before = offset
                switch decoder.next(part, at: &offset) {
                case .data(let slice):
                    check(slice.start >= before && slice.end == offset && offset <= size, "slice")
                    check(!slice.isEmpty, "empty data")
                    for i in slice.start..<slice.end { result.data.append(part[i]) }
                case .needMore:
                    check(offset == size, "bytes left over")
                    return false
                case .trailers:
                    check(decoder.isFinished, "finished")
                    result.trailers = start + offset
                    return true
                case .refuse(let error):
                    result.error = error
                    return true
                }
            }
        }
        if isOver { return result }
        start += size
    }
    return result
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let whole = decode(bytes, count, seed: 0)
    check(whole == decode(bytes, count, seed: 1), "single bytes have another answer")
    check(whole == decode(bytes, count, seed: 0x9e37_79b9 &+ UInt64(count)), "pieces have another answer")
    guard whole.trailers >= 0 else { return 0 }

    var encoded: [UInt8] = []
    var i = 0
    while i < whole.data.count {
        let size = min(7, whole.data.count - i)
        encoded.append(contentsOf: String(size, radix: 16).utf8)
        encoded.write("\r\n")
        encoded.append(contentsOf: whole.data[i..<(i + size)])
        encoded.write("\r\n")
        i += size
    }
    encoded.write("0\r\n")
    let again = encoded.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { decode($0, buffer.count, seed: 0) }
    }
    check(again?.data == whole.data && again?.trailers == encoded.count, "encoded again it differs")

    let fields = FieldTable(capacity: 20)
    let parse = { (end: Int) in
        withCopy(bytes, end) { TrailerParser.parse($0, from: whole.trailers, into: fields, limits: HeadLimits()) }
    }
    let (outcome, end) = parse(count)
    if outcome == .complete {
        check(end > whole.trailers + 1 && end <= count, "end of trailers")
        for index in 0..<fields.count where !fields[index].isDropped {
            let field = fields[index]
            check(!field.hasUnusualName && !HopByHop.isForbiddenInTrailers(field.id), "forbidden trailer")
            for i in field.value.start..<field.value.end {
                check(bytes[i] >= 0x20 && bytes[i] != 0x7f || bytes[i] == 0x09, "byte in trailer")
            }
        }
    }
    for short in prefixes(count) where short >= whole.trailers {
        let (other, otherEnd) = parse(short)
        if outcome == .complete {
            check(other == (short < end ? .needMore : .complete), "a prefix has another answer")
            if short >= end { check(otherEnd == end, "a prefix has another end") }
        } else {
            check(other == .needMore || other == outcome, "a prefix has another answer")
        }
    }
    return 0
}
