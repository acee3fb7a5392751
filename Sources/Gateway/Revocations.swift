// COLD. The revocations of the process: written by the control thread, asked by workers for tokens they see anew.
import Bytes
import Glibc
import Identity
import JOSE
import Reactor
import Sessions
import Settings
import Synchronization
import Telemetry

/// All revocations, behind a lock.
///
/// Workers ask when they verify a token, which takes longer than the look-up; what they hold already is looked through
/// when a revocation is made (`Worker.revoke`), so that a request whose token is cached asks nothing.
final class Revocations: Sendable {
    private let entries: Locked<RevocationSet>
    private let size = Atomic<Int>(0)
    private let changes = Atomic<UInt64>(1)

    init(limit: Int) { entries = Locked(RevocationSet(limit: limit)) }

    /// What is revoked at a start: by the configuration, and by operators before.
    ///
    /// Nil when the file cannot be read, which is logged: what it revokes must not be let in.
    static func restored(_ snapshot: Snapshot) -> Revocations? {
        let settings = snapshot.settings
        let revocations = Revocations(limit: settings.limits.revocations)
        var kept: [Revocation] = []
        if let path = settings.revocationFile {
            switch RevocationFile.read(path) {
            case .success(let list): kept = list
            case .failure(let problem):
                Log.error("cannot start: the revocations cannot be read", ("error", problem.text))
                return nil
            }
        }
        revocations.change { set in
            set.restore(kept)
            set.configure(snapshot.identity.revocations(settings.revocations))
            _ = set.expire(now: Clock.unixMilliseconds() / 1000)
        }
        return revocations
    }

    /// Changes with every change.
    var version: UInt64 { changes.load(ordering: .acquiring) }

    /// Number of revocations.
    var count: Int { size.load(ordering: .acquiring) }

    /// Whether a principal is revoked at `now` (Unix seconds).
    func contains(_ principal: Principal, now: Int64) -> Bool {
        guard size.load(ordering: .acquiring) > 0 else { return false }
        let claims = principal.claims
        return entries.withLock { $0.contains(claims, now: now) }
    }

    /// The same for a session as the store has it: what its principal would be asked for.
    func contains(_ record: SessionRecord, now: Int64) -> Bool {
        guard size.load(ordering: .acquiring) > 0 else { return false }
        // Claims that cannot be read make no principal either.
        guard let claims = try? Claims(json: SessionClaims.json(record)) else { return true }
        return entries.withLock { $0.contains(claims, now: now) }
    }

    /// Changes the set.
    func change<Result>(_ body: (inout RevocationSet) -> Result) -> Result {
        let result = entries.withLock { set in
            let result = body(&set)
            size.store(set.count, ordering: .releasing)
            return result
        }
        changes.add(1, ordering: .acquiringAndReleasing)
        return result
    }

    /// A copy of the set as it is now.
    var current: RevocationSet { entries.withLock { $0 } }
}

extension IdentityPlan {
    /// `iss` of the issuer with this name or this `iss`; nil when there is none.
    func issuer(named text: [UInt8]) -> [UInt8]? {
        for plan in tokens.issuers where Array(plan.name.utf8) == text || plan.issuer == text { return plan.issuer }
        for plan in certificates where Array(plan.name.utf8) == text || Array(plan.issuer.utf8) == text {
            return Array(plan.issuer.utf8)
        }
        // Sessions of accounts are revoked by subject in the same way.
        if let sessions, Array(sessions.issuer.utf8) == text { return text }
        return nil
    }

    /// Seconds after which no credential of an issuer is left that was issued now; nil when that may take for ever.
    func longestLife(of issuer: [UInt8]?) -> Int64? {
        guard !certificates.contains(where: { issuer == nil || Array($0.issuer.utf8) == issuer }) else { return nil }
        let plans = tokens.issuers.filter { issuer == nil || $0.issuer == issuer }
        guard !plans.isEmpty, plans.allSatisfy({ $0.maxLifetime > 0 }) else { return nil }
        // `iat` may lie in the future by the leeway, and `exp` in the past.
        return plans.map { $0.maxLifetime + 2 * $0.leeway }.max()
    }

    /// The revocations of the configuration.
    func revocations(_ settings: [RevocationSettings]) -> [Revocation] {
        settings.compactMap { entry in
            let target: Revocation.Target
            if let token = entry.token {
                target = .token(Array(token.utf8))
            } else if let subject = entry.subject {
                target = .subject(Array(subject.utf8))
            } else {
                return nil
            }
            let issuer = entry.issuer.map { Array($0.utf8) }
            let key = Revocation.Key(issuer: issuer.map { self.issuer(named: $0) ?? $0 }, target: target)
            return Revocation(key, before: entry.before?.seconds, until: entry.until?.seconds)
        }
    }
}

/// The file that keeps what operators revoked: one JSON object a line, replaced as a whole.
enum RevocationFile {
    /// A file is never larger.
    static let maximumBytes = 1 << 30

    /// What is kept at `path`; nothing when there is no file yet.
    ///
    /// A line that cannot be read is a failure: what it revoked would be let in.
    static func read(_ path: String) -> Result<[Revocation], MaterialFile.Problem> {
        var status = stat()
        if stat(path, &status) != 0, errno == ENOENT { return .success([]) }
        switch MaterialFile.read(path, limit: maximumBytes) {
        case .failure(let problem): return .failure(problem)
        case .success(let bytes):
            var all: [Revocation] = []
            for (index, line) in bytes.split(separator: 0x0a).enumerated() {
                do throws(Revocation.Mistake) {
                    all += try Revocation.read(Array(line))
                } catch {
                    return .failure(MaterialFile.Problem(text: "\(path):\(index + 1): \(error.text)"))
                }
            }
            return .success(all)
        }
    }

    /// Replaces the file; when this returns nil, the new content is on disk whatever happens.
    ///
    /// Blocks. Returns what is wrong.
    static func write(_ revocations: [Revocation], to path: String) -> String? {
        let out = OutputBuffer(capacity: 64 * 1024)
        for revocation in revocations {
            revocation.append(to: out)
            out.append("\n")
        }
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return problem("open", temporary) }
        var isWritten = true
        while isWritten, !out.isEmpty {
            let count = Glibc.write(file, out.readable, out.count)
            if count < 0, errno == EINTR { continue }
            if count > 0 { out.consume(count) } else { isWritten = false }
        }
        isWritten = isWritten && fsync(file) == 0
        let failure = isWritten ? nil : problem("write", temporary)
        _ = close(file)
        if let failure { return failure }
        guard rename(temporary, path) == 0 else { return problem("rename", path) }
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return problem("open", folder) }
        defer { _ = close(directory) }
        return fsync(directory) == 0 ? nil : problem("fsync", folder)
    }

    private static func problem(_ call: String, _ path: String) -> String {
        "cannot \(call) \(path): \(String(cString: strerror(errno)))"
    }
}
