// COLD to build; read per request only where cookies have a `Domain`. Which hosts have one session among them.
import Bytes
import Settings

/// Hosts that a session belongs to beside the one where it began: those that its cookie's `Domain` reaches.
public struct SharedHosts: Sendable {
    /// Of a site: its pattern, and the place of its cookie's domain; -1 for none.
    private struct Entry {
        var name: [UInt8]
        /// Whether any host that ends with `name` matches.
        var isSuffix: Bool
        var domain: Int
    }

    private var entries: [Entry] = []
    /// Names of domains, each of another cookie.
    private var domains: [[UInt8]] = []
    /// The place of the domain of hosts that no site has.
    private var common = -1

    /// As the cookies of a configuration want it.
    public init(_ plan: PortalPlan) {
        var cookies: [CookiePlan] = []
        func place(_ cookie: CookiePlan) -> Int {
            guard cookie.domain != nil else { return -1 }
            // Browsers tell cookies apart by these (RFC 6265bis §5.7), by no other attribute.
            let known = cookies.firstIndex {
                $0.name == cookie.name && $0.path == cookie.path
                    && $0.domain?.lowercased() == cookie.domain?.lowercased()
            }
            if let known { return known }
            cookies.append(cookie)
            return cookies.count - 1
        }
        common = place(plan.cookie)
        for site in plan.sites {
            let domain = place(site.cookie ?? plan.cookie)
            for host in site.hosts {
                switch host {
                case .exact(let name): entries.append(Entry(name: Array(name.utf8), isSuffix: false, domain: domain))
                case .wildcard(let suffix):
                    entries.append(Entry(name: Array(suffix.utf8), isSuffix: true, domain: domain))
                case .any: entries.append(Entry(name: [], isSuffix: true, domain: domain))
                }
            }
        }
        domains = cookies.map { Array(($0.domain ?? "").lowercased().utf8.drop { $0 == 0x2e }) }
    }

    /// Whether every host is for itself.
    public var isEmpty: Bool { domains.isEmpty }

    /// Whether one cookie reaches both hosts, given without port and final dot, in any case.
    public func areOne(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !domains.isEmpty else { return false }
        let domain = domain(of: a)
        return domain >= 0 && domain == self.domain(of: b)
    }

    /// The place of the domain of a host's cookie, -1 when it has none or the host is not of it.
    private func domain(of host: UnsafeBufferPointer<UInt8>) -> Int {
        var place = common
        for entry in entries where Self.ends(host, with: entry.name) {
            guard entry.isSuffix ? host.count > entry.name.count : host.count == entry.name.count else { continue }
            place = entry.domain
            break
        }
        guard place >= 0 else { return -1 }
        let name = domains[place]
        guard Self.ends(host, with: name) else { return -1 }
        return host.count == name.count || host[host.count - name.count - 1] == 0x2e ? place : -1
    }

    private static func ends(_ host: UnsafeBufferPointer<UInt8>, with name: [UInt8]) -> Bool {
        guard host.count >= name.count else { return false }
        let start = host.count - name.count
        for index in name.indices where Scan.lowercase(host[start + index]) != name[index] { return false }
        return true
    }
}
