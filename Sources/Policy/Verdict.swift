// HOT. What a rule decides, and the permit without which nothing is forwarded.
public import Identity

/// The right to forward one request: made only by ``Rule/evaluate(_:)``, consumed by forwarding.
///
/// Without a decision there is no permit, and without a permit forwarding does not compile.
public struct Permit: ~Copyable {
    /// Who asks; nil on routes that admit anybody.
    public let principal: Principal?
    /// What a rule that only reports would have refused the request for, or `.none`.
    public let wouldHaveRefused: Reason

    init(_ principal: Principal?, wouldHaveRefused: Reason = .none) {
        self.principal = principal
        self.wouldHaveRefused = wouldHaveRefused
    }
}

/// What a rule says of a request.
public enum Verdict: ~Copyable {
    /// It may go on.
    case admit(Permit)
    /// A credential is missing, or this one does not count here (401).
    case challenge(Reason)
    /// The credential counts, but does not suffice (403).
    case deny(Reason)
}
