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
    /// A token in the query or in a body is not looked for.
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
        for i in 7..<value.count where unsafe !isTokenByte(bytes[i]) { return .refused(.credentialMalformed) }
        return .bearer(Slice(value.start &+ 7, value.end))
    }

    @inline(__always)
    private static func isBearer(_ bytes: UnsafePointer<UInt8>) -> Bool {
        unsafe bytes[0] | 0x20 == 0x62 && bytes[1] | 0x20 == 0x65 && bytes[2] | 0x20 == 0x61 && bytes[3] | 0x20 == 0x72
            && bytes[4] | 0x20 == 0x65 && bytes[5] | 0x20 == 0x72
    }

    /// What a JWS in compact form may hold: base64url without padding, and dots.
    @inline(__always)
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2d || byte == 0x5f || byte == 0x2e
    }
}
