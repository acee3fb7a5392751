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
            let host = AddressHost.canonical(name.lowercased())
            if let root = exactHosts[host] { return root }
            let root = makeNode()
            exactHosts[host] = root
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

    /// Two routes at one place: the same requests for both, or some for which nothing says who goes first.
    private mutating func report(_ route: RouteSettings, among others: [Int]) {
        for index in others {
            let other = routes[index]
            guard route.name != other.name, let (problem, isCertain) = Self.problem(route, other) else { continue }
            let line = other.marks["name"].line
            let advice =
                isCertain
                ? "give one of them another host, path, method or header"
                : "for those the route \"\(Self.precedes(route, other) ? route.name : other.name)\" is taken"
            let message =
                "route \"\(route.name)\" \(problem) route \"\(other.name)\" in line \(line); \(advice)"
            if !conflicts.contains(where: { $0.message == message }) {
                conflicts.append(RouteConflict(location: route.marks["name"], message: message, isCertain: isCertain))
            }
            return
        }
    }

    private static func problem(_ route: RouteSettings, _ other: RouteSettings) -> (String, isCertain: Bool)? {
        let mine = Set(route.match.methods)
        let theirs = Set(other.match.methods)
        // Routes with and without methods stand beside each other: the one with methods goes first.
        guard mine == theirs || !mine.isDisjoint(with: theirs) else { return nil }
        if headers(route) == headers(other) {
            if mine == theirs { return ("matches exactly the same requests as", true) }
            let shared = mine.intersection(theirs).sorted().joined(separator: ", ")
            return ("shares the method \(shared) with", true)
        }
        guard rank(route) == rank(other), canBothHold(route.match.headers, other.match.headers) else { return nil }
        return ("has header conditions that some requests fulfil together with those of", false)
    }

    private static func headers(_ route: RouteSettings) -> Set<String> {
        Set(route.match.headers.map(text))
    }

    private static func text(_ condition: HeaderMatch) -> String {
        "\(condition.name.text.lowercased())|\(condition.present)|\(condition.value ?? "")|\(condition.value == nil)"
    }

    /// Whether no condition of one contradicts one of the other.
    private static func canBothHold(_ left: [HeaderMatch], _ right: [HeaderMatch]) -> Bool {
        left.allSatisfy { mine in
            right.allSatisfy { its in
                guard mine.name == its.name else { return true }
                if mine.present != its.present { return false }
                guard let value = mine.value, let other = its.value else { return true }
                return value == other
            }
        }
    }

    // MARK: Precedence

    /// How narrow the conditions beside host and path are: the greater goes first.
    private static func rank(_ route: RouteSettings) -> [Int] {
        let headers = route.match.headers
        return [route.match.methods.isEmpty ? 0 : 1, headers.count, headers.count { $0.value != nil }]
    }

    /// Which of two routes of one place goes first; never a question of their order in the file.
    private static func precedes(_ left: RouteSettings, _ right: RouteSettings) -> Bool {
        let (mine, its) = (rank(left), rank(right))
        if mine != its { return its.lexicographicallyPrecedes(mine) }
        return (headers(left).sorted() + [left.name]).lexicographicallyPrecedes(headers(right).sorted() + [right.name])
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

    /// Routes of one place, the first to be tried first.
    private func ordered(_ indices: [Int]) -> [RouteEntry] {
        indices.sorted { Self.precedes(routes[$0], routes[$1]) }.map { RouteEntry(routes[$0].match, route: $0) }
    }
}
