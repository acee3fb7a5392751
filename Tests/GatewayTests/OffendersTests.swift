// Clients whose connections fail again and again: when their ends are put off, and for how long.
import Reactor
import Testing

@testable import Gateway

private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text: text)) }

@Suite("Offenders")
struct OffendersTests {
    private var table = Offenders(seed: 7)

    private mutating func ends(_ count: Int64, of peer: IPAddress, now: Int64 = 1000) -> Int64 {
        var delay: Int64 = 0
        for _ in 0..<count { delay = table.count(peer, weight: 1, now: now, most: 500) }
        return delay
    }

    @Test("a few failures are nobody's fault")
    mutating func tolerated() throws {
        #expect(ends(Offenders.tolerated, of: try address("192.0.2.1")) == 0)
    }

    @Test("the wait grows with each further failure, up to the most")
    mutating func grows() throws {
        let peer = try address("192.0.2.1")
        #expect(ends(Offenders.tolerated + 1, of: peer) == Offenders.step)
        #expect(ends(1, of: peer) == 2 * Offenders.step)
        #expect(ends(1000, of: peer) == 500)
    }

    @Test("asking for the wait does not make it longer")
    mutating func asked() throws {
        let peer = try address("192.0.2.1")
        let delay = ends(Offenders.tolerated + 3, of: peer)
        for _ in 0..<10 { #expect(table.delay(of: peer, now: 1000, most: 500) == delay) }
        #expect(table.delay(of: try address("192.0.2.2"), now: 1000, most: 500) == 0)
        #expect(table.delay(of: peer, now: 1000 + 60_000, most: 500) == 0)
    }

    @Test("failures are forgotten with time, however many there were")
    mutating func fades() throws {
        let peer = try address("2001:db8::1")
        #expect(ends(100_000, of: peer) == 500)
        #expect(ends(1, of: peer, now: 1000 + 100_000) == 0)
    }

    @Test("one address does not wait for what another one did")
    mutating func apart() throws {
        #expect(ends(1000, of: try address("192.0.2.1")) == 500)
        #expect(ends(1, of: try address("192.0.2.2")) == 0)
        #expect(ends(1, of: try address("2001:db8::1")) == 0)
    }

    @Test("addresses of one IPv6 network count together")
    mutating func network() throws {
        #expect(ends(1000, of: try address("2001:db8:0:1::1")) == 500)
        #expect(ends(1, of: try address("2001:db8:0:1:ffff::2")) == 500)
        #expect(ends(1, of: try address("2001:db8:0:2::1")) == 0)
    }

    @Test("a flood of addresses does not make the table forget the worst of them")
    mutating func full() throws {
        let worst = try address("192.0.2.1")
        #expect(ends(1000, of: worst) == 500)
        for n in 0..<100_000 as Range<UInt64> {
            _ = table.count(IPAddress(high: n << 20, low: 0, port: 0), weight: 1, now: 1000, most: 500)
        }
        #expect(ends(1, of: worst) == 500)
    }
}
