// COLD. `/revocations` of the ops listener: takes revocations, has them obeyed and kept, and only then says so.
import Bytes
import HTTP
import Identity
import Reactor
import Settings
import Synchronization
import Telemetry

/// Makes, lists and takes back revocations; on the control thread.
///
///     POST ──► in the set ──► every worker has obeyed ─┐
///                    └──────► on disk ─────────────────┴──► 200
final class RevocationDesk {
    private final class Ticket {
        var isObeyed = false
        var isSaved = false
        var failure: String?
        let count: Int
        let reply: (OpsAnswer) -> Void

        init(_ count: Int, _ reply: @escaping (OpsAnswer) -> Void) {
            self.count = count
            self.reply = reply
        }
    }

    private let revocations: Revocations
    private let file: String?
    private let mailbox: Mailbox<ControlMessage>
    private let offload: OffloadPool
    private var tickets: [UInt64: Ticket] = [:]
    private var nextTicket: UInt64 = 0
    /// Tickets whose change is in the file that is being written, and those that came since.
    private var saving: [UInt64] = []
    private var unsaved: [UInt64] = []
    private var isSaving = false
    private var nextExpiry: Int64 = 0
    /// Revocations that were refused because there are too many.
    private(set) var refusals: UInt64 = 0
    /// Times that the file could not be written.
    private(set) var failures: UInt64 = 0
    /// Who has to obey.
    var workers: [Mailbox<WorkerMessage>] = []

    init(_ revocations: Revocations, file: String?, mailbox: Mailbox<ControlMessage>, offload: OffloadPool) {
        self.revocations = revocations
        self.file = file
        self.mailbox = mailbox
        self.offload = offload
    }

    // MARK: Requests

    /// Answers a request, perhaps later.
    func answer(_ request: OpsRequest, _ identity: IdentityPlan, _ reply: @escaping (OpsAnswer) -> Void) {
        let now = Clock.unixMilliseconds() / 1000
        switch request.method {
        case .get, .head: reply(list(now: now))
        case .post: revoke(request, identity, now: now, reply)
        case .delete: takeBack(request, identity, reply)
        default: reply(.methodRefused("GET, HEAD, POST, DELETE"))
        }
    }

    private func list(now: Int64) -> OpsAnswer {
        var answer = OpsAnswer(200, "application/json")
        answer.body = OutputBuffer(capacity: 64 * 1024)
        let set = revocations.current
        var isFirst = true
        for (source, list) in [("configuration", set.ofConfiguration), ("operator", set.ofOperators)] {
            for revocation in list where (revocation.until ?? .max) > now {
                answer.body.append(isFirst ? "[\n" : ",\n")
                isFirst = false
                revocation.append(to: answer.body)
                answer.body.truncate(to: answer.body.count - 1)
                answer.body.append(string: ",\"source\":\"\(source)\"}")
            }
        }
        answer.body.append(isFirst ? "[]\n" : "\n]\n")
        return answer
    }

    /// The body as revocations of known issuers; nil after a problem was answered.
    private func read(
        _ request: OpsRequest,
        _ identity: IdentityPlan,
        _ reply: (OpsAnswer) -> Void
    ) -> [Revocation]? {
        // A page in a browser can make it send forms to a loopback address, but not of this type.
        guard request.isJSON else {
            reply(.problem(415, "the content must be application/json"))
            return nil
        }
        do throws(Revocation.Mistake) {
            var list = try Revocation.read(request.body)
            for index in list.indices {
                guard let written = list[index].key.issuer else { continue }
                guard let issuer = identity.issuer(named: written) else {
                    reply(
                        .problem(400, "there is no issuer \(Spelling.quoted(String(decoding: written, as: UTF8.self)))")
                    )
                    return nil
                }
                list[index].key.issuer = issuer
            }
            guard !list.isEmpty else {
                reply(.problem(400, "there is no revocation in it"))
                return nil
            }
            return list
        } catch {
            reply(.problem(400, error.text))
            return nil
        }
    }

    private func revoke(
        _ request: OpsRequest,
        _ identity: IdentityPlan,
        now: Int64,
        _ reply: @escaping (OpsAnswer) -> Void
    ) {
        guard var list = read(request, identity, reply) else { return }
        for index in list.indices where list[index].until == nil {
            guard let life = identity.longestLife(of: list[index].key.issuer) else { continue }
            list[index].until = max(now, list[index].before ?? now) + life
        }
        let wanted = list
        let inserted = revocations.change { set -> [Revocation]? in
            _ = set.expire(now: now)
            guard set.ofOperators.count + wanted.count <= set.limit || wanted.count == 1 else { return nil }
            var inserted: [Revocation] = []
            for revocation in wanted {
                guard let stored = try? set.insert(revocation) else { return nil }
                inserted.append(stored)
            }
            return inserted
        }
        guard let inserted else {
            refusals += UInt64(wanted.count)
            return reply(.problem(507, "there are as many revocations as there may be (limits.revocations)"))
        }
        Log.info("credentials revoked", ("revocations", "\(inserted.count)"))
        let id = open(inserted.count, reply)
        tell(inserted) { [mailbox] in mailbox.post(.obeyed(id)) }
        save(id)
    }

    private func takeBack(
        _ request: OpsRequest,
        _ identity: IdentityPlan,
        _ reply: @escaping (OpsAnswer) -> Void
    ) {
        guard let list = read(request, identity, reply) else { return }
        let (removed, configured) = revocations.change { set in
            list.reduce(into: (removed: 0, configured: 0)) { result, revocation in
                if set.isConfigured(revocation.key) { result.configured += 1 }
                if set.remove(revocation.key) { result.removed += 1 }
            }
        }
        guard configured == 0 else { return reply(.problem(409, "it stands in the configuration; take it out there")) }
        guard removed > 0 else { return reply(.problem(404, "there is no such revocation")) }
        Log.info("revocations taken back", ("revocations", "\(removed)"))
        let id = open(removed, reply)
        tickets[id]?.isObeyed = true
        save(id)
    }

    // MARK: Obeyed and kept

    /// Has the workers forget and end what is revoked; `done` is called by the last of them.
    func tell(_ list: [Revocation], _ done: @escaping @Sendable () -> Void) {
        let left = Countdown(workers.count)
        for worker in workers {
            let isPosted = worker.post(
                .revoked(list) {
                    if left.step() { done() }
                }
            )
            if !isPosted { Log.error("a worker takes no messages; a revocation has not reached it") }
        }
    }

    private func open(_ count: Int, _ reply: @escaping (OpsAnswer) -> Void) -> UInt64 {
        nextTicket += 1
        tickets[nextTicket] = Ticket(count, reply)
        return nextTicket
    }

    /// Every worker has obeyed.
    func obeyed(_ id: UInt64) {
        tickets[id]?.isObeyed = true
        settle(id)
    }

    private func save(_ id: UInt64) {
        guard file != nil else {
            tickets[id]?.isSaved = true
            return settle(id)
        }
        unsaved.append(id)
        write()
    }

    /// Begins to write the file, unless it is being written.
    private func write() {
        guard let file, !isSaving, !unsaved.isEmpty else { return }
        isSaving = true
        saving = unsaved
        unsaved = []
        // Taken here: what is written is what the tickets so far are about.
        let list = revocations.current.ofOperators
        let mailbox = mailbox
        let isAccepted = offload.submit { mailbox.post(.saved(RevocationFile.write(list, to: file))) }
        if !isAccepted { saved("too much work waits") }
    }

    /// The file was written, or not.
    func saved(_ failure: String?) {
        if let failure {
            failures += 1
            Log.error("revocations cannot be saved", ("error", failure))
        }
        for id in saving {
            tickets[id]?.isSaved = true
            tickets[id]?.failure = failure
            settle(id)
        }
        // Only now: an answer may have brought the client's next request, whose change must wait for the next writing.
        isSaving = false
        saving = []
        write()
    }

    private func settle(_ id: UInt64) {
        guard let ticket = tickets[id], ticket.isObeyed, ticket.isSaved else { return }
        tickets[id] = nil
        if ticket.failure != nil {
            return ticket.reply(.problem(500, "in force, but it could not be saved: it is lost at a restart"))
        }
        ticket.reply(OpsAnswer(200, "application/json", "{\"count\":\(ticket.count),\"saved\":\(file != nil)}\n"))
    }

    /// How many there are, and what went wrong.
    var samples: [ExtraMetric] {
        [
            ExtraMetric("revocations", "Revocations in force.", value: Double(revocations.count)),
            ExtraMetric(
                "revocations_refused_total",
                "Revocations refused because there are as many as limits.revocations allows.",
                kind: .counter,
                value: Double(refusals)
            ),
            ExtraMetric(
                "revocation_file_failures_total",
                "Times that the file of revocations could not be written.",
                kind: .counter,
                value: Double(failures)
            ),
        ]
    }

    /// Forgets what has had its time.
    func turn(now: Int64) {
        guard now >= nextExpiry else { return }
        nextExpiry = now + 60_000
        guard revocations.count > 0 else { return }
        _ = revocations.change { $0.expire(now: Clock.unixMilliseconds() / 1000) }
    }
}

/// Tells the last of several threads that it is the last.
final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) { left = Atomic(count) }

    /// One is done; true for the last.
    func step() -> Bool { left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
}
