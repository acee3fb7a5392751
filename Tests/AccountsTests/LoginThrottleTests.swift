// COLD. The throttle by an injected clock: delays, limits, known devices, and what an attacker can and cannot do.
import Settings
import Testing

@testable import Accounts

@Suite("Login throttle")
struct LoginThrottleTests {
    private func attempt(
        _ account: String = "ada",
        _ address: String = "192.0.2.1",
        exists: Bool = true,
        device: String? = nil
    ) -> LoginAttempt {
        LoginAttempt(account: account, exists: exists, address: address, device: device)
    }

    /// Fails once from a network of its own, as soon as the throttle lets it; returns the seconds it had to wait.
    private func fail(_ throttle: LoginThrottle, _ now: inout Int64, network: Int, exists: Bool = true) -> Int {
        let attempt = attempt("ada", "10.\(network >> 16 & 255).\(network >> 8 & 255).\(network & 255)", exists: exists)
        var waited = 0
        while case .wait(let seconds, _) = throttle.admit(attempt, now: now) {
            waited += seconds
            now += Int64(seconds)
        }
        throttle.failed(attempt, now: now)
        return waited
    }

    @Test("five failures are free, then the delay doubles from 1 s to 15 min, for names that do not exist as well")
    func delays() {
        for exists in [true, false] {
            let throttle = LoginThrottle()
            var now: Int64 = 1000
            let waits = (0..<18).map { fail(throttle, &now, network: $0, exists: exists) }
            #expect(waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
        }
    }

    @Test("attempts at the same time do not pass together")
    func parallel() {
        let throttle = LoginThrottle()
        let admitted = (0..<50).filter { throttle.admit(attempt("ada", "10.0.0.\($0)"), now: 5) == .go }
        #expect(admitted.count == 5)
    }

    @Test("after a hundred failures in a row only an operator's reset opens the account")
    func lock() {
        let throttle = LoginThrottle()
        var now: Int64 = 0
        for network in 0..<100 { _ = fail(throttle, &now, network: network) }
        now += 1_000_000
        #expect(throttle.admit(attempt(), now: now) == .wait(seconds: 900, why: .locked))
        #expect(throttle.locked() == ["ada"])
        #expect(throttle.reset(account: "ada"))
        #expect(throttle.admit(attempt(), now: now) == .go)
        #expect(!throttle.reset(account: "bob"))
    }

    @Test("a login begins the account's count anew, but not that of another network which guessed")
    func success() {
        let throttle = LoginThrottle()
        let attacker = attempt("ada", "203.0.113.9")
        for _ in 0..<5 {
            #expect(throttle.admit(attacker, now: 0) == .go)
            throttle.failed(attacker, now: 0)
        }
        #expect(throttle.admit(attempt(), now: 1) == .go)
        throttle.succeeded(attempt(), now: 1)
        for _ in 0..<5 { #expect(throttle.admit(attempt("ada", "192.0.2.7"), now: 1) == .go) }
        let fresh = LoginThrottle()
        for _ in 0..<6 where fresh.admit(attacker, now: 0) == .go { fresh.failed(attacker, now: 0) }
        _ = fresh.admit(attempt(), now: 1)
        fresh.succeeded(attempt(), now: 1)
        #expect(fresh.admit(attacker, now: 0) == .wait(seconds: 1, why: .pair))
    }

    @Test("a right password does not begin the delay anew, and its code does not wait for guesses in between")
    func takenBack() {
        let throttle = LoginThrottle()
        var now: Int64 = 1000
        for network in 0..<8 { _ = fail(throttle, &now, network: network) }
        #expect(throttle.admit(attempt(), now: now + 7) == .wait(seconds: 1, why: .account))
        now += 8
        for _ in 0..<3 {
            #expect(throttle.admit(attempt(), now: now) == .go)
            throttle.released(attempt(), now: now)
        }
        // Of two at a time, the other one still counts.
        #expect(throttle.admit(attempt(), now: now) == .go)
        #expect(throttle.admit(attempt("ada", "192.0.2.2"), now: now) == .wait(seconds: 16, why: .account))
        throttle.failed(attempt(), now: now)
        #expect(throttle.admit(attempt(), now: now + 15) == .wait(seconds: 1, why: .account))
        #expect(throttle.admit(attempt(), isContinued: true, now: now) == .go)
        throttle.failed(attempt(), now: now)
        #expect(throttle.admit(attempt(), now: now + 16) == .wait(seconds: 16, why: .account))
        while throttle.locked().isEmpty { _ = fail(throttle, &now, network: Int(now)) }
        #expect(throttle.admit(attempt(), isContinued: true, now: now) == .wait(seconds: 900, why: .locked))
    }

    @Test("logins that were begun to have many codes in hand are guesses like any other")
    func hoarded() {
        let throttle = LoginThrottle()
        var gone = 0
        for second in 0..<64 {
            for network in 0..<50 {
                let attempt = attempt("ada", "192.0.\(network).1")
                if throttle.admit(attempt, isContinued: true, now: Int64(second)) == .go {
                    throttle.failed(attempt, now: Int64(second))
                    gone += 1
                }
            }
        }
        // Five are free; then each waits, or is the one of its delay that does not.
        #expect(gone < 5 + 2 * 7)
    }

    @Test("of refusals one a minute is noted, with the number of those before it that were not")
    func refusals() {
        let throttle = LoginThrottle()
        #expect(throttle.noteRefusal(attempt(), .account, now: 0) == 0)
        for second in 1..<60 { #expect(throttle.noteRefusal(attempt(), .account, now: Int64(second)) == nil) }
        #expect(throttle.noteRefusal(attempt("bob"), .network, now: 59) == 59)
        #expect(throttle.noteRefusal(attempt("eve"), .network, now: 59) == nil)
        #expect(throttle.noteRefusal(attempt(), .account, now: 60) == 1)
        var notes = RefusalNotes(capacity: 2)
        let noted = (0..<5).map { notes.note(RefusalNotes.Key(reason: .account, account: "\($0)"), now: 0) }
        #expect(noted == [0, 0, nil, nil, nil])
        #expect(notes.note(RefusalNotes.Key(reason: .account, account: "9"), now: 60) == 3)
    }

    @Test("the owner on a known device gets in while strangers have locked the account and used up the network")
    func device() {
        let throttle = LoginThrottle()
        var now: Int64 = 0
        for network in 0..<100 { _ = fail(throttle, &now, network: network) }
        for _ in 0..<40 { _ = throttle.admit(attempt("bob\(Int.random(in: 0...Int.max))", exists: false), now: now) }
        let owner = attempt(device: "laptop")
        #expect(throttle.admit(attempt(), now: now) == .wait(seconds: 900, why: .locked))
        for _ in 0..<50 {
            #expect(throttle.admit(owner, now: now) == .go)
            throttle.succeeded(owner, now: now)
        }
        #expect(throttle.locked() == ["ada"])
    }

    @Test("a stolen device cookie buys as many guesses as an account has, and then counts for nothing")
    func stolenDevice() {
        let throttle = LoginThrottle()
        let thief = attempt(device: "stolen")
        var now: Int64 = 0
        var guesses = 0
        while guesses < 1000 {
            switch throttle.admit(thief, now: now) {
            case .go:
                throttle.failed(thief, now: now)
                guesses += 1
            case .wait(_, .locked):
                #expect(guesses == 200)
                return
            case .wait(let seconds, _): now += Int64(seconds)
            }
        }
        Issue.record("never locked")
    }

    @Test("a device of another account is no known device")
    func otherAccount() {
        let throttle = LoginThrottle()
        let unknown = attempt("nobody", exists: false, device: "laptop")
        for _ in 0..<5 { #expect(throttle.admit(unknown, now: 0) == .go) }
        #expect(throttle.admit(unknown, now: 0) == .wait(seconds: 1, why: .account))
    }

    @Test("a network has twenty failures a minute: an IPv4 address, an IPv6 /64; logins do not count")
    func network() {
        let throttle = LoginThrottle()
        for index in 0..<20 {
            let attempt = attempt("user\(index)", "2001:db8:1:2::\(index)")
            #expect(throttle.admit(attempt, now: 0) == .go)
            throttle.failed(attempt, now: 0)
        }
        #expect(throttle.admit(attempt("x", "2001:db8:1:2:ffff::1"), now: 0) == .wait(seconds: 3, why: .network))
        #expect(throttle.admit(attempt("x", "2001:db8:1:3::1"), now: 0) == .go)
        #expect(throttle.admit(attempt("x", "2001:db8:1:2:ffff::1"), now: 3) == .go)
        let other = LoginThrottle()
        for index in 0..<100 {
            let attempt = attempt("user\(index)", index % 2 == 0 ? "192.0.2.1" : "::ffff:192.0.2.1")
            #expect(other.admit(attempt, now: 0) == .go)
            other.succeeded(attempt, now: 0)
        }
    }

    @Test("an attempt that was not made is not counted")
    func released() {
        let throttle = LoginThrottle()
        for device in [nil, "laptop"] {
            for _ in 0..<200 {
                #expect(throttle.admit(attempt(device: device), now: 0) == .go)
                throttle.released(attempt(device: device), now: 0)
            }
        }
    }

    @Test("a clock that is put back makes nobody wait longer")
    func clock() {
        let throttle = LoginThrottle()
        for index in 0..<6 { _ = throttle.admit(attempt("ada", "10.0.0.\(index)"), now: 1_000_000) }
        #expect(throttle.admit(attempt("ada", "10.0.1.1"), now: 500) == .wait(seconds: 1, why: .account))
    }

    @Test("tables keep their size, and made-up names push no account's counter out")
    func bounded() {
        var settings = ThrottleSettings()
        settings.entries = 1024
        settings.networkPerMinute = 100_000
        let throttle = LoginThrottle(settings)
        for _ in 0..<5 {
            _ = throttle.admit(attempt("ada", "10.9.9.9"), now: 0)
            throttle.failed(attempt("ada", "10.9.9.9"), now: 0)
        }
        for index in 0..<20_000 {
            let made = attempt("made-up-\(index)", "10.1.1.1", exists: false)
            #expect(throttle.admit(made, now: 0) == .go)
        }
        #expect(throttle.admit(attempt("ada", "10.2.2.2"), now: 0) == .wait(seconds: 1, why: .account))
        // Small counters go first: the pair of who guessed at ada is still there.
        throttle.succeeded(attempt("ada", "10.3.3.3"), now: 0)
        #expect(throttle.admit(attempt("ada", "10.9.9.9"), now: 0) == .wait(seconds: 1, why: .pair))
    }

    @Test("a table that is full gives up small counters")
    func eviction() {
        var table = StrikeTable<Int>(capacity: 100)
        for _ in 0..<10 { table.add(0, now: 1) }
        for key in 1..<10_000 { table.add(key, now: 2) }
        #expect(table.count == 100)
        #expect(table[0]?.count == 10 && table[0]?.last == 1)
    }

    @Test("networks that cannot be counted are refused, and there is room again when others are done")
    func fullNetworks() {
        var budget = NetworkBudget(perMinute: 20, capacity: 2)
        for index in 0..<2 { budget.add(ClientNetwork("10.0.0.\(index)"), now: 0) }
        #expect(budget.hasRoom(ClientNetwork("10.0.0.1"), now: 0) == true)
        #expect(budget.hasRoom(ClientNetwork("10.0.0.9"), now: 0) == false)
        #expect(budget.hasRoom(ClientNetwork("10.0.0.9"), now: 4) == true)
    }
}
