// HOT. How much of a turn an HTTP/2 connection may have, and what waits: bytes, requests, and the end of who came too often.
import Bytes
import Glibc
import HTTP2
import Reactor
import Telemetry

/// What a connection takes of its worker's time.
struct ConnectionTurn {
    /// Bytes that were read and not dealt with, because it was others' turn.
    var waiting: OutputBuffer?
    /// Requests that go to their backends when all that came with them was read.
    var held: [Int32] = []
    var isReceiving = false
    /// It is one of the connections whose end is put off now, of which a worker has only so many.
    var isPenalized = false
    private var started: Int64 = 0
    private var ended: Int64 = 0
    private var events: UInt32 = 0
    /// Microseconds of work, less a quarter of the time that went by.
    private var debt: Int64 = 0

    /// Microseconds after which others come first.
    static let limit: Int64 = 300
    /// Microseconds of recent work from which on a connection runs after the others of its turn.
    static let heavy: Int64 = 1500

    @inline(__always)
    mutating func begin() {
        started = Clock.microseconds()
        debt = max(0, debt &- (started &- ended) >> 2)
    }

    @inline(__always)
    mutating func end() {
        ended = Clock.microseconds()
        debt = min(debt &+ ended &- started, 64 &* Self.heavy)
    }

    /// To be asked after each event: whether it took so long that the others come first.
    @inline(__always)
    mutating func isOver() -> Bool {
        events &+= 1
        return events & 3 == 0 && Clock.microseconds() &- started > Self.limit
    }

    /// Whether it has done so much lately that it comes after the others of a turn.
    @inline(__always)
    var isHeavy: Bool { debt > Self.heavy }
}

extension HTTP2Connection {
    /// Most requests that are held while more is read.
    private static let heldLimit = 128
    /// Most connections of a worker whose end is put off.
    private static let penaltyLimit = 256

    // MARK: Bytes

    /// Goes on with what was read before; false when it is still too much for one turn.
    func takeWaiting() -> Bool {
        guard let buffer = turn.waiting else { return true }
        turn.waiting = nil
        let taken = deal(with: buffer.readable, buffer.count)
        guard taken >= 0, isReading else {
            give(buffer)
            return true
        }
        buffer.consume(taken)
        turn.waiting = buffer
        worker.later(key)
        return false
    }

    /// Deals with what was read into memory that others use too; false when a part of it has to wait.
    func take(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let taken = deal(with: bytes, count)
        guard taken >= 0, isReading else { return true }
        let buffer = count - taken > 12 * 1024 ? worker.large.take() : worker.small.take()
        buffer.append(bytes + taken, count - taken)
        turn.waiting = buffer
        worker.later(key)
        return false
    }

    private var isReading: Bool { phase == .open || phase == .draining }

    /// How many bytes were dealt with before the turn was over; negative when all were.
    private func deal(with bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        turn.isReceiving = true
        var offset = 0
        let isDone = receive(bytes, count, &offset)
        turn.isReceiving = false
        forwardHeld()
        return isDone ? -1 : offset
    }

    func give(_ buffer: OutputBuffer) {
        if buffer.capacity > 64 * 1024 { worker.large.give(buffer) } else { worker.small.give(buffer) }
    }

    // MARK: Requests

    /// Notes a stream whose request waits until what came with it is read; false when that is the case already.
    ///
    /// Who withdraws a request in the same breath never costs a backend anything.
    func holdRequest(_ tag: Int32) -> Bool {
        guard turn.isReceiving else { return false }
        if turn.held.count == Self.heldLimit { forwardHeld() }
        turn.held.append(tag)
        return true
    }

    private func forwardHeld() {
        if turn.held.isEmpty { return }
        for place in 0..<turn.held.count { forwardHeld(turn.held[place]) }
        turn.held.removeAll(keepingCapacity: true)
    }

    // MARK: Ends

    /// Puts off the end of a connection whose client had many ended lately; false when it ends at once.
    ///
    /// Who wears our patience out counts for two who make a mistake.
    func putOffEnd(_ error: HTTP2Error) -> Bool {
        let most = worker.plan.snapshot.http2EndDelay
        if phase == .waiting { return true }
        guard most > 0, !peer.isUnix, !worker.plan.snapshot.isTrusted(peer) else { return false }
        let weight: Int64 = error.code == HTTP2Code.enhanceYourCalm ? 2 : 1
        let delay = worker.offenders.count(peer, weight: weight, now: worker.now, most: most)
        guard delay > 0, worker.penalties < Self.penaltyLimit else { return false }
        wasPutOff = true
        turn.isPenalized = true
        worker.penalties += 1
        worker.metrics.add(.http2EndsPutOff, 1)
        phase = .waiting
        setDeadline(worker.now + delay)
        return true
    }

    /// The end has been put off for long enough, or the client is gone.
    func endWaiting() {
        if phase == .waiting { phase = .closing }
        guard turn.isPenalized else { return }
        turn.isPenalized = false
        worker.penalties -= 1
    }
}
