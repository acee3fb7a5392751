import Testing

@testable import Reactor

@Suite("Timer wheel")
struct TimerWheelTests {
    @Test("timers fire in a random walk exactly when a sorted list says so")
    func randomWalk() {
        var generator = SystemRandomNumberGenerator()
        var now: Int64 = 1_000_000
        let wheel = TimerWheel(now: now)
        var model: [TimerID: Int64] = [:]
        for step in 0..<5000 {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                let id = wheel.make(owner: UInt64(step))
                let due = now + Int64.random(in: 0...60_000, using: &generator)
                wheel.arm(id, at: due)
                model[id] = due
            case 1:
                if let id = model.keys.randomElement(using: &generator) {
                    let due = now + Int64.random(in: 0...60_000, using: &generator)
                    wheel.arm(id, at: due)
                    model[id] = due
                }
            case 2:
                if let id = model.keys.randomElement(using: &generator) {
                    wheel.remove(id)
                    model[id] = nil
                }
            default:
                now += Int64.random(in: 0...3000, using: &generator)
                wheel.advance(to: now)
                while let id = wheel.popExpired() {
                    #expect((model[id] ?? .max) <= now)
                    model[id] = nil
                    wheel.remove(id)
                }
                #expect(model.values.allSatisfy { $0 > now - 32 })
            }
            #expect(wheel.armed == model.count)
        }
        #expect(wheel.validate())
    }

    @Test("the time to the next deadline is never late by more than a tick")
    func timeout() {
        let wheel = TimerWheel(now: 0)
        #expect(wheel.timeout(now: 0, limit: 500) == 500)
        let id = wheel.make(owner: 1)
        wheel.arm(id, at: 100)
        let wait = wheel.timeout(now: 0, limit: 500)
        #expect((100...132).contains(wait))
    }
}
