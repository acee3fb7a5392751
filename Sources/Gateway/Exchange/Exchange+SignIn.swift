// COLD. What a caller without a good session is told: a browser that navigates is led to the login page and back, a
// program gets a problem that says where to log in.
import Bytes
import HTTP
import Identity
import Portal
import Reactor

extension Exchange {
    // MARK: Other origins

    /// Finds out whether the page that makes the request may read answers of ours (Fetch §3.2).
    func noteOrigin(_ sessions: SessionPlan, _ head: RequestHead, _ input: UnsafePointer<UInt8>) {
        let index = head.first(.origin)
        guard index >= 0, head.count(.origin) == 1 else { return }
        let value = head[index].value
        origin = sessions.index(ofOrigin: input + value.start, value.count)
    }

    private static let requestMethodName = Array("access-control-request-method".utf8)

    /// Whether a browser asks for an origin that may use sessions if a request would be let through.
    ///
    /// It does so without credentials (Fetch §3.3.5): who brings one is judged by it.
    func isPreflight(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        guard origin >= 0, method == .options, head.first(.authorization) < 0 else { return false }
        return field(named: Self.requestMethodName, head, input) != nil
    }

    /// What answers of ours say about cookies and origins.
    func appendSessionLines(to out: OutputBuffer) {
        guard plan.hasSessions, let sessions = plan.snapshot.sessions else { return }
        if hasDeadCookie {
            out.append(string: sessions.clearingLine(host: cookieHost))
        }
        if !sessions.origins.isEmpty { out.append("Vary: Origin\r\n") }
        if origin >= 0, origin < sessions.origins.count {
            out.append("Access-Control-Allow-Origin: ")
            out.append(sessions.origins[origin])
            out.append("\r\nAccess-Control-Allow-Credentials: true\r\n")
        }
    }

    /// Removes a dead cookie along with a service's answer (the route lets everybody in).
    ///
    /// Not where that is for others as well: out of a cache it would remove their good ones. Nor where it was long in
    /// coming: by then the browser may have logged in.
    func appendClearing(_ head: ResponseHead, _ bytes: UnsafePointer<UInt8>, to out: OutputBuffer) {
        guard let sessions = plan.snapshot.sessions, Clock.microseconds() &- startedMicros < 1_000_000 else { return }
        var index = head.first(.cacheControl)
        while index >= 0 {
            let directives = text(head[index].value, bytes).lowercased().split(separator: ",")
            if directives.contains(where: { ["no-store", "private"].contains($0.filter { !$0.isWhitespace }) }) {
                return out.append(string: sessions.clearingLine(host: cookieHost))
            }
            index = head.fields.next(.cacheControl, after: index)
        }
    }

    // MARK: Login

    /// Whether the request is a navigation of a browser, which may be answered with another page.
    ///
    /// Everything else gets 401: a script that is redirected to a login page only learns that something failed.
    func leadsToLogin(_ head: RequestHead, _ input: UnsafePointer<UInt8>, _ connection: DownstreamConnection) -> Bool {
        guard method == .get || method == .head, head.upgrade.isEmpty, !connection.wantsTunnel,
            head.first(.authorization) < 0
        else { return false }
        guard !isScript(head, input) else { return false }
        guard field(named: Self.fetchModeName, head, input) != nil else { return note.acceptsHTML }
        guard let destination = field(named: Self.fetchDestinationName, head, input) else { return true }
        let document: StaticString = "document"
        return Scan.equalFolded(input + destination.start, destination.count, document)
    }

    private static let fetchDestinationName = Array("sec-fetch-dest".utf8)
    private static let requestedWithName = Array("x-requested-with".utf8)

    /// Whether a script of a page makes the request, or the page for its parts: nobody would see another page.
    ///
    /// Browsers say so, but not to origins that are not secure; there libraries do.
    func isScript(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        guard let mode = field(named: Self.fetchModeName, head, input) else {
            guard let library = field(named: Self.requestedWithName, head, input) else { return false }
            let script: StaticString = "xmlhttprequest"
            return Scan.equalFolded(input + library.start, library.count, script)
        }
        let navigate: StaticString = "navigate"
        return !Scan.equalFolded(input + mode.start, mode.count, navigate)
    }

    /// Where somebody who is told of it logs in: a browser comes back to the page that it sent a form from.
    func loginURL(
        _ sessions: SessionPlan,
        _ reason: Reason,
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> [UInt8] {
        let host = text(head.authority, input)
        let referer = head.first(.referer)
        guard note.acceptsHTML, referer >= 0 else { return sessions.loginURL(host: host, for: reason) }
        let scheme = sessions.isSecure || connection.isSecure ? "https" : "http"
        let (page, origin) = (text(head[referer].value, input), "\(scheme)://\(host)")
        let location = sessions.portal.loginLocation(
            target: page.hasPrefix(origin) ? String(page.dropFirst(origin.count)) : "",
            host: host,
            scheme: scheme,
            stepUp: SessionPlan.stepUp(for: reason)
        )
        return Array(location.utf8)
    }

    /// Leads a browser to the login page, from where it comes back to what it asked for.
    func sendToLogin(
        _ sessions: SessionPlan,
        _ reason: Reason,
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) {
        var target = String(decoding: worker.target.path, as: UTF8.self)
        if worker.target.hasQuery { target += "?" + text(worker.target.query, input) }
        let location = sessions.portal.loginLocation(
            target: target,
            host: text(head.authority, input),
            scheme: sessions.isSecure || connection.isSecure ? "https" : "http",
            stepUp: SessionPlan.stepUp(for: reason)
        )
        let out = worker.compose
        out.removeAll()
        status = 303
        HeadWriter.appendStatusLine(303, to: out)
        out.append("Location: ")
        out.append(string: location)
        out.append("\r\nCache-Control: no-store\r\n")
        appendSessionLines(to: out)
        consumeHead(head, connection)
        worker.bodyScratch.removeAll()
        finishOwnAnswer(worker.bodyScratch, out)
    }

    private func text(_ slice: Slice, _ input: UnsafePointer<UInt8>) -> String {
        String(decoding: UnsafeBufferPointer(start: input + slice.start, count: slice.count), as: UTF8.self)
    }
}
