// COLD. What the flows tell the pages to show; how it looks and reads is the pages' own.

/// Names of the fields of the portal's forms (`application/x-www-form-urlencoded`, method POST).
///
/// Every form holds a hidden `csrf`; all but the list's hold a hidden `return_to`.
public enum FormField {
    /// Login name or e-mail address.
    public static let user = "username"
    /// The password.
    public static let password = "password"
    /// A code of the second factor: six digits, or a recovery code.
    public static let code = "code"
    /// `1`: `code` is a recovery code.
    public static let recovery = "recovery"
    /// `1` in the address of a form: the one before came without its cookie.
    public static let secondTry = "again"
    /// The form's token.
    public static let token = "csrf"
    /// Where to go afterwards.
    public static let returnTo = "return_to"
    /// `1`: the cookie outlives the browser's session.
    public static let remember = "remember"
    /// `1`: the login only confirms who is logged in already.
    public static let stepUp = "step_up"
    /// `true`: all sessions of the account are ended.
    public static let everywhere = "everywhere"
    /// Handle of the session that is to be ended.
    public static let handle = "handle"
}

/// Who reads a page, and what goes for all pages of one answer.
public struct PageReader: Sendable, Equatable {
    /// `Accept-Language` as it came; empty if it did not.
    public var acceptLanguage = ""
    /// Language that the query asks for (`?lang=de`), unchecked; nil: none.
    public var language: String?
    /// Other origins (`https://app.example.org`) that the answer to a form may lead to, for `form-action` of the
    /// content security policy: browsers apply it to redirects as well.
    public var formOrigins: [String] = []

    /// A reader of whom nothing is known.
    public init() {}
}

/// A page and what it shows.
public enum Page: Sendable, Equatable {
    case login(LoginPage)
    case secondFactor(SecondFactorPage)
    case sessions(SessionsPage)
    case signedOut(SignedOutPage)
    case error(ErrorPage)
    case confirm(ConfirmPage)
}

/// What is wrong with what was typed in; shown above the form as text.
public enum FormError: String, Sendable, CaseIterable {
    /// Name or password is wrong, or the account is disabled: the reader is not told which.
    case wrongCredentials = "wrong_credentials"
    /// The second factor's code is wrong, or was used before.
    case wrongCode = "wrong_code"
    /// The recovery code is wrong, or was used before.
    case wrongRecovery = "wrong_recovery"
    /// Too many attempts; `waitSeconds` says how long.
    case throttled
    /// The form is too old, or comes from elsewhere: a fresh one is shown.
    case staleForm = "stale_form"
    /// Something was left out or is too long.
    case incomplete
    /// More logins at once than can be checked; try again.
    case busy
    /// The session store is away; try again.
    case unavailable
    /// The half-done login is too old: begin again.
    case expired
    /// The account needs a second factor and has none: an operator must enrol one.
    case noSecondFactor = "no_second_factor"
}

/// `GET {prefix}/login`: name and password.
public struct LoginPage: Sendable, Equatable {
    /// Where the form is sent.
    public var action = ""
    /// Name to fill in: as typed before; for a step-up the account's, which then cannot be changed.
    public var account = ""
    /// Whether it only confirms who is logged in already: the name is fixed, the heading says so.
    public var isStepUp = false
    /// What is wrong with the last attempt.
    public var error: FormError?
    /// Seconds until the next attempt, with ``FormError/throttled``; 1 or more.
    public var waitSeconds: Int?
    /// Checked target, for the hidden field; empty: the default.
    public var returnTo = ""
    /// For the hidden field.
    public var token = ""
    /// Whether "stay logged in" is offered.
    public var offersRemember = false
    /// Whether it was ticked.
    public var remember = false
    /// Where "cancel" of a step-up leads; empty: nowhere.
    public var cancel = ""

    /// An empty form.
    public init() {}
}

/// `{prefix}/login/code`: the second factor.
public struct SecondFactorPage: Sendable, Equatable {
    /// Where the form is sent.
    public var action = ""
    /// Where one begins again with another account: a link.
    public var restart = ""
    /// Name of the account whose password was right.
    public var account = ""
    /// What is wrong with the last attempt.
    public var error: FormError?
    /// Seconds until the next attempt, with ``FormError/throttled``; 1 or more.
    public var waitSeconds: Int?
    /// For the hidden field.
    public var returnTo = ""
    /// For the hidden field.
    public var token = ""
    /// Whether the account still has recovery codes.
    public var offersRecovery = false
    /// Whether a recovery code was sent: its form is open, and has the focus.
    public var isRecovery = false

    /// An empty form.
    public init() {}
}

/// `GET {prefix}/sessions`: where the account is logged in.
public struct SessionsPage: Sendable, Equatable {
    /// One login, with its sessions on all sites.
    public struct Row: Sendable, Equatable {
        /// Public handle, 43 characters of base64url, for the hidden field `handle`.
        public var handle: String
        /// Browser and system, such as `Firefox on Linux`.
        public var device: String
        /// Client address at login.
        public var address: String
        /// Hosts that it is known at, with commas between them.
        public var site: String
        /// Unix second of the login.
        public var created: Int64
        /// Unix second of the last request, exact to about a minute.
        public var lastSeen: Int64
        /// Unix second at which it ends without further requests.
        public var ends: Int64
        /// Whether a second factor was given.
        public var hasSecondFactor: Bool
        /// Whether it is the reader's own login.
        public var isCurrent: Bool

        /// One login.
        public init(
            handle: String,
            device: String,
            address: String,
            site: String,
            created: Int64,
            lastSeen: Int64,
            ends: Int64,
            hasSecondFactor: Bool,
            isCurrent: Bool
        ) {
            self.handle = handle
            self.device = device
            self.address = address
            self.site = site
            self.created = created
            self.lastSeen = lastSeen
            self.ends = ends
            self.hasSecondFactor = hasSecondFactor
            self.isCurrent = isCurrent
        }
    }

    /// Where a row's form is sent (`handle`, `csrf`).
    public var action = ""
    /// Where the logout forms are sent (`csrf`; `everywhere=true` for all sessions).
    public var logoutAction = ""
    /// Where "back" leads: a checked target.
    public var home = ""
    /// Name of the account.
    public var account = ""
    /// Newest first, the reader's own always among them; at most 200.
    public var rows: [Row] = []
    /// Whether there are more than are shown.
    public var isTruncated = false
    /// Number of logins that the last form ended; 0: it had ended already; nil: nothing was to be ended.
    public var ended: Int?
    /// The session's token, for the hidden fields.
    public var token = ""
    /// Now, as a Unix second: pages compare with it and read no clock.
    public var now: Int64 = 0

    /// An empty list.
    public init() {}
}

/// After a logout, or when there was nobody to log out.
public struct SignedOutPage: Sendable, Equatable {
    /// Where "log in again" leads.
    public var login = ""
    /// Where "go on" leads; empty: nowhere.
    public var home = ""
    /// Whether all sessions of the account were ended.
    public var wasEverywhere = false

    /// The page of one session.
    public init() {}
}

/// What went wrong, where no form can be shown; the closed list of codes is ``PortalProblem``.
public struct ErrorPage: Sendable, Equatable {
    /// The answer's status, 400…599.
    public var status = 500
    /// Stable code in snake_case: the strings file says what it means (`error.<code>.title`, `error.<code>.text`).
    public var code = ""
    /// The same in English, for codes that the strings file does not know.
    public var detail = ""
    /// For whom the reader asks for help.
    public var requestID = ""
    /// Seconds until it is worth another try; nil: unknown.
    public var waitSeconds: Int?
    /// Link that begins again; empty: none.
    public var retry = ""
    /// What went wrong in English, for whoever looks into it; empty: nothing beside the text.
    public var note = ""
    /// Where else one may go on; nil: nowhere.
    public var way: Way?

    /// A way out.
    public enum Way: Sendable, Equatable {
        /// To the login.
        case login(String)
        /// To the list of one's sessions.
        case sessions(String)
    }

    /// An error without words.
    public init() {}
}

/// A question with one button: a form that a link must not be able to trigger.
public struct ConfirmPage: Sendable, Equatable {
    /// What is asked.
    public enum Subject: String, Sendable, CaseIterable {
        /// `GET {prefix}/logout`: end this session; a second button ends all (`everywhere=true`).
        case logout
    }

    /// What is asked.
    public var subject = Subject.logout
    /// Where the form is sent.
    public var action = ""
    /// Name of the account.
    public var account = ""
    /// For the hidden field.
    public var token = ""
    /// For the hidden field; empty: the default.
    public var returnTo = ""
    /// Where "cancel" leads: a checked target.
    public var cancel = ""

    /// A question without words.
    public init() {}
}

/// A page as it is sent.
public struct RenderedPage: Sendable, Equatable {
    /// UTF-8 HTML.
    public var body: [UInt8]
    /// Value of `Content-Language`.
    public var language: String
    /// Value of `Content-Security-Policy`.
    public var policy: String

    /// A page.
    public init(body: [UInt8], language: String, policy: String) {
        self.body = body
        self.language = language
        self.policy = policy
    }
}

/// A file that pages refer to (`{prefix}/assets/{name}`): style sheet, logo.
public struct PageAsset: Sendable, Equatable {
    /// Value of `Content-Type`.
    public var type: String
    /// Its bytes.
    public var body: [UInt8]

    /// A file.
    public init(type: String, body: [UInt8]) {
        self.type = type
        self.body = body
    }
}

/// Turns models into HTML; the flows know nothing else of pages.
public protocol PageRendering: Sendable {
    /// The page; never fails: a template that cannot be rendered falls back to the built-in one.
    func render(_ page: Page, for reader: PageReader) -> RenderedPage
    /// The file of this name, or nil; names hold a hash of the contents, so that answers may be cached for ever.
    func asset(_ name: String) -> PageAsset?
}
