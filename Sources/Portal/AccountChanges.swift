// COLD. Accounts that change take their sessions along: ended, or with new claims.
public import Accounts
public import Sessions

/// What is to become of a session when its account is looked at again.
public enum SessionReview: Sendable, Equatable {
    /// Nothing.
    case current
    /// Its claims are old; these are the new ones.
    case refresh(claims: [UInt8], accountVersion: UInt64)
    /// It must end.
    case end(EndReason)
}

extension Portal {
    /// Judges a session by its account as it is now; cheap, without the store.
    ///
    /// For sessions that come out of the store: the file may have changed while no gateway was running. Sessions of
    /// other directories are none of this one's business.
    public func review(_ record: SessionRecord) -> SessionReview {
        guard record.issuer == plan.issuer else { return .current }
        guard let account = accounts.account(named: record.account), account.canonical == record.account,
            !account.isDisabled
        else { return .end(.accountDisabled) }
        let version = Portal.fingerprint(account)
        if record.accountVersion == version { return .current }
        guard record.accountVersion >> 32 == version >> 32 else { return .end(.accountChanged) }
        return .refresh(claims: account.claimsJSON, accountVersion: version)
    }

    /// Takes over changed accounts: sessions of those that are disabled, gone, or have another password or second factor
    /// end; of others that changed they get the new claims.
    public func accountsChanged(_ new: UserDirectory) async -> AccountChanges {
        let old = exchangeAccounts(new)
        var changes = AccountChanges()
        for account in old.accounts {
            let now = new.account(named: account.canonical).flatMap { $0.canonical == account.canonical ? $0 : nil }
            if let now, now.isDisabled == account.isDisabled, Portal.fingerprint(now) == Portal.fingerprint(account) {
                continue
            }
            do throws(PortalProblem) {
                try await settle(account.canonical, &changes)
            } catch {
                changes.isComplete = false
            }
        }
        return changes
    }

    /// Brings all sessions of an account in line with it.
    private func settle(_ account: String, _ changes: inout AccountChanges) async throws(PortalProblem) {
        var after: SessionKey?
        while true {
            let page = try await stored { [after] store throws(StoreError) in
                try await store.list(SessionFilter(account: account), after: after, limit: StoreLimits.page)
            }
            var hasEnded = false
            for record in page {
                switch review(record) {
                case .current: break
                case .end(let reason):
                    hasEnded = true
                    let gone = try await stored { store throws(StoreError) in try await store.end(record.key, reason) }
                    changes.ended.append(Ended(key: record.key, record: gone ?? record, reason: reason))
                case .refresh(let claims, let version):
                    let isThere = try await stored { store throws(StoreError) in
                        try await store.refresh(record.key, claims: claims, accountVersion: version)
                    }
                    if isThere { changes.refreshed.append(record.key) }
                }
            }
            // What ended is no place to go on from: the list begins anew.
            if hasEnded {
                after = nil
                continue
            }
            guard page.count == StoreLimits.page else { return }
            after = page.last?.key
        }
    }

    /// Audits sessions that a sweep removed.
    public func expired(_ ended: [Ended]) async { await audit(ended, as: .expiry, at: nil) }

    /// Audits sessions that ended because of what became of their account, at a Unix second.
    public func outdated(_ ended: [Ended], at now: Int64) async { await audit(ended, as: .accountChange, at: now) }

    /// Audits sessions that an operator ended, at a Unix second.
    public func revoked(_ ended: [Ended], at now: Int64) async { await audit(ended, as: .revoke, at: now) }

    private func audit(_ ended: [Ended], as kind: AuditEvent.Kind, at now: Int64?) async {
        for session in ended {
            let end = session.record.map { min($0.idleDeadline, $0.expires) }
            var event = AuditEvent(kind, time: now ?? end ?? 0)
            event.reason = session.reason.rawValue
            event.session = session.key.text
            if let record = session.record {
                event.describe(record)
                event.site = record.site
            }
            await note(event)
        }
    }
}
