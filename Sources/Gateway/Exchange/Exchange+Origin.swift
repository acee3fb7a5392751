// HOT. Whether a request was made by a page that may make it, for credentials that browsers add by themselves: session
// cookies and client certificates.
import Bytes
import HTTP

extension Exchange {
    static let fetchSiteName = Array("sec-fetch-site".utf8)
    static let fetchModeName = Array("sec-fetch-mode".utf8)

    /// Whether a browser says that the request comes from our own origin, or from one that may use sessions (Fetch
    /// Metadata, RFC 6454).
    func isOriginOurs(
        _ sessions: SessionPlan?,
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> Bool {
        let index = head.first(.origin)
        // No browser says either of the two twice.
        let said = fields(named: Self.fetchSiteName, head, input)
        guard index < 0 || head.count(.origin) == 1, said.count <= 1 else { return false }
        var isUsers = false
        if let site = said.first {
            let same: StaticString = "same-origin"
            let none: StaticString = "none"
            if Scan.equalFolded(input + site.start, site.count, same) { return true }
            isUsers = Scan.equalFolded(input + site.start, site.count, none)
        }
        guard index >= 0 else { return isUsers }
        let origin = head[index].value
        if let sessions, sessions.index(ofOrigin: input + origin.start, origin.count) >= 0 { return true }
        // A browser that says where a request comes from has said it above.
        guard said.count == 0 || isUsers else { return false }
        let isHTTPS = sessions?.isSecure == true || connection.isSecure
        let scheme: StaticString = isHTTPS ? "https://" : "http://"
        let length = scheme.utf8CodeUnitCount
        guard origin.count == length + head.authority.count,
            Scan.equal(input + origin.start, scheme.utf8Start, length)
        else { return false }
        return Self.equalFolded(input + origin.start + length, input + head.authority.start, head.authority.count)
    }

    /// Whether a request that changes something, or begins a tunnel, comes from a page that may not use the certificate
    /// which the browser added.
    ///
    /// Programs say nothing of an origin, and mean what they do.
    func isFromForeignPage(
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> Bool {
        guard method.isUnsafe || connection.wantsTunnel || Self.asksForTunnel(head, input),
            head.first(.origin) >= 0 || fields(named: Self.fetchSiteName, head, input).count > 0
        else { return false }
        return !isOriginOurs(plan.snapshot.sessions, head, input, connection)
    }

    private static func equalFolded(_ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for i in 0..<count where Scan.lowercase(a[i]) != Scan.lowercase(b[i]) { return false }
        return true
    }
}
