// HOT. Long credentials that clients send with every request: decompressed once, known by their compressed bytes afterwards.
import Bytes
import CNghttp2

/// The values of compressed `authorization` fields, by the bytes that they were compressed to.
///
/// Clients send them again with each request, spelt out (RFC 7541 §7.1.3), and undoing the Huffman code of a token costs
/// more than all the rest of a small request. A field that is spelt out and not indexed leaves the compression's state
/// as it is; so the library is given a short mark in place of the value, and the value takes the mark's place when the
/// field comes out again. The mark is random: no client can know it, let alone send it.
///
/// What is kept came out of the library's own decompression of exactly these bytes, so that it does not matter whose
/// connection it came from. Bounded: a place for each hash, and only values of a certain length.
final class CredentialMemo {
    /// Compressed lengths that are worth it and that are kept.
    static let shortest = 96
    static let longest = 4096
    private static let places = 64
    /// Bytes of a mark, and of the mark as a string of its own (RFC 7541 §5.2).
    static let markLength = 16
    private static let room = 8192

    private struct Place {
        var hash: UInt64 = 0
        /// The compressed bytes, and the value behind them.
        var bytes: UnsafeMutablePointer<UInt8>?
        var capacity = 0
        var encoded = 0
        var count = 0
    }

    private let table: UnsafeMutablePointer<Place>
    private let hash = KeyedHash()
    private let mark: UnsafeMutablePointer<UInt8>
    private let scratch: UnsafeMutablePointer<UInt8>
    private var inflater: OpaquePointer?

    init() {
        table = .allocate(capacity: Self.places)
        table.initialize(repeating: Place(), count: Self.places)
        mark = .allocate(capacity: Self.markLength)
        var random = SystemRandomNumberGenerator()
        for i in 0..<Self.markLength { mark[i] = 0x61 &+ UInt8(truncatingIfNeeded: random.next() % 26) }
        scratch = .allocate(capacity: Self.room)
        if nghttp2_hd_inflate_new(&inflater) != 0 { inflater = nil }
    }

    deinit {
        for i in 0..<Self.places { table[i].bytes?.deallocate() }
        table.deallocate()
        mark.deallocate()
        scratch.deallocate()
        nghttp2_hd_inflate_del(inflater)
    }

    /// Whether a value is the mark.
    @inline(__always)
    func isMark(_ value: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        count == Self.markLength && Scan.equal(value, mark, Self.markLength)
    }

    /// A HEADERS frame with the mark in place of its credential, and the credential; nil when there is none to replace.
    ///
    /// Both are valid until the next call.
    func shorten(
        _ frame: UnsafePointer<UInt8>,
        _ count: Int
    ) -> (frame: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)? {
        guard let place = FieldBlock(frame + 9, count &- 9).credential,
            place.count >= Self.shortest, place.count <= Self.longest,
            count &- place.count &+ Self.markLength < Self.room
        else { return nil }
        let start = 9 &+ place.start
        guard let value = value(frame + start, place.count) else { return nil }
        // The frame's header, what stands before the value's length, the mark, what stands behind the value.
        let before = 9 &+ place.lengthStart
        let after = start &+ place.count
        scratch.update(from: frame, count: before)
        scratch[before] = UInt8(Self.markLength)
        (scratch + before + 1).update(from: mark, count: Self.markLength)
        let rest = before &+ 1 &+ Self.markLength
        (scratch + rest).update(from: frame + after, count: count &- after)
        let total = rest &+ count &- after
        let length = total &- 9
        scratch[0] = UInt8(truncatingIfNeeded: length >> 16)
        scratch[1] = UInt8(truncatingIfNeeded: length >> 8)
        scratch[2] = UInt8(truncatingIfNeeded: length)
        return (UnsafeBufferPointer(start: scratch, count: total), value)
    }

    /// What compressed bytes stand for; nil when they stand for nothing that may be a value.
    private func value(_ encoded: UnsafePointer<UInt8>, _ count: Int) -> UnsafeBufferPointer<UInt8>? {
        let key = hash.hash(encoded, count)
        let place = table + Int(truncatingIfNeeded: key & UInt64(Self.places &- 1))
        if place.pointee.hash == key, place.pointee.encoded == count, let bytes = place.pointee.bytes,
            Scan.equal(bytes, encoded, count)
        {
            return UnsafeBufferPointer(start: bytes + count, count: place.pointee.count)
        }
        return learn(encoded, count, key, place)
    }

    @inline(never)
    private func learn(
        _ encoded: UnsafePointer<UInt8>,
        _ count: Int,
        _ key: UInt64,
        _ place: UnsafeMutablePointer<Place>
    ) -> UnsafeBufferPointer<UInt8>? {
        guard let inflater else { return nil }
        // A field section of its own: never indexed, the name from the static table, the value as it came.
        let text = UnsafeMutablePointer<UInt8>.allocate(capacity: count &+ 8)
        defer { text.deallocate() }
        text[0] = 0x1f
        text[1] = UInt8(FieldBlock.authorization &- 15)
        text[2] = 0xff
        var length = count &- 127
        var at = 3
        if count < 127 {
            text[2] = 0x80 | UInt8(count)
        } else {
            while length >= 128 {
                text[at] = UInt8(length & 127) | 128
                length >>= 7
                at &+= 1
            }
            text[at] = UInt8(length)
            at &+= 1
        }
        (text + at).update(from: encoded, count: count)
        var field = nghttp2_nv()
        var flags: Int32 = 0
        let read = nghttp2_hd_inflate_hd2(inflater, &field, &flags, text, at &+ count, 1)
        let isField = flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0
        var kept: UnsafeBufferPointer<UInt8>?
        if read == at &+ count, isField, let value = field.value, FieldRules.isValue(value, field.valuelen) {
            kept = keep(encoded, count, value, field.valuelen, key, place)
        }
        if read < 0 {
            // It is of no use any more.
            nghttp2_hd_inflate_del(inflater)
            self.inflater = nil
            if nghttp2_hd_inflate_new(&self.inflater) != 0 { self.inflater = nil }
        } else {
            nghttp2_hd_inflate_end_headers(inflater)
        }
        return kept
    }

    private func keep(
        _ encoded: UnsafePointer<UInt8>,
        _ count: Int,
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int,
        _ key: UInt64,
        _ place: UnsafeMutablePointer<Place>
    ) -> UnsafeBufferPointer<UInt8> {
        let needed = count &+ valueCount
        if place.pointee.capacity < needed {
            place.pointee.bytes?.deallocate()
            place.pointee.bytes = nil
            place.pointee.capacity = (needed &+ 511) & ~511
        }
        let bytes = place.pointee.bytes ?? .allocate(capacity: place.pointee.capacity)
        place.pointee.bytes = bytes
        bytes.update(from: encoded, count: count)
        (bytes + count).update(from: value, count: valueCount)
        place.pointee.hash = key
        place.pointee.encoded = count
        place.pointee.count = valueCount
        return UnsafeBufferPointer(start: bytes + count, count: valueCount)
    }
}
