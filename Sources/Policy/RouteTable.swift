// HOT. From host, path, method and headers to a route: flat tables that cost the same for ten routes or ten thousand.
import Bytes
public import HTTP
public import Settings

/// Two routes that cannot both be meant as written.
public struct RouteConflict: Sendable {
    /// Where the later one is.
    public let location: SourceLocation
    /// Names both, and says what to do.
    public let message: String
    /// Whether both are for the very same requests; otherwise only some requests fit both, and one goes first.
    public let isCertain: Bool
}

/// All routes, by what they match.
///
/// Precedence does not depend on the order in the file: an exact host goes before a wildcard (the longest first) before
/// any host; then, segment by segment, a literal goes before a parameter; an exact path or pattern before a prefix, a
/// longer prefix before a shorter one; then a route with methods before one without, more header conditions before fewer,
/// and more values among them before fewer. What is equal by all that is told as a conflict. When none of the routes at
/// the most specific place fits by method and headers, the next less specific place is tried.
///
/// Cost: a hash per host label and path segment. A place in the trie is visited at most once, so hostile paths cost no
/// more than friendly ones.
public final class RouteTable: Sendable {
    let hosts: HostTable
    let nodes: [TrieNode]
    let edges: EdgeTable
    let entries: [RouteEntry]
    /// Whether some route has a condition on a header field.
    public let looksAtFields: Bool

    init(hosts: HostTable, nodes: [TrieNode], edges: EdgeTable, entries: [RouteEntry]) {
        self.hosts = hosts
        self.nodes = nodes
        self.edges = edges
        self.entries = entries
        looksAtFields = entries.contains { !$0.headers.isEmpty }
    }

    /// A table of `routes`, and what is doubtful about them.
    public static func build(_ routes: [RouteSettings]) -> (table: RouteTable, conflicts: [RouteConflict]) {
        var builder = RouteTableBuilder()
        for (index, route) in routes.enumerated() { builder.add(route, index: index) }
        return builder.finish()
    }

    /// The index of the route for a request, or -1.
    ///
    /// The host is given in any case, without port and trailing dot; the path is canonical, and `;parameters` of its
    /// segments do not count. The offsets of `head` are relative to `input`.
    public func resolve(
        host: UnsafeBufferPointer<UInt8>,
        path: UnsafeBufferPointer<UInt8>,
        head: RequestHead,
        _ input: UnsafePointer<UInt8>
    ) -> Int {
        let root = unsafe hosts.exact(host)
        if root >= 0 {
            let found = unsafe search(root, path, head, input)
            if found >= 0 { return found }
        }
        if hosts.hasWildcards {
            var at = 0
            while at < host.count {
                guard unsafe host[at] == 0x2e else {
                    at &+= 1
                    continue
                }
                // At least one label stands before the dot.
                let root = at == 0 ? -1 : unsafe hosts.wildcard(UnsafeBufferPointer(rebasing: host[at...]))
                if root >= 0 {
                    let found = unsafe search(root, path, head, input)
                    if found >= 0 { return found }
                }
                at &+= 1
            }
        }
        return hosts.any < 0 ? -1 : unsafe search(hosts.any, path, head, input)
    }

    /// The best route below a host's root.
    @inline(__always)
    private func search(
        _ root: Int,
        _ path: UnsafeBufferPointer<UInt8>,
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>
    ) -> Int {
        // The root path has no segment.
        unsafe visit(root, path, path.count <= 1 ? path.count &+ 1 : 1, head, input)
    }

    /// The best route at `node` or below.
    ///
    /// The next segment of the path begins at `at`; behind the path's end there is none. A path that ends with a slash
    /// has an empty last segment.
    private func visit(
        _ node: Int,
        _ path: UnsafeBufferPointer<UInt8>,
        _ at: Int,
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>
    ) -> Int {
        let here = nodes[node]
        if at <= path.count {
            let found = unsafe descend(node, here, path, at, head, input)
            if found >= 0 { return found }
        } else if here.exactCount > 0 {
            let found = unsafe pick(Int(here.exactStart), Int(here.exactCount), head, input)
            if found >= 0 { return found }
        }
        return here.prefixCount == 0 ? -1 : unsafe pick(Int(here.prefixStart), Int(here.prefixCount), head, input)
    }

    /// The best route behind the segment at `at`.
    @inline(__always)
    private func descend(
        _ node: Int,
        _ here: TrieNode,
        _ path: UnsafeBufferPointer<UInt8>,
        _ at: Int,
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>
    ) -> Int {
        guard here.hasLiterals || here.parameter >= 0 else { return -1 }
        var end = at
        while end < path.count, unsafe path[end] != 0x2f { end &+= 1 }
        var cut = at
        while cut < end, unsafe path[cut] != 0x3b { cut &+= 1 }
        if here.hasLiterals {
            let child = unsafe edges.child(of: node, UnsafeBufferPointer(rebasing: path[at..<cut]))
            if child >= 0 {
                let found = unsafe visit(child, path, end &+ 1, head, input)
                if found >= 0 { return found }
            }
        }
        if here.parameter >= 0, cut > at { return unsafe visit(Int(here.parameter), path, end &+ 1, head, input) }
        return -1
    }

    /// The first of some routes, in their order of precedence, whose method and headers fit.
    @inline(__always)
    private func pick(_ start: Int, _ count: Int, _ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Int {
        for i in start..<start &+ count where unsafe entries[i].fits(head, input) { return entries[i].route }
        return -1
    }
}
