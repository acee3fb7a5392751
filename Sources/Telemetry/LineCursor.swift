// HOT. Writes a log line into a buffer without asking for room at each piece: it asks once, for the longest line.
import Bytes

/// A place in a buffer behind which there is room for the longest line.
///
/// What is put without asking is bounded by construction: literals, numbers, and values of at most their cap. A value
/// that needs escaping takes the checked way through the buffer, and the room is asked for again behind it.
struct LineCursor {
    private var place: UnsafeMutablePointer<UInt8>
    private var start: UnsafeMutablePointer<UInt8>

    @inline(__always)
    init(_ out: OutputBuffer) {
        place = out.reserve(AccessLine.longest)
        start = place
    }

    /// Counts what was written into the buffer; call it last.
    @inline(__always)
    func finish(_ out: OutputBuffer) {
        assert(place - start <= AccessLine.longest)
        out.advance(place - start)
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        let count = text.utf8CodeUnitCount
        UnsafeMutableRawPointer(place).copyMemory(from: text.utf8Start, byteCount: count)
        place += count
    }

    /// Puts a value between what is around it, escaped where that is needed.
    @inline(__always)
    mutating func put(_ value: UnsafeBufferPointer<UInt8>, cap: Int, _ out: OutputBuffer) {
        guard let base = value.baseAddress else { return }
        let count = value.count
        if count <= cap, JSONText.copyPlain(base, count, to: place) {
            place += count
        } else {
            escape(value, cap, out)
        }
    }

    @inline(never)
    private mutating func escape(_ value: UnsafeBufferPointer<UInt8>, _ cap: Int, _ out: OutputBuffer) {
        finish(out)
        JSONText.append(value, cap: cap, to: out)
        place = out.reserve(AccessLine.longest)
        start = place
    }

    /// Puts a number in decimal.
    @inline(__always)
    mutating func put(_ value: UInt64) {
        if value < 10 {
            place.pointee = Self.digit(value)
            place += 1
        } else {
            digits(value)
        }
    }

    /// Puts microseconds as milliseconds with three decimals.
    @inline(__always)
    mutating func put(milliseconds microseconds: Int64) {
        let value = UInt64(max(0, microseconds))
        let rest = value % 1000
        put(value / 1000)
        place[0] = UInt8(ascii: ".")
        place[1] = Self.digit(rest / 100)
        place[2] = Self.digit(rest / 10 % 10)
        place[3] = Self.digit(rest % 10)
        place += 4
    }

    @inline(never)
    private mutating func digits(_ value: UInt64) {
        var count = 2
        var bound: UInt64 = 100
        while count < 20, value >= bound {
            count &+= 1
            bound = count < 20 ? bound &* 10 : bound
        }
        var rest = value
        var index = count
        while index > 0 {
            index &-= 1
            place[index] = Self.digit(rest % 10)
            rest /= 10
        }
        place += count
    }

    @inline(__always)
    private static func digit(_ value: UInt64) -> UInt8 { 0x30 &+ UInt8(truncatingIfNeeded: value) }
}
