// Requests and routes for the tests of the policy.
import Bytes
import HTTP
import JOSE
import Settings
import Testing

@testable import Identity
@testable import Policy

/// A parsed head with the bytes it points into.
struct ParsedRequest {
    let head: RequestHead
    let bytes: [UInt8]

    init(method: String = "GET", fields: [String] = []) throws {
        let text = "\(method) / HTTP/1.1\r\nHost: h\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        bytes = Array(text.utf8)
        head = RequestHead(maxFields: 64)
        let outcome = RequestParser.parse(bytes.span, into: head, limits: HeadLimits())
        guard case .complete = outcome else { throw Malformed() }
    }

    struct Malformed: Error {}
}

extension RouteTable {
    /// The route for a request in words.
    func find(
        _ path: String,
        host: String = "h",
        method: String = "GET",
        fields: [String] = []
    ) throws -> Int {
        let request = try ParsedRequest(method: method, fields: fields)
        return Array(host.utf8).withUnsafeBufferPointer { host in
            Array(path.utf8).withUnsafeBufferPointer { path in
                request.bytes.withUnsafeBufferPointer { bytes in
                    bytes.baseAddress.map { resolve(host: host, path: path, head: request.head, $0) } ?? -2
                }
            }
        }
    }
}

/// A route that matches `path`.
func route(
    _ name: String,
    _ path: PathMatch,
    hosts: [HostPattern] = [],
    methods: [String] = [],
    headers: [HeaderMatch] = []
) -> RouteSettings {
    var route = RouteSettings()
    route.name = name
    route.match.path = path
    route.match.hosts = hosts
    route.match.methods = methods
    route.match.headers = headers
    return route
}

/// `/users/{id}` as a pattern.
func pattern(_ text: String) -> PathMatch {
    let segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
        part.hasPrefix("{")
            ? PathPattern.Segment.parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
    }
    return .pattern(PathPattern(text: text, segments: segments))
}

/// A principal with these claims.
func principal(_ json: String, issuer: Int = 0) throws -> Principal {
    let claims = try Claims(json: Array(json.utf8))
    return Principal(
        issuer: issuer,
        claims: claims,
        expiry: .max,
        rolesIndex: claims.find(JOSE.ClaimPath("roles")),
        scopeIndex: claims.find(JOSE.ClaimPath("scope")),
        headerBlock: []
    )
}
