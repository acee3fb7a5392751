// COLD. PROXY headers: bounded, the same answer for any more bytes behind, and addresses that survive being written.
import Bytes
import Reactor

private func parse(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> ProxyHeader {
    withCopy(bytes, count) { ProxyHeader.parse($0) }
}

private func write(_ value: UInt64, _ count: Int, to out: inout [UInt8]) {
    for shift in stride(from: 8 * (count - 1), through: 0, by: -8) {
        out.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let whole = parse(bytes, count)
    var length = count
    switch whole {
    case .needMore: check(count < ProxyHeader.maximumLength, "more is wanted for ever")
    case .refused: break
    case .local(let end), .address(_, _, let end):
        check(end > 0 && end <= count && end <= ProxyHeader.maximumLength, "length")
        length = end
    }
    for short in prefixes(count) {
        let other = parse(bytes, short)
        if whole == .refused {
            check(other == .needMore || other == .refused, "a prefix of what is refused is accepted")
        } else {
            check(other == (short < length || whole == .needMore ? .needMore : whole), "a prefix has another answer")
        }
    }
    guard case .address(let source, let destination, _) = whole else { return 0 }
    check(!source.isUnix && !destination.isUnix, "no address")
    var again: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x21, 0, 36]
    for address in [source, destination] {
        write(address.high, 8, to: &again)
        write(address.low, 8, to: &again)
    }
    write(UInt64(source.port), 2, to: &again)
    write(UInt64(destination.port), 2, to: &again)
    let written = again.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { parse($0, buffer.count) }
    }
    check(
        written == .address(source: source, destination: destination, length: again.count),
        "written again it differs"
    )
    return 0
}
