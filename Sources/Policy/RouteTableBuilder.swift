// COLD. Builds the route table: a trie per host, flattened, with the routes of a place in their order of precedence.
import HTTP
import Settings

/// Collects routes and lays them out.
struct RouteTableBuilder {
    private struct Building {
        var literals: [String: Int] = [:]
        var parameter = -1
        var exact: [Int] = []
        var prefix: [Int] = []
    }

    private var nodes: [Building] = []
    private var routes: [RouteSettings] = []
    private var exactHosts: [String: Int] = [:]
    private var wildcardHosts: [String: Int] = [:]
    private var anyHost = -1
    private var conflicts: [RouteConflict] = []

    /// Adds a route under each of its hosts.
    mutating func add(_ route: RouteSettings, index: Int) {
        routes.append(route)
        let hosts = route.match.hosts.isEmpty ? [HostPattern.any] : route.match.hosts
        for host in hosts { place(route, index, below: root(of: host)) }
    }

    private mutating func makeNode() -> Int {
        nodes.append(Building())
        return nodes.count - 1
    }

    private mutating func root(of host: HostPattern) -> Int {
        switch host {
        case .any:
            if anyHost < 0 { anyHost = makeNode() }
            return anyHost
        case .exact(let name):
            if let root = exactHosts[name.lowercased()] { return root }
            let root = makeNode()
            exactHosts[name.lowercased()] = root
            return root
        case .wildcard(let suffix):
            if let root = wildcardHosts[suffix.lowercased()] { return root }
            let root = makeNode()
            wildcardHosts[suffix.lowercased()] = root
            return root
        }
    }

    private mutating func place(_ route: RouteSettings, _ index: Int, below root: Int) {
        switch route.match.path {
        case .exact(let path):
            let node = walk(root, path.segments.map { .literal($0) })
            report(route, among: nodes[node].exact)
            nodes[node].exact.append(index)
        case .pattern(let pattern):
            let node = walk(root, pattern.segments)
            report(route, among: nodes[node].exact)
            nodes[node].exact.append(index)
        case .prefix(let path):
            var segments = path.segments
            if segments.last == "" { segments.removeLast() }
            let node = walk(root, segments.map { .literal($0) })
            report(route, among: nodes[node].prefix)
            nodes[node].prefix.append(index)
        }
    }

    private mutating func walk(_ root: Int, _ segments: [PathPattern.Segment]) -> Int {
        var node = root
        for segment in segments {
            switch segment {
            case .parameter:
                if nodes[node].parameter < 0 {
                    let child = makeNode()
                    nodes[node].parameter = child
                }
                node = nodes[node].parameter
            case .literal(let text):
                if let child = nodes[node].literals[text] {
                    node = child
                } else {
                    let child = makeNode()
                    nodes[node].literals[text] = child
                    node = child
                }
            }
        }
        return node
    }

    // MARK: Conflicts

    /// Two routes at one place: the same requests for both, or none left for the later.
    private mutating func report(_ route: RouteSettings, among others: [Int]) {
        for index in others {
            let other = routes[index]
            guard let problem = Self.problem(route, other), route.name != other.name else { continue }
            let line = other.marks["name"].line
            let message =
                "route \"\(route.name)\" \(problem) route \"\(other.name)\" in line \(line); "
                + "give one of them another host, path, method or header"
            if !conflicts.contains(where: { $0.message == message }) {
                conflicts.append(RouteConflict(location: route.marks["name"], message: message))
            }
            return
        }
    }

    private static func problem(_ route: RouteSettings, _ other: RouteSettings) -> String? {
        let mine = Set(route.match.methods)
        let theirs = Set(other.match.methods)
        guard headers(route) == headers(other) else { return nil }
        if mine == theirs { return "matches exactly the same requests as" }
        // Routes with and without methods stand beside each other: the one with methods goes first.
        if mine.isEmpty || theirs.isEmpty || mine.isDisjoint(with: theirs) { return nil }
        return "shares the method \(mine.intersection(theirs).sorted().joined(separator: ", ")) with"
    }

    private static func headers(_ route: RouteSettings) -> Set<String> {
        Set(
            route.match.headers.map {
                "\($0.name.text.lowercased())|\($0.present)|\($0.value ?? "")|\($0.value == nil)"
            }
        )
    }

    // MARK: Laying out

    /// The finished table, and what is doubtful.
    func finish() -> (table: RouteTable, conflicts: [RouteConflict]) {
        var flat: [TrieNode] = []
        var edges: [(parent: Int, name: [UInt8], child: Int)] = []
        var entries: [RouteEntry] = []
        for (index, node) in nodes.enumerated() {
            var place = TrieNode()
            place.parameter = Int32(node.parameter)
            place.hasLiterals = !node.literals.isEmpty
            for (name, child) in node.literals { edges.append((index, Array(name.utf8), child)) }
            place.exactStart = Int32(entries.count)
            place.exactCount = Int32(node.exact.count)
            entries += ordered(node.exact)
            place.prefixStart = Int32(entries.count)
            place.prefixCount = Int32(node.prefix.count)
            entries += ordered(node.prefix)
            flat.append(place)
        }
        let hosts = HostTable(
            exact: exactHosts.map { (Array($0.key.utf8), $0.value) },
            wildcards: wildcardHosts.map { (Array($0.key.utf8), $0.value) },
            any: anyHost
        )
        let table = RouteTable(hosts: hosts, nodes: flat, edges: EdgeTable(edges), entries: entries)
        return (table, conflicts.sorted { $0.location < $1.location })
    }

    /// Routes of one place: with methods before without, then more header conditions before fewer.
    private func ordered(_ indices: [Int]) -> [RouteEntry] {
        indices.map { RouteEntry(routes[$0].match, route: $0) }
            .sorted { left, right in
                if left.takesAnyMethod != right.takesAnyMethod { return right.takesAnyMethod }
                if left.headers.count != right.headers.count { return left.headers.count > right.headers.count }
                return left.route < right.route
            }
    }
}
