// COLD. Credentials that are not good any more although nothing in them says so: a bounded set. Pure.
public import JOSE

/// One revocation: of a token by its `jti`, or of all that a subject has.
public struct Revocation: Sendable, Hashable {
    /// What is revoked.
    public enum Target: Sendable, Hashable {
        /// The token with this `jti`; of a client certificate, its thumbprint.
        case token([UInt8])
        /// Everything of this `sub`.
        case subject([UInt8])
    }

    /// What is told apart: at most one revocation per key.
    public struct Key: Sendable, Hashable {
        /// `iss`; nil for any.
        public var issuer: [UInt8]?
        /// What is revoked.
        public var target: Target

        /// A target of an issuer, or of any.
        public init(issuer: [UInt8]?, target: Target) {
            self.issuer = issuer
            self.target = target
        }
    }

    /// What is revoked, and whose.
    public var key: Key
    /// Only what was issued in this Unix second or earlier, or does not say when; nil: whenever it was issued.
    public var before: Int64?
    /// Unix second from which on it is forgotten; nil: never.
    public var until: Int64?

    /// A revocation.
    public init(_ key: Key, before: Int64? = nil, until: Int64? = nil) {
        self.key = key
        self.before = before
        self.until = until
    }

    /// Whether it concerns a principal with these claims.
    public func matches(_ claims: Claims) -> Bool {
        if let issuer = key.issuer, !claims.equals(claims.issuer, issuer.span) { return false }
        let isTarget =
            switch key.target {
            case .token(let id): claims.equals(claims.tokenID, id.span)
            case .subject(let subject): claims.equals(claims.subject, subject.span)
            }
        guard isTarget else { return false }
        guard let before, claims.hasIssuedAt else { return true }
        return claims.issuedAt <= before
    }

    /// The same target twice: whatever either refuses is refused, for as long as either lasts.
    func merged(with other: Revocation) -> Revocation {
        var merged = self
        if let before, let other = other.before { merged.before = max(before, other) } else { merged.before = nil }
        if let until, let other = other.until { merged.until = max(until, other) } else { merged.until = nil }
        return merged
    }
}

/// All revocations: those of the configuration, and those that operators made.
///
/// A look-up is four hash look-ups at most, whatever the size.
public struct RevocationSet: Sendable {
    /// Why a revocation is not taken.
    public enum Refusal: Error, Equatable {
        /// There are as many as there may be.
        case full
    }

    private var configured: [Revocation.Key: Revocation] = [:]
    private var made: [Revocation.Key: Revocation] = [:]
    /// Most revocations that operators may make.
    public var limit: Int

    /// An empty set.
    public init(limit: Int) { self.limit = limit }

    /// Number of revocations.
    public var count: Int { configured.count + made.count }

    /// Those of the configuration.
    public var ofConfiguration: [Revocation] { Array(configured.values) }

    /// Those that operators made.
    public var ofOperators: [Revocation] { Array(made.values) }

    /// Takes those of a configuration instead of the former ones.
    public mutating func configure(_ revocations: [Revocation]) {
        configured = [:]
        for revocation in revocations {
            configured[revocation.key] = configured[revocation.key]?.merged(with: revocation) ?? revocation
        }
    }

    /// Takes back what was kept over a restart, whatever the limit.
    public mutating func restore(_ revocations: [Revocation]) {
        for revocation in revocations {
            made[revocation.key] = made[revocation.key]?.merged(with: revocation) ?? revocation
        }
    }

    /// Adds one; returns it as it stands in the set now, merged with an earlier one of the same target.
    @discardableResult
    public mutating func insert(_ revocation: Revocation) throws(Refusal) -> Revocation {
        if let earlier = made[revocation.key] {
            let merged = earlier.merged(with: revocation)
            made[revocation.key] = merged
            return merged
        }
        guard made.count < limit else { throw .full }
        made[revocation.key] = revocation
        return revocation
    }

    /// Takes one back that an operator made; false when there is none.
    public mutating func remove(_ key: Revocation.Key) -> Bool { made.removeValue(forKey: key) != nil }

    /// Whether the configuration has one for this target.
    public func isConfigured(_ key: Revocation.Key) -> Bool { configured[key] != nil }

    /// Drops what is forgotten at `now` (Unix seconds); whether there was any.
    public mutating func expire(now: Int64) -> Bool {
        let before = count
        configured = configured.filter { ($0.value.until ?? .max) > now }
        made = made.filter { ($0.value.until ?? .max) > now }
        return count != before
    }

    /// Whether a principal with these claims is revoked at `now` (Unix seconds).
    public func contains(_ claims: Claims, now: Int64) -> Bool {
        guard count > 0 else { return false }
        let issuer = claims.document.stringBytes(claims.issuer)
        var targets: [Revocation.Target] = []
        if let id = claims.document.stringBytes(claims.tokenID) { targets.append(.token(id)) }
        if let subject = claims.document.stringBytes(claims.subject) { targets.append(.subject(subject)) }
        for target in targets {
            for issuer in issuer.map({ [nil, $0] }) ?? [nil] {
                let key = Revocation.Key(issuer: issuer, target: target)
                for entry in [configured[key], made[key]] {
                    if let entry, (entry.until ?? .max) > now, entry.matches(claims) { return true }
                }
            }
        }
        return false
    }
}
