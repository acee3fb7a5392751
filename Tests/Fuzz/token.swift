// COLD. Tokens: raw ones, and header and payload that are signed here, so that the way to a verified token is reached.
import Bytes
import JOSE

private final class Parts: @unchecked Sendable {
    static let shared = Parts()
    let decoder = TokenDecoder()
    let signer: Signer
    let verifier: Verifier
    /// Public keys, with which nothing of the fuzzer's can verify.
    let stranger: Verifier

    init() {
        do {
            let key = try SigningKey(secret: (0..<32).map { UInt8($0) }, algorithm: .hs256, id: "k")
            signer = Signer(key)
            verifier = Verifier(keys: try KeySet([key.publicKey]))
            let others = [try SigningKey.generate(.es256), try SigningKey.generate(.edDSA)]
            stranger = Verifier(keys: try KeySet(others.map(\.publicKey)))
        } catch {
            fatalError("keys: \(error)")
        }
    }
}

/// One input of the fuzzer: a compact token, or its header and payload with a NUL (to be signed here) or a 1 (to get a
/// bad signature) between them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: bytes, count: count)
    guard let separator = input.firstIndex(where: { $0 < 2 }) else {
        raw(Array(input))
        return 0
    }
    let header = Array(input[..<separator])
    let payload = Array(input[(separator + 1)...])
    let signed = Base64URL.encode(header) + "." + Base64URL.encode(payload)
    guard input[separator] == 0 else {
        raw(Array((signed + "." + Base64URL.encode([UInt8](repeating: 1, count: 64))).utf8))
        return 0
    }
    guard let signature = Parts.shared.signer.signature(Array(signed.utf8)) else {
        check(false, "signer")
        return 0
    }
    var token = Array((signed + "." + Base64URL.encode(signature)).utf8)
    guard decode(token) == nil else { return 0 }
    decoded(token)
    let decoder = Parts.shared.decoder
    check(payload.elementsEqual(decoder.payload), "another payload")
    switch verify(Parts.shared.verifier) {
    case nil: check(decoder.algorithm == .hs256, "verified with another algorithm")
    case .unknownKey:
        let isOther = decoder.hasKeyID && !decoder.keyID.elementsEqual("k".utf8)
        check(isOther || decoder.algorithm != .hs256, "the key was not found")
        return 0
    default:
        check(false, "a good signature is refused")
    }
    readClaims()

    // One flipped bit anywhere, and it is not verified any more.
    var place = count
    for byte in input { place = (place &* 31 &+ Int(byte)) & 0xff_ffff }
    token[place % token.count] ^= 1 << UInt8(place % 7)
    if decode(token) == nil {
        decoded(token)
        check(verify(Parts.shared.verifier) != nil, "a forged token is verified")
    }
    return 0
}

private func raw(_ token: [UInt8]) {
    guard decode(token) == nil else { return }
    decoded(token)
    check(verify(Parts.shared.stranger) != nil, "a stranger's token is verified")
    readClaims()
}

private func decode(_ token: [UInt8]) -> TokenError? {
    do throws(TokenError) {
        try Parts.shared.decoder.decode(token)
        return nil
    } catch {
        return error
    }
}

private func verify(_ verifier: Verifier) -> TokenError? {
    do throws(TokenError) {
        _ = try verifier.verify(Parts.shared.decoder)
        return nil
    } catch {
        return error
    }
}

/// A token that was decoded has no other spelling.
private func decoded(_ token: [UInt8]) {
    let parts = token.split(separator: 0x2e, omittingEmptySubsequences: false)
    check(parts.count == 3, "parts")
    let payload = Array(Parts.shared.decoder.payload)
    check(Base64URL.encode(payload).utf8.elementsEqual(parts[1]), "base64url that is not canonical")
    for part in [parts[0], parts[2]] {
        guard let bytes = Base64URL.decode(Array(part)) else { return check(false, "base64url") }
        check(Base64URL.encode(bytes).utf8.elementsEqual(part), "base64url that is not canonical")
    }
}

/// Reads every claim in every way.
private func readClaims() {
    let decoder = Parts.shared.decoder
    let claims: Claims
    do throws(TokenError) {
        claims = try decoder.claims()
    } catch {
        return
    }
    let kept = claims.copy()
    for claims in [claims, kept] {
        for index in [claims.issuer, claims.subject, claims.tokenID] where index >= 0 {
            check(claims.document.kind(index) == .string, "kind of a claim")
        }
        check(!claims.hasExpiry || claims.expiry >= 0 && claims.expiry < 253_402_300_800, "exp")
        check(!claims.hasNotBefore || claims.notBefore >= 0, "nbf")
        check(!claims.hasIssuedAt || claims.issuedAt >= 0, "iat")
        for index in [claims.audience, claims.scope, claims.scp, claims.find("azp"), -1] {
            let word: [UInt8] = [0x61, 0x70, 0x69]
            let isEqual = claims.equals(index, word.span)
            let isContained = claims.contains(index, word.span)
            let isListed = claims.lists(index, word.span)
            check(!isEqual || isContained && isListed, "equal, but not contained")
            check(claims.text(index).count >= 0, "text")
        }
        check(claims.find(ClaimPath("realm_access.roles")) < claims.document.nodeCount, "path")
    }
    check(kept.expiry == claims.expiry && kept.document.nodeCount == claims.document.nodeCount, "another copy")
}
