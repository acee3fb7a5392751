// HOT. A compact JWS taken apart: three parts, strict base64url, the header's few members that count. It trusts nothing.
internal import Bytes
import Glibc

/// Bounds of tokens.
public struct TokenLimits: Sendable {
    /// Bytes of the whole token.
    public var tokenBytes: Int
    /// Bytes of `kid`.
    public var keyIDBytes: Int
    /// Bounds of the JSON of header and payload.
    public var json: JSONLimits

    /// Bounds; the defaults are 16 KiB, 256 bytes, 16 levels and 4096 values.
    public init(tokenBytes: Int = 16384, keyIDBytes: Int = 256, json: JSONLimits = JSONLimits()) {
        self.tokenBytes = tokenBytes
        self.keyIDBytes = keyIDBytes
        self.json = json
    }
}

/// Takes compact tokens apart (RFC 7515 §3.1, §5.2), one after the other, in memory that is reused.
///
/// Owned by one thread. What it returns is valid until the next `decode`. Nothing in it has been verified.
@safe
public final class TokenDecoder {
    private let limits: TokenLimits
    /// The token, then room for its decoded signature.
    private let token: UnsafeMutablePointer<UInt8>
    private let signatureBytes: UnsafeMutablePointer<UInt8>
    private let header: JSONDocument
    private let payloadDocument: JSONDocument
    private let scratchClaims: Claims
    /// The last good header as it was encoded: the next token of the same issuer most often has the same.
    private let lastHeader: UnsafeMutablePointer<UInt8>
    private var lastHeaderCount = 0
    private static let rememberedHeader = 1024

    private var payloadEnd = 0
    private var payloadCount = 0
    private var signatureCount = 0
    private var keyIDNode = -1
    private var typeNode = -1
    private var isDecoded = false
    private var hasClaims = false

    /// `alg` of the token.
    public private(set) var algorithm = Algorithm.edDSA

    /// A decoder with these bounds.
    public init(limits: TokenLimits = TokenLimits()) {
        self.limits = limits
        let room = limits.tokenBytes + 16
        unsafe token = .allocate(capacity: room)
        unsafe signatureBytes = .allocate(capacity: Base64URL.decodedCount(room) + 16)
        unsafe lastHeader = .allocate(capacity: Self.rememberedHeader)
        header = JSONDocument(capacity: 512)
        payloadDocument = JSONDocument(capacity: 2048, nodes: 128)
        scratchClaims = Claims(document: payloadDocument)
    }

    deinit {
        unsafe token.deallocate()
        unsafe signatureBytes.deallocate()
        unsafe lastHeader.deallocate()
    }

    /// Takes a token apart: splits it, decodes its parts, reads its header.
    ///
    /// The payload may be any bytes.
    public func decode(_ text: Span<UInt8>) throws(TokenError) {
        isDecoded = false
        hasClaims = false
        let count = text.count
        guard count <= limits.tokenBytes else { throw .tooLarge }
        unsafe text.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { unsafe memcpy(token, start, count) }
        }
        guard let first = unsafe Scan.first(0x2e, in: token, from: 0, to: count), first > 0,
            let second = unsafe Scan.first(0x2e, in: token, from: first &+ 1, to: count)
        else { throw .malformed }
        if let third = unsafe Scan.first(0x2e, in: token, from: second &+ 1, to: count) {
            // Five parts are a JWE (RFC 7516 §9).
            guard let fourth = unsafe Scan.first(0x2e, in: token, from: third &+ 1, to: count),
                unsafe Scan.first(0x2e, in: token, from: fourth &+ 1, to: count) == nil
            else { throw .malformed }
            throw .encrypted
        }
        guard second &+ 1 < count else { throw .malformed }

        if unsafe first != lastHeaderCount || memcmp(token, lastHeader, first) != 0 { try readHeader(first) }

        let signatureText = count &- second &- 1
        signatureCount = unsafe Base64URL.decode(token + second + 1, signatureText, into: signatureBytes)
        guard signatureCount > 0 else { throw .badBase64 }
        let payloadText = second &- first &- 1
        let place = unsafe payloadDocument.prepare(Base64URL.decodedCount(payloadText) &+ 8)
        payloadCount = unsafe Base64URL.decode(token + first + 1, payloadText, into: place)
        guard payloadCount >= 0 else { throw .badBase64 }
        payloadEnd = second
        isDecoded = true
    }

    /// Takes a token apart (tests, tools).
    public func decode(_ text: [UInt8]) throws(TokenError) { try decode(text.span) }

    /// Decodes and reads the header, which takes the first `count` bytes of the token.
    private func readHeader(_ count: Int) throws(TokenError) {
        lastHeaderCount = 0
        keyIDNode = -1
        typeNode = -1
        let place = unsafe header.prepare(Base64URL.decodedCount(count) &+ 8)
        header.count = unsafe Base64URL.decode(token, count, into: place)
        guard header.count >= 0 else {
            header.count = 0
            throw .badBase64
        }
        do throws(JSONError) {
            try header.parse(limits: limits.json)
        } catch {
            throw TokenError(error)
        }
        guard header.kind(0) == .object else { throw .badJSON }
        // RFC 7515 §4.1.11: no extension is understood here, so every `crit` is refused; RFC 7797 §3: `b64` as well.
        guard header.member(0, "crit") < 0, header.member(0, "b64") < 0 else { throw .criticalHeader }
        guard header.member(0, "enc") < 0, header.member(0, "zip") < 0 else { throw .encrypted }
        // `jwk`, `jku`, `x5u`, `x5c` and whatever else is there are not even looked at (advisory C20).
        let named = header.member(0, "alg")
        guard named >= 0, header.kind(named) == .string else { throw .badHeader }
        guard let known = unsafe Algorithm(Span(_unsafeElements: header.text(named))) else {
            throw .unsupportedAlgorithm
        }
        let keyID = header.member(0, "kid")
        if keyID >= 0 {
            guard header.kind(keyID) == .string, unsafe header.text(keyID).count <= limits.keyIDBytes else {
                throw .badHeader
            }
        }
        let type = header.member(0, "typ")
        guard type < 0 || header.kind(type) == .string else { throw .badHeader }
        keyIDNode = keyID
        typeNode = type
        algorithm = known
        if count <= Self.rememberedHeader {
            unsafe memcpy(lastHeader, token, count)
            lastHeaderCount = count
        }
    }

    // MARK: Parts

    /// Whether the header names a key.
    public var hasKeyID: Bool { keyIDNode >= 0 }

    /// `kid`, or empty.
    public var keyID: UnsafeBufferPointer<UInt8> {
        keyIDNode < 0 ? unsafe UnsafeBufferPointer(start: nil, count: 0) : unsafe header.text(keyIDNode)
    }

    /// `typ` as it is written, or empty.
    public var type: UnsafeBufferPointer<UInt8> {
        typeNode < 0 ? unsafe UnsafeBufferPointer(start: nil, count: 0) : unsafe header.text(typeNode)
    }

    /// The header's members (tools).
    public var headerDocument: JSONDocument { header }

    /// The decoded payload; no longer as it was once `claims()` unescaped it.
    public var payload: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: payloadDocument.bytes, count: isDecoded ? payloadCount : 0)
    }

    /// What the signature covers; empty when the last `decode` failed.
    var signingInput: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: token, count: isDecoded ? payloadEnd : 0)
    }

    /// The signature.
    var signature: UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: signatureBytes, count: isDecoded ? signatureCount : 0)
    }

    /// The claims: the payload parsed and its registered claims located and type-checked.
    ///
    /// Valid until the next `decode`; keep `copy()` of them. Cheap when called again.
    public func claims() throws(TokenError) -> Claims {
        guard isDecoded else { throw .malformed }
        if hasClaims { return scratchClaims }
        payloadDocument.count = payloadCount
        do throws(JSONError) {
            try payloadDocument.parse(limits: limits.json)
        } catch {
            throw TokenError(error)
        }
        try scratchClaims.locate()
        hasClaims = true
        return scratchClaims
    }
}
