// COLD to build, HOT to read. What follows from the sections about sessions and accounts, as the gate needs it.
import Bytes
import Identity
import Policy
import Portal
import Settings

/// Sessions as one generation of the configuration wants them.
final class SessionPlan: Sendable {
    let portal: PortalPlan
    let authenticator: SessionAuthenticator
    /// The cookies of hosts that have none of their own, and whether there are others.
    private let common: OwnCookies
    private let hasSites: Bool
    private let all: [[UInt8]]
    private let shared: SharedHosts
    /// The path under which the gateway's own pages lie, without a slash at its end.
    let prefix: [UInt8]
    /// Origins beside the request's own that may use sessions, as browsers write them.
    let origins: [[UInt8]]
    /// Whether the cookie only goes over TLS, so that the origin of a page is an https one.
    let isSecure: Bool
    /// Longest life of a cached session of a server, in seconds.
    static let longestCached: Int64 = 15
    /// Longest life of a cached session, in seconds.
    let cacheSeconds: Int64
    /// The shortest pause in seconds that some route does not allow: the store is asked before one counts.
    let shortestPause: Int64

    init(portal: PortalPlan, authenticator: SessionAuthenticator, cacheSeconds: Int64, rules: [Rule]) {
        self.portal = portal
        self.authenticator = authenticator
        self.cacheSeconds = cacheSeconds
        shortestPause = rules.map(\.maximumIdle).filter { $0 > 0 }.min() ?? .max
        prefix = Array(portal.prefix.utf8)
        origins = portal.origins.map { Array($0.utf8) }
        isSecure = !portal.cookie.isInsecure
        // None of them is for services, whichever host it was set for.
        all = Self.remembered(portal.sessionCookies + portal.ownCookies).map { Array($0.utf8) }
        common = OwnCookies(session: Array(portal.cookie.name.utf8), others: all)
        shared = SharedHosts(portal)
        hasSites = portal.sites.contains { $0.cookie != nil && $0.cookie?.name != portal.cookie.name }
    }

    private static let former = Locked<[String]>([])
    private static let mostFormer = 64

    /// These names and those of earlier configurations of this process: browsers go on sending cookies that were set under
    /// them, which open nothing any more but are still not for services.
    private static func remembered(_ names: [String]) -> [String] {
        former.withLock { former in
            for name in names where !former.contains(name) { former.append(name) }
            former = former.suffix(max(mostFormer, names.count))
            return names + former.filter { !names.contains($0) }
        }
    }

    /// The cookies of a host, given as an authority.
    @inline(__always)
    func cookies(of authority: UnsafeBufferPointer<UInt8>) -> OwnCookies {
        hasSites ? ownCookies(of: authority) : common
    }

    private func ownCookies(of authority: UnsafeBufferPointer<UInt8>) -> OwnCookies {
        let name = portal.sessionCookie(at: String(decoding: authority, as: UTF8.self))
        return OwnCookies(session: Array(name.utf8), others: all)
    }

    /// Whether a session is one at this host, given without port and final dot: it began there, or one cookie with a
    /// domain reaches both.
    @inline(__always)
    func holds(_ session: LiveSession, at host: UnsafeBufferPointer<UInt8>) -> Bool {
        session.began(at: host) || !shared.isEmpty && isShared(session, host)
    }

    private func isShared(_ session: LiveSession, _ host: UnsafeBufferPointer<UInt8>) -> Bool {
        session.withSite { shared.areOne($0, host) }
    }

    /// Tells cookies of ours from those of services.
    var foreign: OwnCookies { common }

    /// The Set-Cookie line that removes a session cookie which counts for nothing.
    func clearingLine(host: String) -> String { "Set-Cookie: \(portal.cookie(at: host).line(""))\r\n" }

    /// Where a program is told to log in; for a session that does not do, to a login that makes one that does.
    func loginURL(host: String, for reason: Reason) -> [UInt8] {
        let stepUp = Self.stepUp(for: reason)
        let path = portal.path(portal.isSibling(host) ? "start" : "login")
        return Array((stepUp == 0 ? path : "\(path)?step_up=\(stepUp)").utf8)
    }

    /// What a login page is asked for after a refusal: 0 a login, 1 a fresh one, 2 one with a second factor.
    static func stepUp(for reason: Reason) -> Int { reason == .loginTooWeak ? 2 : reason == .loginTooOld ? 1 : 0 }

    /// Whether a path of ours only tells about the session.
    func isWatching(_ path: String) -> Bool {
        path == portal.path("session") || path == portal.path("session/events")
    }

    /// Whether a canonical path is one of the gateway's own pages.
    @inline(__always)
    func isOwn(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        guard path.count >= prefix.count, let start = path.baseAddress else { return false }
        return prefix.withUnsafeBufferPointer { prefix in
            guard let wanted = prefix.baseAddress, Scan.equal(start, wanted, prefix.count) else { return false }
            return path.count == prefix.count || path[prefix.count] == 0x2f
        }
    }

    /// The place of an origin among those that may use sessions, -1 for none.
    func index(ofOrigin bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        for (index, origin) in origins.enumerated() where origin.count == count {
            let isSame = origin.withUnsafeBufferPointer { origin in
                guard let start = origin.baseAddress else { return false }
                return Scan.equal(bytes, start, count)
            }
            if isSame { return index }
        }
        return -1
    }
}
