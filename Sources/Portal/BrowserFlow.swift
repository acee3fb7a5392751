// COLD. The one small cookie that binds forms and hand-offs to a browser, and counts redirects that lead nowhere.
internal import Sessions

/// What the portal remembers of a browser before, between and after logins: signed, at most 200 bytes.
///
/// There is one of it for all tabs, so that none can push out another's (`users.md` 4).
struct BrowserFlow: Sendable, Equatable {
    /// 22 random characters.
    var id: String
    /// When it was made, Unix seconds.
    var issued: Int64
    /// When the count of redirects began, Unix seconds.
    var since: Int64 = 0
    /// Redirects since then to the same target.
    var same = 0
    /// Redirects since then.
    var any = 0
    /// Which target that is.
    var mark = "-"
    /// When a login last succeeded, Unix seconds.
    var success: Int64 = 0

    /// A browser that was not seen before.
    static func make(now: Int64) -> BrowserFlow { BrowserFlow(id: SecureRandom.text(16), issued: now) }

    private var text: String { "1.\(id).\(issued).\(since).\(same).\(any).\(mark).\(success)" }

    /// The cookie's value.
    func sealed(_ ring: KeyRing, host: String) -> String { "\(text).\(ring.sign(.flow, [host, text]))" }

    /// What a cookie says, when this gateway made it for this host and it is not too old.
    static func open(_ value: String, _ ring: KeyRing, host: String, now: Int64) -> BrowserFlow? {
        guard value.utf8.count <= 256 else { return nil }
        let parts = value.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 9, parts[0] == "1", let issued = Int64(parts[2]), let since = Int64(parts[3]),
            let same = Int(parts[4]), let any = Int(parts[5]), let success = Int64(parts[7])
        else { return nil }
        let text = parts[..<8].joined(separator: ".")
        guard ring.verify(.flow, [host, text], parts[8]) else { return nil }
        guard issued <= now + 60, now - issued <= BrowserFlow.lifetime else { return nil }
        return BrowserFlow(
            id: parts[1],
            issued: issued,
            since: since,
            same: same,
            any: any,
            mark: parts[6],
            success: success
        )
    }

    /// Seconds that it is good for: longer than any form.
    static let lifetime: Int64 = 24 * 3600

    /// Counts a redirect that the reader did not ask for; false when there were too many: the browser goes in circles.
    mutating func counts(redirectTo target: String, same most: Int = PortalLimits.loopSame, now: Int64) -> Bool {
        let name = String(SessionKey(hashing: Array(target.utf8)).text.prefix(8))
        if now - since > PortalLimits.loopWindow || since > now {
            since = now
            same = 0
            any = 0
            mark = "-"
        }
        same = mark == name ? same + 1 : 1
        any += 1
        mark = name
        return same < most && any < PortalLimits.loopAny
    }

    // MARK: Forms

    /// A token for a form of this browser: `<end>.<signature>`.
    func formToken(_ form: String, _ ring: KeyRing, now: Int64) -> String {
        let end = String(now + PortalLimits.form)
        return "\(end).\(ring.sign(.form, [form, id, end]))"
    }

    /// Whether a token is of this form and this browser, and not too old.
    func accepts(_ token: String, form: String, _ ring: KeyRing, now: Int64) -> Bool {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let end = Int64(parts[0]), now < end, end <= now + PortalLimits.form else {
            return false
        }
        return ring.verify(.form, [form, id, parts[0]], parts[1])
    }

    // MARK: Hand-off

    /// What a hand-off carries so that only this browser can take it: it tells nothing of the cookie.
    func state(_ ring: KeyRing, host: String) -> String { ring.sign(.handoff, [host, id]) }

    /// Whether a state is this browser's.
    func accepts(state: String, _ ring: KeyRing, host: String) -> Bool { ring.verify(.handoff, [host, id], state) }
}

/// Devices that accounts logged in from before: the owner's attempts there are counted apart from a guesser's.
///
/// At most four accounts, the newest first; each entry is an id, an end and a signature over account and both.
enum KnownDevice {
    /// The id of the entry of `account`, when it is genuine and not too old.
    static func id(_ value: String?, account: String, _ ring: KeyRing, now: Int64) -> String? {
        for entry in entries(value) {
            guard let end = Int64(entry[1]), now < end, end <= now + PortalLimits.deviceDays * 86_400 else { continue }
            if ring.verify(.device, [account, entry[0], entry[1]], entry[2]) { return entry[0] }
        }
        return nil
    }

    /// The cookie with a fresh entry for `account`.
    static func renewed(_ value: String?, account: String, _ ring: KeyRing, now: Int64) -> String {
        let end = String(now + PortalLimits.deviceDays * 86_400)
        let id = id(value, account: account, ring, now: now) ?? SecureRandom.text(16)
        let others = entries(value).filter { $0[0] != id }
        let entry = [id, end, ring.sign(.device, [account, id, end])]
        return ([entry] + others.prefix(3)).map { $0.joined(separator: ".") }.joined(separator: ".")
    }

    private static func entries(_ value: String?) -> [[String]] {
        guard let value, value.utf8.count <= 512 else { return [] }
        let parts = value.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count.isMultiple(of: 3) else { return [] }
        return stride(from: 0, to: min(parts.count, 12), by: 3).map { Array(parts[$0..<$0 + 3]) }
    }
}
