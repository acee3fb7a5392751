// COLD. Accounts, pages and what the portal needs to know of the configuration: read when a snapshot is built.
import Accounts
import Portal
import Settings

/// What one generation of the configuration brings to the portal.
struct PortalMaterial: Sendable {
    let plan: PortalPlan
    let accounts: AccountSettings
    let directory: UserDirectory
    let pages: PageRenderer
}

/// Reads what the portal needs.
struct PortalImport {
    private(set) var diagnostics: [Diagnostic] = []

    /// Everything for the portal; nil where there are no accounts, or when something is wrong.
    mutating func material(_ settings: GatewaySettings) -> PortalMaterial? {
        guard let accounts = settings.accounts else { return nil }
        checkCookies(settings)
        let directory = directory(accounts)
        let pages = pages(settings.portal)
        guard let directory, let pages else { return nil }
        let plan = PortalPlan(
            portal: settings.portal,
            sessions: settings.sessions,
            accounts: accounts,
            auditDenies: settings.auditLog?.onFailure == .deny,
            requestLine: settings.limits.requestLine.bytes
        )
        return PortalMaterial(plan: plan, accounts: accounts, directory: directory, pages: pages)
    }

    private mutating func directory(_ accounts: AccountSettings) -> UserDirectory? {
        do throws(UserFileError) {
            let directory = try UserDirectory.load(path: accounts.file.path, format: accounts.format)
            diagnostics += directory.warnings
            return directory
        } catch {
            diagnostics += error.diagnostics
            return nil
        }
    }

    private mutating func pages(_ settings: PortalSettings) -> PageRenderer? {
        var options = PageOptions()
        options.title = settings.title
        options.prefix = settings.prefix
        options.logo = settings.logo?.path
        options.templates = settings.templates
        options.strings = settings.strings
        options.languages = settings.languages
        options.defaultLanguage = settings.defaultLanguage
        let place = settings.marks["templates"]
        do throws(PageProblems) {
            let pages = try PageRenderer(options)
            diagnostics += pages.warnings.map { Diagnostic(at: place, $0, severity: .warning) }
            return pages
        } catch {
            diagnostics += error.messages.map { Diagnostic(at: place, $0) }
            return nil
        }
    }

    /// Cookies that browsers would not bring where they are needed; and one in clear text is for one's own machine only.
    private mutating func checkCookies(_ settings: GatewaySettings) {
        let prefix = settings.portal.prefix
        for cookie in settings.sessions.cookies {
            let path = cookie.path.hasSuffix("/") ? cookie.path : cookie.path + "/"
            if !(prefix + "/").hasPrefix(path) {
                diagnostics.append(
                    Diagnostic(at: cookie.marks["path"], "path: the pages under \(prefix) would not get the cookie")
                )
            }
            if PortalPlan().ownCookies.contains(cookie.name) {
                diagnostics.append(
                    Diagnostic(
                        at: cookie.marks["name"],
                        "name: the pages under \(prefix) have a cookie of this name themselves; choose another"
                    )
                )
            }
            if settings.sessions.loginHost != nil, cookie.sameSite == .strict {
                diagnostics.append(
                    Diagnostic(
                        at: cookie.marks["same_site"],
                        "same_site: strict does not go with login_host: a browser that comes from there brings no cookie; write lax"
                    )
                )
            }
        }
        guard settings.listeners.contains(where: { $0.tls == nil && !$0.address.isLoopback }) else { return }
        for cookie in settings.sessions.cookies where cookie.isInsecure {
            diagnostics.append(
                Diagnostic(
                    at: cookie.marks["insecure"],
                    "insecure: a session cookie over plain http is for listeners on loopback addresses only"
                )
            )
        }
    }
}
