// COLD. What all fuzz targets share: checks that crash, and inputs whose end is guarded.
import Glibc

/// Ends the process, which the fuzzer reports with its input, unless the condition holds.
@inline(__always)
func check(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}

/// Calls `body` with the first `count` bytes in memory of exactly that size, so that one byte too far is noticed.
func withCopy<Result>(
    _ bytes: UnsafePointer<UInt8>,
    _ count: Int,
    _ body: (Span<UInt8>) -> Result
) -> Result {
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, count))
    defer { copy.deallocate() }
    copy.update(from: bytes, count: count)
    return body(Span(_unsafeStart: UnsafePointer(copy), count: count))
}

/// Lengths of prefixes to try: all of a short input, some of a long one.
func prefixes(_ count: Int) -> [Int] {
    if count <= 160 { return Array(0..<count) }
    var lengths = Array(0..<40) + Array((count - 40)..<count)
    var step = 40
    while step < count - 40 {
        lengths.append(step)
        step += max(1, count / 40)
    }
    return lengths
}

/// Whether both hold the same bytes.
func same(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
    guard a.count == b.count, let x = a.baseAddress, let y = b.baseAddress else { return a.count == b.count }
    return memcmp(x, y, a.count) == 0
}

extension Array where Element == UInt8 {
    /// Appends text.
    mutating func write(_ text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }
}
