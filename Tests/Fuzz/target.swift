// COLD. The canonical path: a fixed point, and no dot segment or separator comes out of it by decoding it again.
import Bytes
import HTTP

private final class Targets: @unchecked Sendable {
    static let shared = Targets()
    let first = CanonicalTarget(capacity: 16384)
    let second = CanonicalTarget(capacity: 16384)
    let small = CanonicalTarget(capacity: 24)
}

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    for encodedSlashes in [false, true] {
        let options = CanonicalTarget.Options(encodedSlashes: encodedSlashes)
        let target = Targets.shared.first
        let error = withCopy(bytes, count) {
            target.canonicalize($0, target: Slice(0, count), options: options)
        }
        let small = Targets.shared.small
        let smallError = withCopy(bytes, count) {
            small.canonicalize($0, target: Slice(0, count), options: options)
        }
        if smallError == nil {
            check(error == nil && same(small.path, target.path), "less memory has another path")
        } else {
            check(small.path.count == 1 && !small.hasQuery, "something is left after an error")
        }
        guard error == nil else {
            check(target.path.count == 1 && !target.hasQuery, "something is left after an error")
            continue
        }
        let path = target.path
        canonical(path, options)
        inRequest(bytes, count, options)
        if !encodedSlashes { check(!target.hasEncodedSlash, "an encoded slash") }
        var decoded = Array(path)
        for _ in 0..<2 {
            harmless(decoded, encodedSlashes: encodedSlashes, slashes: path.count { $0 == 0x2f })
            decoded = decode(decoded)
        }
        harmless(decoded, encodedSlashes: encodedSlashes, slashes: path.count { $0 == 0x2f })
        rewrite(Array(path), options)
    }
    return 0
}

/// With the rest of a request behind it, it is the same.
private func inRequest(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ options: CanonicalTarget.Options) {
    var line = Array(UnsafeBufferPointer(start: bytes, count: count))
    line.write(" HTTP/1.1\r\nHost: example.com\r\n\r\n")
    let second = Targets.shared.second
    let error = line.withUnsafeBufferPointer { buffer in
        second.canonicalize(Span(_unsafeElements: buffer), target: Slice(0, count), options: options)
    }
    let first = Targets.shared.first
    check(error == nil && same(second.path, first.path) && second.query == first.query, "another path in a request")
}

/// It is its own canonical form.
private func canonical(_ path: UnsafeBufferPointer<UInt8>, _ options: CanonicalTarget.Options) {
    guard let base = path.baseAddress else { return check(false, "no path") }
    check(path[0] == 0x2f, "no slash at the start")
    for byte in path { check(byte > 0x20 && byte < 0x7f && byte != 0x3f && byte != 0x23, "byte in path") }
    let second = Targets.shared.second
    let error = withCopy(base, path.count) {
        second.canonicalize($0, target: Slice(0, path.count), options: options)
    }
    check(error == nil && same(second.path, path) && !second.hasQuery, "not a fixed point")
}

/// Holds nothing that steers a reader that decodes.
private func harmless(_ path: [UInt8], encodedSlashes: Bool, slashes: Int) {
    for byte in path { check(byte >= 0x20 && byte != 0x7f && byte != 0x5c, "control or backslash") }
    if !encodedSlashes { check(path.count { $0 == 0x2f } == slashes, "more separators") }
    for segment in path.split(separator: 0x2f, omittingEmptySubsequences: false) {
        let name = segment.prefix { $0 != 0x3b }
        check(!(name.elementsEqual([0x2e]) || name.elementsEqual([0x2e, 0x2e])), "dot segment")
        check(!name.isEmpty || segment.isEmpty, "empty segment with parameters")
    }
}

private func decode(_ path: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var i = 0
    while i < path.count {
        if path[i] == 0x25, i + 2 < path.count, let high = digit(path[i + 1]), let low = digit(path[i + 2]) {
            result.append(high << 4 | low)
            i += 3
        } else {
            result.append(path[i])
            i += 1
        }
    }
    return result
}

private func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
}

private func rewrite(_ path: [UInt8], _ options: CanonicalTarget.Options) {
    let target = Targets.shared.first
    for prefix in ["", "/", "/v2", "/v2/w/"] {
        let prefix = Array(prefix.utf8)
        for segments in [0, 1, 2, path.count { $0 == 0x2f }, path.count] {
            let base = path.withUnsafeBufferPointer { buffer in
                target.canonicalize(Span(_unsafeElements: buffer), target: Slice(0, path.count), options: options)
            }
            check(base == nil, "not a fixed point")
            let error = prefix.withUnsafeBufferPointer { target.replacePrefix(segments: segments, with: $0) }
            if error == nil {
                check(target.path.starts(with: prefix), "outside its prefix")
                canonical(target.path, options)
            } else {
                check(target.path.elementsEqual(path), "a failed rewrite changed the path")
            }
        }
    }
}
