// COLD. Pages with everything and with next to nothing on them: what templates are checked against at start.

extension Page {
    /// Name of its template.
    var template: String {
        switch self {
        case .login: "login"
        case .secondFactor: "second_factor"
        case .sessions: "sessions"
        case .signedOut: "signed_out"
        case .error: "error"
        case .confirm: "confirm"
        }
    }

    /// One of each kind with every value, then one of each with as few as there may be.
    static var samples: [Page] {
        var login = LoginPage()
        (login.action, login.account, login.token, login.returnTo) = ("/auth/login", "ada", "token", "/")
        (login.error, login.isStepUp, login.offersRemember, login.remember) = (.wrongCredentials, true, true, true)
        login.cancel = "/"
        var factor = SecondFactorPage()
        (factor.action, factor.restart, factor.account) = ("/auth/login/code", "/auth/login", "ada")
        (factor.error, factor.token, factor.returnTo, factor.offersRecovery) = (.wrongCode, "token", "/", true)
        factor.isRecovery = true
        var sessions = SessionsPage()
        (sessions.action, sessions.logoutAction, sessions.home) = ("/auth/sessions", "/auth/logout", "/")
        (sessions.account, sessions.token, sessions.ended, sessions.isTruncated) = ("ada", "token", 1, true)
        sessions.rows = [true, false].map { isCurrent in
            SessionsPage.Row(
                handle: "handle",
                device: "Firefox on Linux",
                address: "192.0.2.7",
                site: "app.example.com",
                created: 0,
                lastSeen: 0,
                ends: 1800,
                hasSecondFactor: isCurrent,
                isCurrent: isCurrent
            )
        }
        var out = SignedOutPage()
        (out.login, out.home, out.wasEverywhere) = ("/auth/login", "/", true)
        var error = ErrorPage()
        (error.status, error.code, error.detail, error.requestID) = (404, "not_found", "No such page.", "0123")
        (error.waitSeconds, error.retry) = (5, "/auth/login")
        error.note = "The service could not be reached."
        var confirm = ConfirmPage()
        (confirm.action, confirm.account, confirm.token) = ("/auth/logout", "ada", "token")
        (confirm.returnTo, confirm.cancel) = ("/", "/")
        error.way = .login("/auth/login")
        var other = error
        other.way = .sessions("/auth/sessions")
        return [
            .login(login), .secondFactor(factor), .sessions(sessions), .signedOut(out), .error(error), .error(other),
            .confirm(confirm),
            .login(LoginPage()), .secondFactor(SecondFactorPage()), .sessions(SessionsPage()),
            .signedOut(SignedOutPage()), .error(ErrorPage()), .confirm(ConfirmPage()),
        ]
    }
}
