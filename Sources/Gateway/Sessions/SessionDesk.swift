// COLD. Between workers and the store of sessions: looks up, tells of ends, writes last uses, sweeps. For the process.
import Bytes
import Accounts
import Identity
import Portal
import Reactor
import Sessions
import Settings
import Synchronization
import Telemetry

/// Everything about sessions that is the process's and not a worker's.
///
/// What takes time runs as tasks of the concurrency runtime; workers are answered through their mailboxes.
final class SessionDesk: Sendable {
    /// What changes with the configuration, or with the store's health.
    struct State {
        var portal: Portal?
        var users: UserFileEditor?
        var settings: SessionSettings
        /// Since when the store does not answer (Unix seconds); nil: it does.
        var awaySince: Int64?
        var isBusy = false
        var nextTouch: Int64 = 0
        var nextSweep: Int64 = 0
        var nextPrune: Int64 = 0
        var graceOver = false
        var watch = StoreWatch()
    }

    let store: any SessionStore
    /// Whether other processes may change what is in the store.
    private let isShared: Bool
    let registry = SessionRegistry()
    let counts = SessionCounts()
    let state: Locked<State>
    /// Requests for pages that are in the making.
    let visits = Atomic<Int>(0)
    private let workers = Locked<[Mailbox<WorkerMessage>]>([])

    /// Threads that hash passwords, and what is known of failures: kept over reloads.
    let hashing: HashingPool
    let throttle: LoginThrottle
    let audit: AuditDesk?
    private let revocations: Revocations

    init(
        store: any SessionStore,
        accounts: AccountSettings,
        settings: SessionSettings,
        audit: AuditDesk?,
        revocations: Revocations
    ) {
        self.store = store
        isShared = store.name != "memory"
        self.revocations = revocations
        self.audit = audit
        hashing = HashingPool(accounts.hashing)
        throttle = LoginThrottle(accounts.throttle)
        state = Locked(State(settings: settings))
        store.watch { [weak self] event in self?.heard(event) }
        // Who asks before the first sweep gets a number as well.
        Task { if let count = try? await store.count() { counts.live(count) } }
    }

    static var now: Int64 { Clock.unixMilliseconds() / 1000 }

    /// Who is told of ends.
    func add(_ worker: Mailbox<WorkerMessage>) { workers.withLock { $0.append(worker) } }

    private func tell(_ news: SessionNews) {
        for worker in workers.withLock({ $0 }) { worker.post(.sessions(news)) }
    }

    /// Takes the accounts and pages of a generation into use; sessions of accounts that are gone or changed end.
    func adopt(_ material: PortalMaterial?, _ settings: SessionSettings) {
        guard let material else {
            return state.withLock {
                $0.portal = nil
                $0.settings = settings
            }
        }
        let known = state.withLock { $0.portal?.accounts }
        let revocations = revocations
        let users = UserFileEditor(UserFile(path: material.accounts.file.path, format: material.accounts.format))
        let portal = Portal(
            plan: material.plan,
            store: store,
            directory: known ?? material.directory,
            users: users,
            hashing: hashing,
            throttle: throttle,
            pages: material.pages,
            audit: audit ?? NoAudit() as any AuditSink,
            isRevoked: { revocations.contains($0, now: Self.now) }
        )
        state.withLock {
            $0.portal = portal
            $0.users = users
            $0.settings = settings
        }
        Task { await review(portal, material.directory) }
    }

    /// Holds sessions against the accounts as they are now; again when the store was away.
    private func review(_ portal: Portal, _ directory: UserDirectory) async {
        while true {
            let changes = await portal.accountsChanged(directory)
            end(changes.ended)
            for ended in changes.ended {
                counts.ended(ended.reason)
                // A new password has not been guessed at yet.
                if ended.reason == .accountChanged, let account = ended.record?.account {
                    _ = throttle.reset(account: account)
                }
            }
            changed(changes.refreshed)
            await portal.outdated(changes.ended, at: Self.now)
            guard !changes.isComplete else { return }
            tell(.unknown)
            try? await Task.sleep(for: .seconds(1))
            guard state.withLock({ $0.portal === portal }) else { return }
        }
    }

    // MARK: Look-up

    /// Asks for a session; the worker gets the answer by mail.
    func lookUp(_ key: SessionKey, for worker: Mailbox<WorkerMessage>) {
        Task {
            let outcome = await outcome(of: key)
            worker.post(.session(SessionDigest(key), outcome))
        }
    }

    /// What a session's key stands for.
    func outcome(of key: SessionKey) async -> SessionOutcome {
        await found(key).outcome
    }

    /// The same, with the record.
    func found(_ key: SessionKey) async -> (outcome: SessionOutcome, record: SessionRecord?) {
        let began = Clock.microseconds()
        do throws(StoreError) {
            let record = try await store.find(key)
            counts.lookedUp(microseconds: Clock.microseconds() - began)
            reached()
            let now = Self.now
            guard var record else {
                registry.forget(SessionDigest(key), now: now)
                return (.none(clears: mayClear(SessionDigest(key))), nil)
            }
            // The accounts may have changed while no gateway was running.
            switch state.withLock({ $0.portal })?.review(record) ?? .current {
            case .current: break
            case .refresh(let claims, let version):
                record.claims = claims
                record.accountVersion = version
                _ = try await store.refresh(key, claims: claims, accountVersion: version)
            case .end(let reason):
                _ = try await store.end(key, reason)
                counts.ended(reason)
                let ended = [Ended(key: key, record: record, reason: reason)]
                end(ended)
                let portal = state.withLock { $0.portal }
                await portal?.outdated(ended, at: now)
                return (.none(clears: true), nil)
            }
            let live = registry.admit(LiveSession(record), claims: SessionClaims.json(record), now: now)
            record.lastSeen = live.lastSeen
            guard live.isLive(at: now) else {
                return (.none(clears: !live.isEnded || mayClear(live.digest)), nil)
            }
            return (.live(live, claims: SessionClaims.json(record)), record)
        } catch {
            counts.storeFailed()
            return (missed(SessionDigest(key), error), nil)
        }
    }

    /// A known session may go on for a while without its store.
    private func missed(_ digest: SessionDigest, _ error: StoreError) -> SessionOutcome {
        let now = Self.now
        let until = state.withLock { state in
            let since = state.awaySince ?? now
            state.awaySince = since
            return since + Int64(state.settings.onStoreFailure.grace.wholeSeconds)
        }
        guard now < until, let known = registry.find(digest), known.session.isLive(at: now) else {
            return .unavailable
        }
        return .live(known.session, claims: known.claims)
    }

    private func reached() {
        state.withLock { state in
            state.awaySince = nil
            state.graceOver = false
        }
    }

    /// Whether the cookie of an id that counts for nothing may be cleared.
    func mayClear(_ digest: SessionDigest) -> Bool {
        registry.mayClear(digest, isShared: isShared, now: Self.now)
    }

    // MARK: Ends

    /// Sessions are over: for all workers at once, before this returns; what they opened ends right after.
    func end(_ keys: [SessionKey], _ way: SessionRegistry.EndWay = .untold) {
        guard !keys.isEmpty else { return }
        let digests = keys.map { SessionDigest($0) }
        registry.end(digests, way, now: Self.now)
        tell(.ended(digests))
    }

    /// The same, for known reasons.
    func end(_ ended: [Ended]) {
        end(ended.filter { $0.reason == .replaced }.map(\.key), .replaced)
        end(ended.filter { $0.reason != .replaced }.map(\.key), .finally)
    }

    /// What is told of sessions has changed: workers ask again.
    func changed(_ keys: [SessionKey]) {
        guard !keys.isEmpty else { return }
        tell(.changed(keys.map { SessionDigest($0) }))
    }

    private func heard(_ event: StoreEvent) {
        switch event {
        case .ended(let keys): end(keys)
        case .refreshed(let keys): changed(keys)
        case .missed: checkAll()
        case .available(true):
            reached()
            checkAll()
        case .available(false):
            let isDenied = state.withLock { state in
                if state.awaySince == nil { state.awaySince = Self.now }
                return state.settings.onStoreFailure == .deny
            }
            if isDenied { tell(.unknown) }
        }
    }

    /// Ends may have been missed: every known session is asked for again.
    private func checkAll() {
        tell(.unknown)
        Task {
            for digest in registry.all {
                guard case .none = await outcome(of: digest.key) else { continue }
                end([digest.key])
            }
        }
    }

    // MARK: Time

    /// What has to be done from time to time; on the control thread, once a second or so.
    func turn() {
        let now = Self.now
        let due = state.withLock { state -> (touch: Int64?, sweep: Bool, prune: Bool, graceOver: Bool) in
            var due: (touch: Int64?, sweep: Bool, prune: Bool, graceOver: Bool) = (nil, false, false, false)
            if let since = state.awaySince, !state.graceOver,
                now >= since + Int64(state.settings.onStoreFailure.grace.wholeSeconds)
            {
                state.graceOver = true
                due.graceOver = true
            }
            guard !state.isBusy else { return due }
            if now >= state.nextTouch {
                state.nextTouch = now + 2
                due.touch = Int64(state.settings.touch.wholeSeconds)
            }
            if now >= state.nextSweep {
                state.nextSweep = now + 5
                due.sweep = true
            }
            if now >= state.nextPrune {
                state.nextPrune = now + 30
                due.prune = true
            }
            state.isBusy = due.touch != nil || due.sweep
            return due
        }
        watchStore(now)
        if due.graceOver { tell(.unknown) }
        if due.prune { registry.prune(now: now) }
        guard due.touch != nil || due.sweep else { return }
        Task {
            if let interval = due.touch { await writeUses(now, interval: interval) }
            if due.sweep {
                await tryWriting(now)
                await sweep(now)
            }
            state.withLock { $0.isBusy = false }
        }
    }

    private static let batch = 1000

    private func writeUses(_ now: Int64, interval: Int64) async {
        let uses = registry.takeUnwritten(now: now, interval: interval)
        var rest = uses[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.batch)
            rest = rest.dropFirst(Self.batch)
            do throws(StoreError) {
                try await store.touch(part.map { ($0.0.key, $0.1) })
            } catch {
                counts.storeFailed()
                return
            }
        }
    }

    private func sweep(_ now: Int64) async {
        let portal = state.withLock { $0.portal }
        while true {
            do throws(StoreError) {
                let ended = try await store.sweep(now: now, limit: Self.batch)
                counts.live(try await store.count())
                end(ended)
                for one in ended { counts.ended(one.reason) }
                await portal?.expired(ended)
                if ended.count < Self.batch { return }
            } catch {
                return counts.storeFailed()
            }
        }
    }

    /// The process ends: what is not written yet is, and the store is let go of.
    func close() async {
        await writeUses(Self.now, interval: 0)
        await store.close()
        audit?.log.close()
    }
}

extension LiveSession {
    /// A session as the store has it.
    convenience init(_ record: SessionRecord) {
        self.init(
            digest: SessionDigest(record.key),
            idle: record.idle,
            expires: record.expires,
            authenticated: record.authenticated,
            strength: record.strength,
            csrf: Array(record.csrf.utf8),
            site: Array(record.site.utf8),
            lastSeen: record.lastSeen
        )
    }
}
