// COLD. From a session that a store has vouched for to the principal it proves; on a cache miss, not per request.
import Bytes
public import JOSE

/// Makes principals of login sessions.
///
/// Immutable; shared by all workers.
public final class SessionAuthenticator: Sendable {
    /// The name in rules, and `iss` of its principals.
    public let issuer: String
    private let index: Int
    private let roles: JOSE.ClaimPath
    private let scope: JOSE.ClaimPath
    private let injection: HeaderInjection

    /// An authenticator whose principals have `index` as their issuer, and roles and scopes at these places.
    public init(issuer: String, index: Int, roles: JOSE.ClaimPath, scope: JOSE.ClaimPath, injection: HeaderInjection) {
        self.issuer = issuer
        self.index = index
        self.roles = roles
        self.scope = scope
        self.injection = injection
    }

    /// The principal of a session with these claims; nil when they are no JSON object, or another issuer's: accounts of
    /// a directory that this gateway does not have are nobody here.
    public func principal(claims json: [UInt8], _ session: LiveSession) -> Principal? {
        do throws(TokenError) {
            let claims = try Claims(json: json)
            guard claims.issuer >= 0, unsafe claims.text(claims.issuer).elementsEqual(issuer.utf8) else { return nil }
            return Principal(
                issuer: index,
                claims: claims,
                expiry: session.expires,
                rolesIndex: claims.find(roles),
                scopeIndex: claims.find(scope),
                headerBlock: injection.block(for: claims),
                session: session
            )
        } catch {
            return nil
        }
    }
}
