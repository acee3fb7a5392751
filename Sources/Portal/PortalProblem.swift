// COLD. Everything that the portal refuses, with its status and words: a closed list.

/// Why the portal does not do what was asked.
public enum PortalProblem: String, Error, Sendable, CaseIterable {
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    case bodyTooLarge = "body_too_large"
    case unsupportedBody = "unsupported_body"
    case malformedBody = "malformed_body"
    case incomplete
    case crossSite = "cross_site_request"
    case httpsNeeded = "https_needed"
    case staleForm = "stale_form"
    case cookiesRefused = "cookies_refused"
    case tooManyCookies = "too_many_cookies"
    case loop = "login_loop"
    case wrongCredentials = "wrong_credentials"
    case secondFactorRequired = "second_factor_required"
    case wrongCode = "wrong_code"
    case noSecondFactor = "no_second_factor"
    case throttled
    case busy
    case unavailable
    case logoutUnavailable = "logout_unavailable"
    case expired = "login_expired"
    case noSession = "no_session"
    case noSuchSession = "no_such_session"
    case handoffRefused = "handoff_refused"
    case handoffExpired = "handoff_expired"

    /// The answer's status.
    public var status: Int {
        switch self {
        case .malformedBody, .incomplete, .cookiesRefused, .loop, .expired, .handoffRefused, .handoffExpired: 400
        case .wrongCredentials, .secondFactorRequired, .wrongCode, .noSession: 401
        case .crossSite, .httpsNeeded, .staleForm, .noSecondFactor: 403
        case .notFound, .noSuchSession: 404
        case .methodNotAllowed: 405
        case .bodyTooLarge: 413
        case .tooManyCookies: 431
        case .unsupportedBody: 415
        case .throttled: 429
        case .busy, .unavailable, .logoutUnavailable: 503
        }
    }

    /// One sentence in English, without anything that came from outside.
    public var detail: String {
        switch self {
        case .notFound: "There is no such page."
        case .methodNotAllowed: "This page cannot be asked for in this way."
        case .bodyTooLarge: "The request is larger than 16 KiB."
        case .unsupportedBody: "Send application/x-www-form-urlencoded or application/json."
        case .malformedBody: "The request cannot be read."
        case .incomplete: "Name and password are needed."
        case .crossSite: "The request comes from another site, or carries no token."
        case .httpsNeeded: "Logging in works over https only: the cookie that it needs goes over nothing else."
        case .staleForm: "The form is too old; load it again."
        case .tooManyCookies: "More cookies than are read: 64, or 8 KiB. Delete the cookies of this site."
        case .cookiesRefused:
            "The browser did not send the cookie back that logging in needs. Allow cookies for this site."
        case .loop:
            "The browser was sent to and fro several times without being logged in. Its session cookie is probably refused."
        case .wrongCredentials: "Name or password is wrong."
        case .secondFactorRequired: "The password is right; now send a code of the second factor."
        case .wrongCode: "The code is wrong or was used before."
        case .noSecondFactor: "This needs a second factor, and the account has none."
        case .throttled: "Too many attempts; try again later."
        case .busy: "Too many people are logging in; try again in a moment."
        case .unavailable: "Logging in is not possible at the moment; try again in a moment."
        case .logoutUnavailable:
            "Logging out is not possible at the moment, and you are still logged in; try again in a moment."
        case .expired: "Too much time has passed since the password; begin again."
        case .noSession: "Nobody is logged in."
        case .noSuchSession: "There is no such session."
        case .handoffRefused: "This login belongs to another site or another browser."
        case .handoffExpired: "This login was used before or is too old; begin again."
        }
    }

    /// The same as what is wrong with a form; nil when no form is shown again.
    var formError: FormError? {
        switch self {
        case .incomplete: .incomplete
        case .staleForm: .staleForm
        case .wrongCredentials: .wrongCredentials
        case .wrongCode: .wrongCode
        case .noSecondFactor: .noSecondFactor
        case .throttled: .throttled
        case .busy: .busy
        case .unavailable: .unavailable
        case .expired: .expired
        default: nil
        }
    }
}
