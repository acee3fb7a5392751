// COLD. A portal over a store in memory, and browsers that keep cookies as browsers do.
import Bytes
import Accounts
import Foundation
@testable import Portal
import Sessions
import Settings

/// Keeps the pages instead of drawing them.
final class RecordedPages: PageRendering {
    private let pages = Locked<[(Page, PageReader)]>([])

    func render(_ page: Page, for reader: PageReader) -> RenderedPage {
        pages.withLock { $0.append((page, reader)) }
        return RenderedPage(body: Array("page".utf8), language: "en", policy: "default-src 'none'")
    }

    func asset(_ name: String) -> PageAsset? {
        name == "portal.0123.css" ? PageAsset(type: "text/css", body: Array("a{}".utf8)) : nil
    }

    var last: Page? { pages.withLock { $0.last?.0 } }
    var reader: PageReader? { pages.withLock { $0.last?.1 } }
    var login: LoginPage? { if case .login(let page)? = last { page } else { nil } }
    var code: SecondFactorPage? { if case .secondFactor(let page)? = last { page } else { nil } }
    var error: ErrorPage? { if case .error(let page)? = last { page } else { nil } }
    var sessions: SessionsPage? { if case .sessions(let page)? = last { page } else { nil } }
    var confirm: ConfirmPage? { if case .confirm(let page)? = last { page } else { nil } }
    var signedOut: SignedOutPage? { if case .signedOut(let page)? = last { page } else { nil } }
}

/// Keeps what is audited, or fails.
final class RecordedAudit: AuditSink {
    struct Full: Error {}
    private struct State {
        var events: [AuditEvent] = []
        var isFull = false
    }
    private let state = Locked(State())

    func record(_ event: AuditEvent) async throws {
        let isKept = state.withLock { state in
            if !state.isFull { state.events.append(event) }
            return !state.isFull
        }
        if !isKept { throw Full() }
    }
    func fill() { state.withLock { $0.isFull = true } }
    var events: [AuditEvent] { state.withLock { $0.events } }
    var kinds: [AuditEvent.Kind] { events.map(\.kind) }
}

/// A users file that takes every change.
final class RecordedUsers: UsersEditing {
    private let state = Locked<(taken: Set<String>, rehashed: [String], canWrite: Bool)>(([], [], true))

    func rehash(_ account: String, from _: String, to new: String) async -> Bool {
        state.withLock { $0.rehashed.append(new) }
        return true
    }
    func takeRecovery(_: String, hash: String) async -> Bool? {
        state.withLock { $0.canWrite ? $0.taken.insert(hash).inserted : nil }
    }
    func lock() { state.withLock { $0.canWrite = false } }
    var rehashed: [String] { state.withLock { $0.rehashed } }
}

/// A portal with all that it needs.
final class Rig: Sendable {
    static let secret = Array("foobarfoobarfoobarfo".utf8)
    static let cost: Argon2Settings = {
        var cost = Argon2Settings()
        cost.memory = .mebibytes(1)
        cost.iterations = 1
        return cost
    }()
    static let recovery = "k7wq-93fd-xm2p"
    static let hash = (try? PasswordHash.make(Array("correct horse battery".utf8), cost)) ?? ""

    static let people = """
        users:
          - name: Ada
            email: ada@example.com
            display_name: Ada Lovelace
            roles: [admin]
            password: \(hash)
          - name: otto
            password: \(hash)
            totp: MZXW6YTBOJTG633CMFZGM33PMJQXEZTP
            recovery_codes: [\(RecoveryCodes.hash(recovery))]
          - name: gone
            password: \(hash)
            disabled: true
        """

    let store: SwitchedStore
    let pages = RecordedPages()
    let audit = RecordedAudit()
    let users = RecordedUsers()
    let throttle = LoginThrottle()
    let portal: Portal
    let clock: TestClock

    init(
        people: String = Rig.people,
        store: SwitchedStore? = nil,
        hashing: HashingPool = HashingPool(threads: 1, queue: 64),
        _ change: (inout PortalPlan) -> Void = { _ in }
    ) throws {
        let clock = TestClock()
        self.clock = clock
        self.store = store ?? SwitchedStore(clock)
        var plan = PortalPlan()
        plan.argon2 = Rig.cost
        plan.secrets = [Array("0123456789abcdef0123456789abcdef".utf8)]
        change(&plan)
        portal = Portal(
            plan: plan,
            store: self.store,
            directory: try Rig.directory(people),
            users: users,
            hashing: hashing,
            throttle: throttle,
            pages: pages,
            audit: audit
        )
    }

    static func directory(_ people: String) throws -> UserDirectory {
        try UserDirectory.parse(Array(people.utf8), path: "users.yaml")
    }

    var plan: PortalPlan { portal.plan }

    /// The present code of the second factor.
    func code(ahead steps: Int64 = 0) -> String {
        TOTP.code(TOTPEnrollment(secret: Rig.secret), step: clock.now / 30 + steps)
    }
}

/// Time that stands still until it is moved.
final class TestClock: Sendable {
    private let time = Locked<Int64>(1_800_000_000)
    var now: Int64 { time.withLock { $0 } }
    func advance(_ seconds: Int64) { time.withLock { $0 += seconds } }
}

/// A browser, or with `speaks: .json` a program, and its cookies.
final class Browser {
    let rig: Rig
    var host: String
    var scheme = "https"
    /// By host and name.
    var jar: [String: [String: String]] = [:]
    /// Whether it keeps cookies.
    var keepsCookies = true
    var agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    var address = "192.0.2.7"

    init(_ rig: Rig, host: String = "app.example.com") {
        self.rig = rig
        self.host = host
    }

    private var name: String { Origin.name(host) }
    var cookies: [String: String] { jar[name] ?? [:] }
    var sessionCookie: String? { cookies[rig.plan.sessionCookie(at: host)] }
    /// What the gate would find.
    func session() async -> SessionRecord? {
        guard let sessionCookie, let id = SessionID(cookieValue: sessionCookie.utf8) else { return nil }
        let record = try? await rig.store.inner.find(id.key)
        return record.flatMap { $0.isLive(at: rig.clock.now) ? $0 : nil }
    }

    @discardableResult
    func send(
        _ method: String,
        _ target: String,
        form: [(String, String)]? = nil,
        json: String? = nil,
        fields: [(name: String, value: String)]? = nil,
        accept: String? = nil
    ) async -> PortalAnswer {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var lines: [(name: String, value: String)] = [("user-agent", agent)]
        if !cookies.isEmpty {
            lines.append(("cookie", cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; ")))
        }
        lines.append(
            ("accept", accept ?? (json == nil ? "text/html,application/xhtml+xml,*/*;q=0.8" : "application/json"))
        )
        var body: [UInt8] = []
        if let form {
            lines.append(("content-type", "application/x-www-form-urlencoded"))
            body = Array(
                form.map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }.joined(separator: "&").utf8
            )
        } else if let json {
            lines.append(("content-type", "application/json"))
            body = Array(json.utf8)
        }
        if let fields {
            lines += fields
        } else if method != "GET", json == nil {
            lines += [("origin", "\(scheme)://\(host)"), ("sec-fetch-site", "same-origin")]
        }
        let request = PortalRequest(
            method: method,
            path: parts[0],
            query: parts.count > 1 ? parts[1] : "",
            host: host,
            scheme: scheme,
            fields: lines,
            body: body,
            clientAddress: address,
            requestID: "r-1",
            now: rig.clock.now,
            session: await session(),
            hadCookie: sessionCookie != nil
        )
        let answer = await rig.portal.answer(request)
        if keepsCookies { keep(answer) }
        return answer
    }

    private func keep(_ answer: PortalAnswer) {
        for field in answer.fields where field.name == "Set-Cookie" {
            let pair = field.value.prefix { $0 != ";" }.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            let isCleared = field.value.contains("Max-Age=0")
            jar[name, default: [:]][String(pair[0])] = isCleared ? nil : String(pair[1])
        }
    }

    /// Goes where a redirect leads.
    @discardableResult
    func follow(_ answer: PortalAnswer) async -> PortalAnswer {
        guard let location = answer.value(of: "Location") else { return answer }
        return await go(location)
    }

    @discardableResult
    func go(_ location: String) async -> PortalAnswer {
        guard location.hasPrefix(scheme + "://") else { return await send("GET", location) }
        let rest = location.dropFirst(scheme.count + 3)
        host = String(rest.prefix { $0 != "/" })
        return await send("GET", String(rest.dropFirst(host.count)))
    }

    /// Loads the form and sends it.
    @discardableResult
    func login(
        _ user: String = "ada",
        _ password: String = "correct horse battery",
        at target: String = "/auth/login",
        more: [(String, String)] = []
    ) async -> PortalAnswer {
        await send("GET", target)
        guard let page = rig.pages.login else { return PortalAnswer(status: 0, note: "no form") }
        let fields = [("username", user), ("password", password), ("csrf", page.token), ("return_to", page.returnTo)]
        return await send("POST", page.action, form: fields + more)
    }

    /// Sends a code to the form that was shown last.
    @discardableResult
    func enter(_ code: String) async -> PortalAnswer {
        guard let page = rig.pages.code else { return PortalAnswer(status: 0, note: "no form") }
        return await send(
            "POST",
            page.action,
            form: [("code", code), ("csrf", page.token), ("return_to", page.returnTo)]
        )
    }
}

extension PortalAnswer {
    var text: String { String(decoding: body, as: UTF8.self) }
    var location: String? { value(of: "Location") }
    func setCookie(_ name: String) -> String? {
        fields.first { $0.name == "Set-Cookie" && $0.value.hasPrefix(name + "=") }?.value
    }
    func member(_ name: String) -> String? {
        guard let start = text.range(of: "\"\(name)\":\"") else { return nil }
        return String(text[start.upperBound...].prefix { $0 != "\"" })
    }
}
