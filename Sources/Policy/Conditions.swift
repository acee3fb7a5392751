// HOT. One group's or route's conditions on a principal, compiled to bytes and claim paths.
import Bytes
import Identity
import JOSE
import Settings

/// What one rule asks of a principal.
struct Conditions: Sendable {
    private enum Test: Sendable {
        case equals(Wanted)
        case oneOf([Wanted])
        case contains(Wanted)
        case present(Bool)
    }

    /// A value that a claim is compared with.
    private enum Wanted: Sendable {
        case text([UInt8])
        case integer(Int64)
        case bool(Bool)

        init(_ value: ClaimValue) {
            switch value {
            case .string(let text): self = .text(Array(text.utf8))
            case .integer(let number): self = .integer(number)
            case .bool(let bool): self = .bool(bool)
            }
        }

        /// Whether the node holds this very value; types count (`"1"` is not `1`).
        func matches(_ node: Int, _ claims: Claims) -> Bool {
            switch self {
            case .text(let bytes): claims.equals(node, bytes.span)
            case .integer(let number): claims.document.kind(node) == .integer && claims.document.integer(node) == number
            case .bool(let bool): claims.document.kind(node) == (bool ? .yes : .no)
            }
        }
    }

    private struct ClaimTest: Sendable {
        var path: JOSE.ClaimPath
        var test: Test
    }

    let isReportOnly: Bool
    /// By the principal's issuer; empty when any will do.
    private let issuers: [Bool]
    private let audiences: [[UInt8]]
    private let allScopes: [[UInt8]]
    private let anyScopes: [[UInt8]]
    private let allRoles: [[UInt8]]
    private let anyRoles: [[UInt8]]
    private let claims: [ClaimTest]

    init(_ rule: RuleSettings, issuers names: [String]) {
        isReportOnly = rule.reportOnly
        issuers = rule.issuers.isEmpty ? [] : names.map { rule.issuers.contains($0) }
        audiences = rule.audiences.map { Array($0.utf8) }
        allScopes = rule.scopes.all.map { Array($0.utf8) }
        anyScopes = rule.scopes.any.map { Array($0.utf8) }
        allRoles = rule.roles.all.map { Array($0.utf8) }
        anyRoles = rule.roles.any.map { Array($0.utf8) }
        claims = rule.claims.map { condition in
            let test: Test =
                switch condition.test {
                case .equals(let value): .equals(Wanted(value))
                case .oneOf(let values): .oneOf(values.map(Wanted.init))
                case .contains(let value): .contains(Wanted(value))
                case .present(let present): .present(present)
                }
            return ClaimTest(path: JOSE.ClaimPath(names: condition.claim.names), test: test)
        }
    }

    /// Why the principal is refused, or `.none`.
    func refusal(of principal: Principal) -> Reason {
        if !issuers.isEmpty, !(principal.issuer < issuers.count && issuers[principal.issuer]) {
            return .issuerNotAccepted
        }
        let claims = principal.claims
        if !audiences.isEmpty, !audiences.contains(where: { claims.contains(claims.audience, $0.span) }) {
            return .routeAudienceMismatch
        }
        if !Self.holds(principal.scopeIndex, claims, all: allScopes, any: anyScopes) { return .scopeMissing }
        if !Self.holds(principal.rolesIndex, claims, all: allRoles, any: anyRoles) { return .roleMissing }
        for condition in self.claims where !Self.holds(condition, claims) { return .claimConditionFailed }
        return .none
    }

    private static func holds(_ node: Int, _ claims: Claims, all: [[UInt8]], any: [[UInt8]]) -> Bool {
        for word in all where !claims.lists(node, word.span) { return false }
        return any.isEmpty || any.contains { claims.lists(node, $0.span) }
    }

    private static func holds(_ condition: ClaimTest, _ claims: Claims) -> Bool {
        let node = claims.find(condition.path)
        switch condition.test {
        case .present(let wanted):
            return (node >= 0 && claims.document.kind(node) != .null) == wanted
        case .equals(let value):
            return node >= 0 && value.matches(node, claims)
        case .oneOf(let values):
            return node >= 0 && values.contains { $0.matches(node, claims) }
        case .contains(let value):
            guard node >= 0 else { return false }
            // A text is also a list of words.
            if case .text(let word) = value, claims.lists(node, word.span) { return true }
            guard claims.document.kind(node) == .array else { return value.matches(node, claims) }
            var child = claims.document.firstChild(node)
            for _ in 0..<claims.document.childCount(node) {
                if value.matches(child, claims) { return true }
                child = claims.document.next(child)
            }
            return false
        }
    }
}
