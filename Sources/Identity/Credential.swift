// HOT. Finds the credential in a request's head.
public import Bytes
public import HTTP

/// What a request has for a credential.
public enum CredentialFinding {
    /// Nothing.
    case none
    /// A bearer token, at this place.
    case bearer(Slice)
    /// Something that cannot be one.
    case refused(Reason)
}

/// The credential of a request.
public enum Credential {
    /// Looks for a bearer token (RFC 6750 §2.1): the scheme in any case, one space, and a token that ends the value.
    ///
    /// A token in the query or in a body is not looked for. The token's bytes are not looked at either: what was
    /// verified before is compared as a whole, and everything else goes through `isToken` first.
    public static func find(in head: RequestHead, _ input: UnsafePointer<UInt8>) -> CredentialFinding {
        let index = head.first(.authorization)
        guard index >= 0 else { return .none }
        guard head.count(.authorization) == 1 else { return .refused(.credentialMalformed) }
        let value = head[index].value
        let bytes = unsafe input + value.start
        guard value.count >= 6, unsafe isBearer(bytes), value.count == 6 || (unsafe bytes[6] == 0x20) else {
            return .refused(.schemeUnsupported)
        }
        guard value.count > 7 else { return .refused(.credentialMalformed) }
        return .bearer(Slice(value.start &+ 7, value.end))
    }

    @inline(__always)
    private static func isBearer(_ bytes: UnsafePointer<UInt8>) -> Bool {
        unsafe bytes[0] | 0x20 == 0x62 && bytes[1] | 0x20 == 0x65 && bytes[2] | 0x20 == 0x61 && bytes[3] | 0x20 == 0x72
            && bytes[4] | 0x20 == 0x65 && bytes[5] | 0x20 == 0x72
    }

    /// Whether the bytes are what a JWS in compact form may hold: base64url without padding, and dots.
    public static func isToken(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let start = bytes.baseAddress else { return true }
        let raw = unsafe UnsafeRawPointer(start)
        var i = 0
        while bytes.count &- i >= 16 {
            guard unsafe isToken(raw.loadUnaligned(fromByteOffset: i, as: SIMD16<UInt8>.self)) else { return false }
            i &+= 16
        }
        var rest = SIMD16<UInt8>(repeating: 0x2d)
        for lane in 0..<(bytes.count &- i) { unsafe rest[lane] = bytes[i &+ lane] }
        return isToken(rest)
    }

    @inline(__always)
    private static func isToken(_ v: SIMD16<UInt8>) -> Bool {
        let letter =
            ((v | SIMD16<UInt8>(repeating: 0x20)) &- SIMD16<UInt8>(repeating: 0x61)) .< SIMD16<UInt8>(repeating: 26)
        let digit = (v &- SIMD16<UInt8>(repeating: 0x30)) .< SIMD16<UInt8>(repeating: 10)
        // `-` and `.` stand side by side.
        let mark = (v &- SIMD16<UInt8>(repeating: 0x2d)) .< SIMD16<UInt8>(repeating: 2)
        let line = v .== SIMD16<UInt8>(repeating: 0x5f)
        return all(letter .| digit .| mark .| line)
    }
}
