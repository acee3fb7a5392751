// HOT to read, COLD to make. Who asks, as a credential proved it.
public import JOSE

/// A verified caller: the claims that were proved, and the header lines that tell services of them.
///
/// Immutable. Owned by one worker, which keeps it in its cache.
@safe
public final class Principal {
    /// Index of the issuer in the plan.
    public let issuer: Int
    /// The token's claims.
    public let claims: Claims
    /// `sub`, or nothing; lives as long as the principal.
    public let subject: UnsafeBufferPointer<UInt8>
    /// Unix second from which it is not accepted any more, leeway included.
    public let expiry: Int64
    /// Whole header lines with their line ends, encoded; lives as long as the principal.
    public let headerBlock: UnsafeBufferPointer<UInt8>
    /// Where the roles are in the claims, or -1.
    public let rolesIndex: Int
    /// Where the scopes are in the claims, or -1.
    public let scopeIndex: Int
    /// Whether the credential counts only on connections with a certain client certificate (RFC 8705 §3).
    ///
    /// Such a principal is asked for ``isBound(to:)`` on each request.
    public let isBound: Bool
    /// Whether a client certificate proved it, and no token.
    public let isCertificate: Bool
    /// The login session that proved it; nil for tokens and certificates.
    public let session: LiveSession?
    /// Where the thumbprint is in the claims, or -1.
    private let bindingIndex: Int
    /// Bytes of memory that it takes, about.
    let memory: Int
    private let block: UnsafeMutableBufferPointer<UInt8>

    /// A caller whose `claims` were verified and are kept.
    ///
    /// `bindingIndex` is where the thumbprint of the certificate is that a token is bound to, -1 for none.
    init(
        issuer: Int,
        claims: Claims,
        expiry: Int64,
        rolesIndex: Int,
        scopeIndex: Int,
        headerBlock bytes: [UInt8],
        bindingIndex: Int = -1,
        isCertificate: Bool = false,
        session: LiveSession? = nil
    ) {
        self.issuer = issuer
        self.bindingIndex = bindingIndex
        self.isCertificate = isCertificate
        self.session = session
        isBound = bindingIndex >= 0
        self.claims = claims
        self.expiry = expiry
        self.rolesIndex = rolesIndex
        self.scopeIndex = scopeIndex
        memory = claims.memory &+ bytes.count &+ 192
        unsafe subject = claims.text(claims.subject)
        unsafe block = .allocate(capacity: max(1, bytes.count))
        _ = unsafe block.initialize(from: bytes)
        unsafe headerBlock = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(block)[..<bytes.count])
    }

    deinit { unsafe block.deallocate() }

    /// Whether it is bound to the certificate with this thumbprint, which is canonical base64url.
    ///
    /// Thumbprints are no secrets, and are compared as they are.
    public func isBound(to thumbprint: [UInt8]) -> Bool { claims.equals(bindingIndex, thumbprint.span) }
}
