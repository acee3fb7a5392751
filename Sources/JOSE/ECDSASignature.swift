// HOT. ES signatures: r‖s of fixed length, as JOSE has them, to DER and back.

/// Conversion between the two forms of an ECDSA signature.
enum ECDSASignature {
    /// Writes `SEQUENCE { INTEGER r, INTEGER s }` of `size` bytes each and returns its length, at most 139.
    @unsafe
    static func encode(_ signature: UnsafePointer<UInt8>, _ size: Int, into out: UnsafeMutablePointer<UInt8>) -> Int {
        // The body goes behind three bytes; its header is written backwards before it.
        var end = 3
        unsafe integer(signature, size, out, &end)
        unsafe integer(signature + size, size, out, &end)
        let length = end &- 3
        if length < 128 {
            unsafe out[0] = 0x30
            unsafe out[1] = UInt8(length)
            var i = 0
            while i < length {
                unsafe out[2 &+ i] = out[3 &+ i]
                i &+= 1
            }
            return length &+ 2
        }
        unsafe out[0] = 0x30
        unsafe out[1] = 0x81
        unsafe out[2] = UInt8(length)
        return length &+ 3
    }

    @unsafe
    private static func integer(
        _ bytes: UnsafePointer<UInt8>,
        _ size: Int,
        _ out: UnsafeMutablePointer<UInt8>,
        _ end: inout Int
    ) {
        var skip = 0
        while skip < size &- 1, unsafe bytes[skip] == 0 { skip &+= 1 }
        let pad = unsafe bytes[skip] >= 0x80 ? 1 : 0
        unsafe out[end] = 0x02
        unsafe out[end &+ 1] = UInt8(size &- skip &+ pad)
        end &+= 2
        if pad == 1 {
            unsafe out[end] = 0
            end &+= 1
        }
        while skip < size {
            unsafe out[end] = bytes[skip]
            end &+= 1
            skip &+= 1
        }
    }

    /// Writes r‖s of `size` bytes each from OpenSSL's DER; false if it is not of that form.
    @unsafe
    static func decode(
        _ der: UnsafePointer<UInt8>,
        _ count: Int,
        _ size: Int,
        into out: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        guard count > 3, unsafe der[0] == 0x30 else { return false }
        var i = unsafe der[1] == 0x81 ? 3 : 2
        var place = 0
        for _ in 0..<2 {
            guard i &+ 2 <= count, unsafe der[i] == 0x02 else { return false }
            var length = unsafe Int(der[i &+ 1])
            i &+= 2
            guard length > 0, length < 128, i &+ length <= count else { return false }
            while length > 1, unsafe der[i] == 0 {
                i &+= 1
                length &-= 1
            }
            guard length <= size else { return false }
            for k in 0..<(size &- length) { unsafe out[place &+ k] = 0 }
            for k in 0..<length { unsafe out[place &+ size &- length &+ k] = der[i &+ k] }
            i &+= length
            place &+= size
        }
        return i == count
    }
}
