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
        // Bit n of the low word is byte n, of the high word byte 64 + n.
        let low: UInt64 = 0x03ff_6000_0000_0000
        let high: UInt64 = 0x07ff_fffe_87ff_fffe
        var wrong: UInt64 = 0
        for i in 0..<bytes.count {
            let byte = unsafe bytes[i]
            let word = byte & 0x40 == 0 ? low : high
            wrong |= ~(word &>> UInt64(byte & 0x3f)) & 1 | UInt64(byte &>> 7)
        }
        return wrong == 0
    }
}
