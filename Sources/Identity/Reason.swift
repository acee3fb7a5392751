// COLD. Why a caller is not let in: the closed vocabulary of logs, metrics and answers.
public import JOSE

/// Why a credential or its owner is refused; `none` when nothing is wrong.
///
/// The code goes to the log and the metrics. What the caller reads is ``detail``, which never tells apart the ways in
/// which a token may fail to be genuine.
public enum Reason: UInt8, CaseIterable, Sendable {
    /// Nothing is wrong.
    case none
    /// The request has no credential.
    case noCredential
    /// `Authorization` has another scheme than Bearer.
    case schemeUnsupported
    /// What follows the scheme is not one token.
    case credentialMalformed
    /// A `Connection` field names a field that only the gateway may set.
    case connectionNamesProtected

    /// Not three parts.
    case tokenMalformed
    /// Longer than the limit.
    case tokenTooLarge
    /// Not base64url.
    case tokenBadBase64
    /// Not JSON.
    case tokenBadJSON
    /// A name is twice in one JSON object.
    case tokenDuplicateName
    /// JSON nested too deep.
    case tokenTooDeep
    /// The header is not as RFC 7515 wants it.
    case tokenBadHeader
    /// An algorithm that does not exist here, `none` among them.
    case tokenUnsupportedAlgorithm
    /// An algorithm that the issuer may not use.
    case tokenAlgorithmNotAllowed
    /// A `crit` header.
    case tokenCriticalHeader
    /// A JWE.
    case tokenEncrypted
    /// No key of the issuer fits.
    case tokenUnknownKey
    /// The signature is not that of the issuer's key.
    case tokenBadSignature
    /// A registered claim has a wrong type.
    case tokenBadClaim
    /// OpenSSL failed.
    case tokenCryptoFailure

    /// No `iss`, or one that is not configured.
    case unknownIssuer
    /// The issuer's keys are not there (503).
    case issuerKeysMissing
    /// No `exp`.
    case expiryMissing
    /// After `exp`.
    case expired
    /// Before `nbf`.
    case notYetValid
    /// `iat` lies in the future.
    case issuedInFuture
    /// Valid for longer than the issuer's tokens may be.
    case lifetimeTooLong
    /// `aud` is for others.
    case audienceMismatch
    /// `typ` is another.
    case typeMismatch
    /// A required claim is not there.
    case claimMissing
    /// Bound to a client certificate (RFC 8705) that the connection does not have.
    case tokenCertificateMismatch
    /// Bound to a key in a way that cannot be checked here (DPoP and the like).
    case tokenBindingUnsupported
    /// The client certificate's time is over; its connection is older.
    case certificateExpired
    /// The client certificate's authority is not accepted any more; its connection is older.
    case certificateUntrusted
    /// The credential was revoked.
    case revoked

    /// The session cookie is none that counts: ended, expired, unknown or malformed.
    case sessionUnknown
    /// The session has ended while it was used.
    case sessionEnded
    /// The sessions' database cannot be asked (503).
    case sessionsUnavailable
    /// A request that changes something came with a cookie, but not provably from a page of ours.
    case originUnproven
    /// The route asks for a more recent login, or a stronger one, than the session's.
    case loginTooOld
    /// The route asks for a second factor.
    case loginTooWeak

    /// The route does not take this issuer's tokens.
    case issuerNotAccepted
    /// The route asks for another audience.
    case routeAudienceMismatch
    /// A scope is missing.
    case scopeMissing
    /// A role is missing.
    case roleMissing
    /// A condition on a claim does not hold.
    case claimConditionFailed
    /// The signed assertion could not be made (503).
    case assertionFailed

    /// The reason why a token cannot be believed.
    public init(_ error: TokenError) {
        self =
            switch error {
            case .malformed: .tokenMalformed
            case .tooLarge: .tokenTooLarge
            case .badBase64: .tokenBadBase64
            case .badJSON: .tokenBadJSON
            case .duplicateName: .tokenDuplicateName
            case .tooDeep: .tokenTooDeep
            case .badHeader: .tokenBadHeader
            case .unsupportedAlgorithm: .tokenUnsupportedAlgorithm
            case .algorithmNotAllowed: .tokenAlgorithmNotAllowed
            case .criticalHeader: .tokenCriticalHeader
            case .encrypted: .tokenEncrypted
            case .unknownKey: .tokenUnknownKey
            case .badSignature: .tokenBadSignature
            case .badClaim: .tokenBadClaim
            case .cryptoFailure: .tokenCryptoFailure
            }
    }

    /// Stable name in logs and metrics.
    public var code: StaticString {
        switch self {
        case .none: "none"
        case .noCredential: "no_credential"
        case .schemeUnsupported: "scheme_unsupported"
        case .credentialMalformed: "credential_malformed"
        case .connectionNamesProtected: "connection_names_protected"
        case .tokenMalformed: "token_malformed"
        case .tokenTooLarge: "token_too_large"
        case .tokenBadBase64: "token_bad_base64"
        case .tokenBadJSON: "token_bad_json"
        case .tokenDuplicateName: "token_duplicate_name"
        case .tokenTooDeep: "token_too_deep"
        case .tokenBadHeader: "token_bad_header"
        case .tokenUnsupportedAlgorithm: "token_unsupported_algorithm"
        case .tokenAlgorithmNotAllowed: "token_algorithm_not_allowed"
        case .tokenCriticalHeader: "token_critical_header"
        case .tokenEncrypted: "token_encrypted"
        case .tokenUnknownKey: "token_unknown_key"
        case .tokenBadSignature: "token_bad_signature"
        case .tokenBadClaim: "token_bad_claim"
        case .tokenCryptoFailure: "token_crypto_failure"
        case .unknownIssuer: "unknown_issuer"
        case .issuerKeysMissing: "issuer_keys_missing"
        case .expiryMissing: "expiry_missing"
        case .expired: "token_expired"
        case .notYetValid: "token_not_yet_valid"
        case .issuedInFuture: "token_issued_in_future"
        case .lifetimeTooLong: "lifetime_too_long"
        case .audienceMismatch: "audience_mismatch"
        case .typeMismatch: "type_mismatch"
        case .claimMissing: "claim_missing"
        case .tokenCertificateMismatch: "token_certificate_mismatch"
        case .tokenBindingUnsupported: "token_binding_unsupported"
        case .certificateExpired: "certificate_expired"
        case .certificateUntrusted: "certificate_untrusted"
        case .revoked: "credential_revoked"
        case .sessionUnknown: "session_unknown"
        case .sessionEnded: "session_ended"
        case .sessionsUnavailable: "sessions_unavailable"
        case .originUnproven: "origin_unproven"
        case .loginTooOld: "login_too_old"
        case .loginTooWeak: "login_too_weak"
        case .issuerNotAccepted: "issuer_not_accepted"
        case .routeAudienceMismatch: "route_audience_mismatch"
        case .scopeMissing: "scope_missing"
        case .roleMissing: "role_missing"
        case .claimConditionFailed: "claim_condition_failed"
        case .assertionFailed: "assertion_failed"
        }
    }

    /// The code that the caller reads: the reason itself where it helps an honest caller, one for all forgeries.
    public var publicCode: StaticString {
        switch self {
        case .noCredential, .schemeUnsupported, .credentialMalformed, .connectionNamesProtected, .tokenTooLarge,
            .expired,
            .notYetValid, .issuedInFuture, .lifetimeTooLong, .audienceMismatch, .routeAudienceMismatch, .scopeMissing,
            .roleMissing, .claimConditionFailed, .issuerKeysMissing, .assertionFailed, .tokenCryptoFailure, .none,
            .tokenCertificateMismatch, .tokenBindingUnsupported, .certificateExpired, .certificateUntrusted, .revoked,
            .sessionUnknown, .sessionEnded, .sessionsUnavailable, .originUnproven, .loginTooOld, .loginTooWeak:
            code
        default: "token_invalid"
        }
    }

    /// The OAuth error of the challenge (RFC 6750 §3.1); empty for a challenge without one.
    public var oauthError: StaticString {
        switch self {
        case .none, .noCredential, .schemeUnsupported, .connectionNamesProtected, .issuerKeysMissing, .assertionFailed,
            .roleMissing, .claimConditionFailed, .tokenCryptoFailure, .certificateExpired, .certificateUntrusted,
            .sessionUnknown, .sessionEnded, .sessionsUnavailable, .originUnproven:
            ""
        // RFC 9470 §3.
        case .loginTooOld, .loginTooWeak: "insufficient_user_authentication"
        case .scopeMissing: "insufficient_scope"
        default: "invalid_token"
        }
    }

    /// A sentence for the caller.
    public var detail: StaticString {
        switch self {
        case .none: ""
        case .noCredential: "This resource needs a bearer token in the Authorization header."
        case .schemeUnsupported: "The Authorization header must use the Bearer scheme."
        case .credentialMalformed: "The Authorization header must be the word Bearer, one space and a token."
        case .connectionNamesProtected: "The Connection header names a header that only this gateway may set."
        case .tokenTooLarge: "The token is longer than this server allows."
        case .issuerKeysMissing: "The keys that verify this token are not available at the moment."
        case .tokenCryptoFailure: "The token could not be checked at the moment."
        case .expired: "The token has expired."
        case .notYetValid: "The token is not valid yet."
        case .issuedInFuture: "The token was issued in the future; check the clocks."
        case .lifetimeTooLong: "The token is valid for longer than this server allows."
        case .audienceMismatch, .routeAudienceMismatch: "The token is not meant for this service."
        case .scopeMissing: "The token does not have the scope that this resource needs."
        case .tokenCertificateMismatch:
            "The token is bound to a client certificate that this connection does not have."
        case .tokenBindingUnsupported: "The token is bound to a key, which this server cannot check."
        case .certificateExpired: "The client certificate has expired."
        case .certificateUntrusted: "The authority of the client certificate is no longer accepted."
        case .revoked: "The credential has been revoked."
        case .sessionUnknown: "There is no session, or it has ended; please log in."
        case .sessionEnded: "The session has ended."
        case .sessionsUnavailable: "Sessions cannot be looked up at the moment."
        case .originUnproven:
            "A browser sent this request with a session or a client certificate, but not from a page that may use it."
        case .loginTooOld: "This resource needs a more recent login."
        case .loginTooWeak: "This resource needs a login with a second factor."
        case .roleMissing, .claimConditionFailed: "The caller may not use this resource."
        case .assertionFailed: "The identity assertion could not be made at the moment."
        default: "The token could not be verified."
        }
    }
}
