// COLD. Tickets: understood by every worker and generation that shares the keys, by nobody else.
import COpenSSL
import Reactor
import Testing

@testable import TLS

@Suite("Resumption") struct ResumptionTests {
    let setup: Setup
    init() throws { setup = try Setup() }

    private func resumes(
        _ server: ServerTLS,
        _ client: ClientTLS,
        _ sessions: SessionCache,
        name: String = "a.example",
        maximum: Int32 = 0
    ) throws -> Bool {
        let pair = try Pair(server, client, name: name, sessions: sessions)
        pc_SSL_set_max_proto_version(pair.client.ssl, maximum)
        try pair.exchange()
        return pair.server.isResumed
    }

    @Test("contexts that share the keys resume each other's sessions", arguments: [0, 0x0303])
    func shared(maximum: Int32) throws {
        let source = try setup.source(.hosts("a.example"))
        let plan = ServerTLSPlan(certificates: [source], contextName: "main")
        let one = try ServerTLS(plan, ticketKeys: setup.keys, now: now)
        let two = try ServerTLS(plan, ticketKeys: setup.keys, now: now)
        let client = try setup.client()
        let sessions = SessionCache()
        #expect(try resumes(one, client, sessions, maximum: maximum) == false)
        #expect(try resumes(two, client, sessions, maximum: maximum))
        let strange = try ServerTLS(
            plan,
            ticketKeys: try TicketKeys(rotation: 1000, lifetime: 1000, now: 0),
            now: now
        )
        #expect(try resumes(strange, client, sessions, maximum: maximum) == false)
    }

    @Test("tickets off: nobody resumes, in either version", arguments: [0, 0x0303])
    func off(maximum: Int32) throws {
        let server = try setup.server(.hosts("a.example")) { $0.issuesTickets = false }
        let client = try setup.client()
        let sessions = SessionCache()
        for _ in 0..<2 { #expect(try resumes(server, client, sessions, maximum: maximum) == false) }
    }

    @Test("where clients show certificates, nobody resumes past the check (CVE-2025-23419)")
    func clientCertificates() throws {
        let source = try setup.source(.hosts("a.example"))
        var plan = ServerTLSPlan(certificates: [source], contextName: "main")
        let open = try ServerTLS(plan, ticketKeys: setup.keys, now: now)
        plan.clientAuthentication = .optional
        plan.clientCA = setup.authority.pem
        let closed = try ServerTLS(plan, ticketKeys: setup.keys, now: now)
        let client = try setup.client()
        let sessions = SessionCache()
        #expect(try resumes(open, client, sessions) == false)
        #expect(try resumes(closed, client, sessions) == false)
        #expect(try resumes(closed, client, sessions) == false)
    }

    @Test("a session of one certificate, or one listener, is none of another", arguments: [0, 0x0303])
    func contexts(maximum: Int32) throws {
        let server = try setup.server(.hosts("a.example"), .hosts("b.example"))
        let client = try setup.client { $0.authorities = .insecure }
        let sessions = SessionCache()
        #expect(try resumes(server, client, sessions, name: "a.example", maximum: maximum) == false)
        #expect(try resumes(server, client, sessions, name: "b.example", maximum: maximum) == false)
        #expect(try resumes(server, client, sessions, name: "b.example", maximum: maximum))
        let other = try setup.server(.hosts("a.example"), .hosts("b.example")) { $0.contextName = "other" }
        #expect(try resumes(other, client, sessions, name: "b.example", maximum: maximum) == false)
    }

    @Test("former keys decrypt until their tickets are too old")
    func rotation() throws {
        let keys = try TicketKeys(rotation: 10_000, lifetime: 25_000, now: 0)
        let source = try setup.source(.hosts("a.example"))
        let server = try ServerTLS(
            ServerTLSPlan(certificates: [source], contextName: "main"),
            ticketKeys: keys,
            now: now
        )
        let client = try setup.client()
        #expect(!keys.rotate(now: 9_999))
        #expect(keys.count == 1)
        let sessions = SessionCache()
        #expect(try resumes(server, client, sessions) == false)
        #expect(keys.rotate(now: 10_000))
        #expect(keys.count == 2)
        #expect(try resumes(server, client, sessions), "by the former key")
        #expect(keys.rotate(now: 20_000) && keys.rotate(now: 30_000))
        #expect(try resumes(server, client, sessions), "it got a ticket of the new key then")
        #expect(keys.count == 4)
        #expect(keys.rotate(now: 40_000))
        #expect(keys.count == 4, "the first went at 35 s")
        for _ in 0..<100 { keys.rotateAtOnce(now: 41_000) }
        #expect(keys.count <= 32, "bounded")
        #expect(try resumes(server, client, sessions) == false)
        #expect(keys.ticketSeconds == 25)
    }

    @Test("many threads may use the keys at once")
    func threads() async throws {
        let keys = try TicketKeys(rotation: 1000, lifetime: 1000, now: 0)
        let setup = try Setup()
        let source = try setup.source(.hosts("a.example"))
        let plan = ServerTLSPlan(certificates: [source], contextName: "main")
        let server = try ServerTLS(plan, ticketKeys: keys, now: now)
        let client = try setup.client()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    let sessions = SessionCache()
                    var resumed = 0
                    for step in 0..<20 {
                        let pair = try Pair(server, client, sessions: sessions)
                        try pair.exchange()
                        if pair.server.isResumed { resumed += 1 }
                        if step % 5 == worker { keys.rotateAtOnce(now: 0) }
                    }
                    return resumed
                }
            }
            for try await resumed in group { #expect(resumed > 0) }
        }
    }
}
