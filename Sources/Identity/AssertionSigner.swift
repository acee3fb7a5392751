// HOT when cached, COLD to sign. The gateway's own word about a caller, for one service: a JWT of a minute.
import Bytes
public import JOSE

/// Signs assertions and keeps them until shortly before they expire.
///
/// One per worker and snapshot.
public final class AssertionSigner {
    /// How assertions are made.
    public struct Plan: Sendable {
        /// The `iss`.
        public var issuer: [UInt8]
        /// The key that signs.
        public var key: SigningKey
        /// Seconds of life, 1…60.
        public var lifetime: Int64
        /// Claims that are taken over from the caller's token.
        public var claims: [ClaimPath]
        /// Assertions that are kept.
        public var entries: Int

        /// A plan with all its parts.
        public init(issuer: [UInt8], key: SigningKey, lifetime: Int64, claims: [ClaimPath], entries: Int) {
            self.issuer = issuer
            self.key = key
            self.lifetime = max(1, min(60, lifetime))
            self.claims = claims
            self.entries = max(1, min(entries, 1 << 16))
        }
    }

    private final class Entry {
        var principal: Principal
        var audience: [UInt8]
        var token: OutputBuffer
        var renewAt: Int64

        init(_ principal: Principal, _ audience: [UInt8], _ token: OutputBuffer, renewAt: Int64) {
            self.principal = principal
            self.audience = audience
            self.token = token
            self.renewAt = renewAt
        }
    }

    private let plan: Plan
    private let signer: Signer
    private var entries: [Entry?]
    private let payload = OutputBuffer(capacity: 1024)
    /// Assertions that were signed, and those that were used again.
    public private(set) var signed: UInt64 = 0
    /// Assertions that were used again.
    public private(set) var reused: UInt64 = 0

    /// A signer for `plan`.
    public init(plan: Plan) {
        self.plan = plan
        signer = Signer(plan.key, type: "JWT")
        var size = 1
        while size < plan.entries { size <<= 1 }
        entries = Array(repeating: nil, count: size)
    }

    /// The assertion about `principal` for the service `audience` at `now`; empty when it cannot be made.
    ///
    /// Valid until the next call. It ends with the caller's own credential at the latest.
    public func assertion(
        for principal: Principal,
        audience: UnsafeBufferPointer<UInt8>,
        now: Int64
    ) -> UnsafeBufferPointer<UInt8> {
        let place = unsafe self.place(principal, audience)
        if let entry = entries[place], entry.principal === principal, now < entry.renewAt,
            unsafe entry.audience.elementsEqual(audience)
        {
            reused &+= 1
            return unsafe entry.token.bytes
        }
        return unsafe sign(principal, audience, now, place)
    }

    @inline(__always)
    private func place(_ principal: Principal, _ audience: UnsafeBufferPointer<UInt8>) -> Int {
        var hash = UInt(bitPattern: ObjectIdentifier(principal).hashValue) >> 4
        for i in 0..<audience.count { hash = (hash ^ UInt(unsafe audience[i])) &* 0x100_0000_01b3 }
        return Int(bitPattern: hash ^ hash >> 17) & (entries.count &- 1)
    }

    private func sign(
        _ principal: Principal,
        _ audience: UnsafeBufferPointer<UInt8>,
        _ now: Int64,
        _ place: Int
    ) -> UnsafeBufferPointer<UInt8> {
        let none = unsafe UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        let expiry = min(now &+ plan.lifetime, principal.expiry)
        guard expiry > now else { return unsafe none }
        unsafe writePayload(principal, audience, now, expiry)
        let token = OutputBuffer(capacity: 1024)
        guard signer.sign(unsafe Span(_unsafeElements: payload.bytes), into: token) else { return unsafe none }
        signed &+= 1
        // Renewed early enough that a service never sees one that has just expired.
        let margin = max(1, min(10, (expiry &- now) / 4))
        entries[place] = unsafe Entry(principal, Array(audience), token, renewAt: expiry &- margin)
        return unsafe token.bytes
    }

    private func writePayload(
        _ principal: Principal,
        _ audience: UnsafeBufferPointer<UInt8>,
        _ now: Int64,
        _ expiry: Int64
    ) {
        payload.removeAll()
        payload.append("{\"iss\":")
        unsafe plan.issuer.withUnsafeBufferPointer { unsafe JSONWriter.append(string: $0, to: payload) }
        payload.append(",\"aud\":")
        unsafe JSONWriter.append(string: audience, to: payload)
        if unsafe principal.subject.count > 0 {
            payload.append(",\"sub\":")
            unsafe JSONWriter.append(string: principal.subject, to: payload)
        }
        payload.append(",\"iat\":")
        payload.append(decimal: UInt64(max(0, now)))
        payload.append(",\"exp\":")
        payload.append(decimal: UInt64(max(0, expiry)))
        var random = SystemRandomNumberGenerator()
        payload.append(",\"jti\":\"")
        payload.append(hex: random.next(), digits: 16)
        payload.append(hex: random.next(), digits: 16)
        payload.append("\"")
        for path in plan.claims where !Self.registered.contains(path.description) {
            let node = principal.claims.find(path)
            guard node >= 0 else { continue }
            payload.append(",")
            var name = path.description
            name.withUTF8 { unsafe JSONWriter.append(string: $0, to: payload) }
            payload.append(":")
            JSONWriter.append(node, of: principal.claims.document, to: payload)
        }
        payload.append("}")
    }

    /// Claims that are the gateway's own to make.
    private static let registered: Set<String> = ["iss", "aud", "sub", "iat", "exp", "nbf", "jti"]
}
