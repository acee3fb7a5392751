// COLD. What a worker does when credentials are revoked: it forgets them, and ends what they opened.
import Identity

extension Worker {
    /// With more revocations than this at once, the whole set is asked instead of each of them.
    private static let fewRevocations = 16

    /// Forgets the tokens of revoked principals, and ends their requests, streams and tunnels.
    ///
    /// Nothing of a revoked principal can come in afterwards: whatever is verified from now on is held against the set.
    func revoke(_ list: [Revocation]) {
        guard !list.isEmpty else { return }
        let now = unixSeconds
        let isRevoked: (Principal) -> Bool
        if list.count <= Self.fewRevocations {
            isRevoked = { principal in list.contains { ($0.until ?? .max) > now && $0.matches(principal.claims) } }
        } else {
            let revocations = revocations
            isRevoked = { revocations.contains($0, now: now) }
        }
        cache.remove(where: isRevoked)
        sessions.remove(where: isRevoked)
        for exchange in exchanges where exchange.phase != .idle {
            guard let principal = exchange.note.principal else { continue }
            if isRevoked(principal) || principal.isBound && hasRevokedCertificate(exchange) {
                exchange.credentialEnded(.revoked)
            }
        }
    }

    /// Whether the certificate that a token is bound to is one of somebody who is revoked.
    private func hasRevokedCertificate(_ exchange: Exchange) -> Bool {
        exchange.connection?.certificate?.refusal(plan.snapshot, revocations, now: unixSeconds) == .revoked
    }
}
