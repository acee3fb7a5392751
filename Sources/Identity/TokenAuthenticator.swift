// HOT. From a token to the principal it proves, by signature alone (RFC 7519, RFC 8725).
import Bytes
import JOSE

/// What looking at a credential came to.
public enum AuthenticationOutcome {
    /// It proves this principal.
    case verified(Principal)
    /// It proves nothing.
    case rejected(Reason)
    /// It cannot be told at the moment (503).
    case unavailable(Reason)
}

/// Verifies tokens.
///
/// One per worker and snapshot: it keeps scratch memory and prepared contexts.
public final class TokenAuthenticator {
    private let issuers: [IssuerPlan]
    private let injection: HeaderInjection
    private let verifiers: [Verifier?]
    private let decoder: TokenDecoder

    /// An authenticator for `plan`.
    public init(plan: TokenPlan) {
        issuers = plan.issuers
        injection = plan.injection
        verifiers = plan.issuers.map { $0.keys.map { Verifier(keys: $0) } }
        decoder = TokenDecoder(limits: TokenLimits(tokenBytes: plan.longestToken))
    }

    /// Verifies a compact JWS and its claims at `now` (Unix seconds).
    ///
    /// `iss` is read before the signature is verified, but only to choose whose keys verify it. Several issuers may
    /// have the same `iss` (secrets and public keys are kept apart): each that allows the algorithm is tried.
    ///
    /// Cost: one signature verification; allocates the principal only.
    public func authenticate(_ token: UnsafeBufferPointer<UInt8>, now: Int64) -> AuthenticationOutcome {
        do throws(TokenError) {
            try decoder.decode(unsafe Span(_unsafeElements: token))
            return judge(try decoder.claims(), now)
        } catch {
            return Self.outcome(error)
        }
    }

    private static func outcome(_ error: TokenError) -> AuthenticationOutcome {
        error.isClientFault ? .rejected(Reason(error)) : .unavailable(Reason(error))
    }

    private func judge(_ claims: Claims, _ now: Int64) -> AuthenticationOutcome {
        var last = AuthenticationOutcome.rejected(.unknownIssuer)
        for index in 0..<issuers.count {
            let issuer = issuers[index]
            let name = issuer.issuer
            guard claims.equals(claims.issuer, name.span) else { continue }
            guard issuer.algorithms.contains(decoder.algorithm) else {
                if case .rejected(.unknownIssuer) = last { last = .rejected(.tokenAlgorithmNotAllowed) }
                continue
            }
            guard let verifier = verifiers[index] else {
                last = .unavailable(.issuerKeysMissing)
                continue
            }
            do throws(TokenError) {
                _ = try verifier.verify(decoder, allowed: issuer.algorithms)
            } catch {
                if case .unavailable = last { continue }
                last = Self.outcome(error)
                continue
            }
            // The signature is good, so nobody else's keys have a say: what the claims come to is final.
            let reason = check(claims, issuer, now)
            return reason == .none ? .verified(principal(index, issuer, claims)) : .rejected(reason)
        }
        return last
    }

    /// Checks the claims of a token whose signature is good.
    private func check(_ claims: Claims, _ issuer: IssuerPlan, _ now: Int64) -> Reason {
        guard claims.hasExpiry else { return .expiryMissing }
        if now >= claims.expiry &+ issuer.leeway { return .expired }
        if claims.hasNotBefore, claims.notBefore > now &+ issuer.leeway { return .notYetValid }
        if claims.hasIssuedAt, claims.issuedAt > now &+ issuer.leeway { return .issuedInFuture }
        if issuer.maxLifetime > 0 {
            let begin = claims.hasIssuedAt ? claims.issuedAt : now
            if claims.expiry &- begin > issuer.maxLifetime { return .lifetimeTooLong }
        }
        if !issuer.allowsAnyAudience,
            !issuer.audiences.contains(where: { claims.contains(claims.audience, $0.span) })
        {
            return .audienceMismatch
        }
        if !issuer.types.isEmpty, !hasType(of: issuer.types) { return .typeMismatch }
        for path in issuer.required where !Self.isThere(path, claims) { return .claimMissing }
        return Self.checkBinding(claims, issuer)
    }

    /// Checks that `cnf` (RFC 7800) says nothing that would go unchecked: a thumbprint of a certificate is compared with
    /// the connection's on each request, everything else (DPoP's `jkt`, keys) is refused unless the issuer's settings
    /// leave it to others.
    private static func checkBinding(_ claims: Claims, _ issuer: IssuerPlan) -> Reason {
        let confirmation = claims.find("cnf")
        guard confirmation >= 0 else { return .none }
        let document = claims.document
        guard document.kind(confirmation) == .object else { return .tokenBindingUnsupported }
        let thumbprint = document.member(confirmation, CertificateAuthenticator.thumbprintName)
        if thumbprint >= 0 {
            // Only canonical text can be compared as text.
            guard let text = document.stringBytes(thumbprint), Base64URL.decode(text)?.count == 32 else {
                return .tokenBindingUnsupported
            }
        }
        let others = document.childCount(confirmation) - (thumbprint >= 0 ? 1 : 0)
        if others == 0, thumbprint >= 0 { return .none }
        return issuer.ignoresOtherBindings ? .none : .tokenBindingUnsupported
    }

    /// Whether a claim is there and says something.
    private static func isThere(_ path: ClaimPath, _ claims: Claims) -> Bool {
        let node = claims.find(path)
        guard node >= 0 else { return false }
        switch claims.document.kind(node) {
        case .null: return false
        case .string: return unsafe claims.text(node).count > 0
        default: return true
        }
    }

    /// Whether `typ` is one of the given (RFC 7515 §4.1.9: media types without `application/`).
    private func hasType(of types: [[UInt8]]) -> Bool {
        let given = unsafe Self.withoutPrefix(decoder.type)
        return types.contains { wanted in
            unsafe wanted.withUnsafeBufferPointer { wanted in
                let wanted = unsafe Self.withoutPrefix(wanted)
                guard wanted.count == given.count else { return false }
                for i in 0..<wanted.count where unsafe Self.lowered(wanted[i]) != Self.lowered(given[i]) {
                    return false
                }
                return true
            }
        }
    }

    private static let mediaPrefix: StaticString = "application/"

    private static func withoutPrefix(_ type: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        let length = mediaPrefix.utf8CodeUnitCount
        guard type.count > length else { return unsafe type }
        for i in 0..<length where unsafe lowered(type[i]) != mediaPrefix.utf8Start[i] { return unsafe type }
        return unsafe UnsafeBufferPointer(rebasing: type[length...])
    }

    @inline(__always)
    private static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    private static func binding(_ claims: Claims) -> Int {
        let confirmation = claims.find("cnf")
        return confirmation < 0
            ? -1 : claims.document.member(confirmation, CertificateAuthenticator.thumbprintName)
    }

    private func principal(_ index: Int, _ issuer: IssuerPlan, _ claims: Claims) -> Principal {
        // Node indices are the same in the copy.
        let kept = claims.copy()
        return Principal(
            issuer: index,
            claims: kept,
            expiry: claims.expiry &+ issuer.leeway,
            rolesIndex: kept.find(issuer.roles),
            scopeIndex: kept.find(issuer.scope),
            headerBlock: injection.block(for: kept),
            bindingIndex: Self.binding(kept)
        )
    }
}
