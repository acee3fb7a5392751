// HOT. A client's HTTP/1 connection: reads heads in order, one exchange at a time, and writes what exchanges give it.
import Bytes
import Glibc
import HTTP
import Reactor
import Telemetry

/// An HTTP/1 connection from a client, in clear text or over TLS.
///
///     reading ──head complete──► exchanging ──finished, kept alive──► reading
///        │                            │
///        └──refused──► lingering ◄────┘ finished, not kept alive
///     exchanging ──101──► tunnelling
///
/// Owned by its worker's table. It holds buffers only while there are bytes in them.
final class HTTP1Connection: DownstreamConnection {
    enum Phase {
        /// Waiting for a request head, or in the middle of one.
        case reading
        /// An exchange is running.
        case exchanging
        /// Bytes pass both ways unread.
        case tunnelling
        /// The last answer is queued; closing when it is sent.
        case finishing
        /// The answer is sent and our direction closed; what still comes is read and dropped.
        case lingering
        /// Gone.
        case closed
    }

    let transport: Transport
    var phase = Phase.reading
    var output: OutputBuffer?
    var canWrite = true
    private var scanned = 0
    private var requests: UInt32 = 0
    private let timer: TimerID
    private var deadline = Int64.max
    private var headStarted: Int64 = -1
    private var drained = 0

    /// Milliseconds for which a drain waits for a further request of an idle connection.
    static let drainGrace: Int64 = 1000

    init(worker: Worker, transport: Transport, key: UInt64, peer: IPAddress, listener: ListenerPlan) {
        self.transport = transport
        timer = worker.wheel.make(owner: key)
        super.init(
            worker: worker,
            key: key,
            peer: peer,
            listener: listener,
            tls: transport.tls,
            certificate: transport.tls.flatMap { ClientCertificate($0, listener) },
            isStream: false
        )
    }

    var descriptor: Int32 { transport.descriptor }

    /// The connection is in the table: wait for the first head.
    func opened() {
        setDeadline(worker.now + worker.plan.timeouts.headers)
        process()
        if worker.isDraining { drain() }
    }

    // MARK: Events

    @inline(__always)
    func ready(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: .halfClosed.union(.failed)) {
            hangup = true
            // Who listens to events of ours does not close half; the next event may be far.
            if exchange?.isOwnStream == true { return failed() }
        }
        let isReadable = !readiness.isDisjoint(with: .readable)
        if isReadable {
            canRead = true
            transport.becameReadable()
        }
        if !canWrite, !readiness.isDisjoint(with: .writable) || isReadable && transport.writesWhenReadable {
            canWrite = true
            if transport.readsWhenWritable { canRead = true }
            if output != nil { flush() }
        }
        if readiness.contains(.error) || readiness.contains(.hangup) && phase == .exchanging { return failed() }
        process()
    }

    /// A turn later, after a share of work was used up.
    func resume() {
        if broken { return failed() }
        process()
    }

    private func failed() {
        guard phase != .closed else { return }
        if let exchange { exchange.clientGone() }
        close()
    }

    func process() {
        var budget = 32
        while budget > 0 {
            budget -= 1
            switch phase {
            case .reading:
                guard readHead() else { return }
            case .exchanging:
                exchange?.pumpRequest()
                // A finished exchange leaves the phase; then there may be another head.
                if phase == .exchanging { return }
            case .tunnelling:
                exchange?.pumpTunnelFromClient()
                return
            case .lingering:
                discard()
                return
            case .finishing, .closed:
                return
            }
        }
        worker.later(key)
    }

    // MARK: Reading

    override func fill(atLeast room: Int) -> Int {
        guard canRead else { return IO.wouldBlock }
        let buffer: OutputBuffer
        if let input {
            buffer = input
        } else {
            buffer = worker.small.take()
            input = buffer
        }
        let place = buffer.reserve(room)
        let space = buffer.room
        let count = transport.read(place, space)
        if count > 0 {
            buffer.advance(count)
            worker.metrics.add(.bytesIn, UInt64(count))
            if !hangup, !transport.mayHaveMore(after: count, of: space) { canRead = false }
            return count
        }
        if count == 0 { sawEnd = true }
        canRead = false
        if buffer.isEmpty { giveInput() }
        return count
    }

    override func read(_ place: UnsafeMutablePointer<UInt8>, _ wanted: Int) -> Int {
        let count = transport.read(place, wanted)
        guard count > 0 else {
            if count != IO.wouldBlock { sawEnd = true }
            canRead = count != IO.wouldBlock
            return count
        }
        worker.metrics.add(.bytesIn, UInt64(count))
        if !hangup, !transport.mayHaveMore(after: count, of: wanted) { canRead = false }
        return count
    }

    /// Tries to get a whole head; false when there is nothing more to do now.
    @inline(__always)
    private func readHead() -> Bool {
        if input == nil || headNeedsMore {
            // The client does not take its answers: no further request of it is read.
            if output != nil { return false }
            let count = fill(atLeast: 4096)
            if count <= 0 {
                if count == IO.wouldBlock { return false }
                // A head cut short: there is nothing to answer (RFC 9112 §8).
                close()
                return false
            }
        }
        guard let buffer = input else { return false }
        if headStarted < 0 {
            headStarted = worker.now
            setDeadline(worker.now + worker.plan.timeouts.headers)
        }
        if requests == 0, buffer.readable[0] == 0x50 {
            switch takePreface(buffer) {
            case .taken: return false
            case .partial:
                headNeedsMore = true
                return true
            case .other: break
            }
        }
        let span = Span(_unsafeElements: buffer.bytes)
        if headNeedsMore, !HeadScanner.isWorthParsing(span, scanned: scanned, limits: worker.plan.headLimits) {
            scanned = buffer.count
            return true
        }
        switch RequestParser.parse(span, into: worker.requestHead, limits: worker.plan.headLimits) {
        case .complete:
            scanned = 0
            headNeedsMore = false
            headStarted = -1
            requests &+= 1
            phase = .exchanging
            let exchange = worker.takeExchange()
            self.exchange = exchange
            let isFull = requests >= worker.plan.maximumRequests
            if isFull { worker.metrics.hit(.requestsPerConnection) }
            exchange.begin(self, buffer.readable, isLast: isFull || worker.isDraining)
            return true
        case .needMore:
            scanned = buffer.count
            headNeedsMore = true
            return true
        case .refuse(let error):
            worker.refused(error)
            refuse(Problem(error), to: worker.requestHead.method, buffer.bytes)
            return true
        }
    }

    private var headNeedsMore = false

    /// What a client that speaks HTTP/2 from the start says first (RFC 9113 §3.4).
    private static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    private enum Opening {
        /// The preface is whole, and the connection was handed over.
        case taken
        /// All bytes so far are the preface's.
        case partial
        /// It is HTTP/1.
        case other
    }

    /// Hands a connection that begins with the whole preface over, where the listener takes HTTP/2 in clear text.
    private func takePreface(_ buffer: OutputBuffer) -> Opening {
        let length = Self.preface.utf8CodeUnitCount
        guard listener.http2, tls == nil,
            Scan.equal(buffer.readable, Self.preface.utf8Start, min(length, buffer.count))
        else { return .other }
        guard buffer.count >= length else { return .partial }
        phase = .closed
        input = nil
        worker.wheel.remove(timer)
        worker.replace(self, startingWith: buffer.bytes)
        worker.small.give(buffer)
        return .taken
    }

    /// Answers a head that is no request; as far as it was read, it was one of `method`.
    private func refuse(_ problem: Problem, to method: Method = .other, _ text: UnsafeBufferPointer<UInt8>? = nil) {
        headNeedsMore = false
        phase = .exchanging
        let exchange = worker.takeExchange()
        self.exchange = exchange
        exchange.refuse(self, problem, to: method, reading: text)
    }

    // MARK: Writing

    override var backlog: Int { output?.count ?? 0 }

    override func send(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        guard phase != .closed, !broken, count > 0 else { return }
        worker.metrics.add(.bytesOut, UInt64(count))
        if let output {
            output.append(bytes, count)
            return
        }
        var sent = 0
        if canWrite {
            let n = transport.write(bytes, count)
            if n == count { return }
            if n < 0, n != IO.wouldBlock {
                writeFailed()
                return
            }
            canWrite = false
            sent = max(0, n)
        }
        let buffer = count - sent > 12 * 1024 ? worker.large.take() : worker.small.take()
        output = buffer
        buffer.append(bytes + sent, count - sent)
        writeStalled = worker.now
        setDeadline(min(deadline, worker.now + worker.plan.timeouts.write))
    }

    private var writeStalled: Int64 = 0

    private func writeFailed() {
        canWrite = false
        canRead = false
        dropOutput()
        hangup = true
        broken = true
        worker.later(key)
    }

    private func dropOutput() {
        if let buffer = output {
            if buffer.capacity > 64 * 1024 { worker.large.give(buffer) } else { worker.small.give(buffer) }
            output = nil
        }
    }

    private func flush() {
        guard let buffer = output else { return }
        while !buffer.isEmpty {
            let n = transport.write(buffer.readable, buffer.count)
            if n == IO.wouldBlock {
                canWrite = false
                break
            }
            if n < 0 {
                writeFailed()
                return failed()
            }
            writeStalled = worker.now
            buffer.consume(n)
        }
        if buffer.isEmpty {
            dropOutput()
            if phase == .finishing { linger() }
        }
        // Room again: the other side may go on.
        if let exchange, backlog < exchange.lowWater { exchange.clientHasRoom() }
    }

    // MARK: Ends

    override func later() { worker.later(key) }

    override func beginTunnelling() { phase = .tunnelling }

    override func endWriting() { transport.endWriting() }

    override func exchangeFinished(keepAlive: Bool) {
        exchange = nil
        guard phase != .closed else { return }
        if broken { return close() }
        guard keepAlive else {
            phase = .finishing
            if output == nil { linger() }
            return
        }
        phase = .reading
        if let input, input.isEmpty { giveInput() }
        let idle = worker.plan.timeouts.idle
        setDeadline(worker.now + (worker.isDraining ? min(idle, Self.drainGrace) : idle))
        // What came while the exchange ran makes no further event.
        if canRead || input != nil { worker.later(key) }
    }

    /// Ends our direction and reads on for a moment, so that a reset does not overtake the last answer.
    private func linger() {
        if sawEnd || broken { return close() }
        phase = .lingering
        giveInput()
        transport.endWriting()
        setDeadline(worker.now + worker.plan.timeouts.linger)
        discard()
    }

    private func discard() {
        while canRead {
            let count = transport.read(worker.scratch, Worker.scratchSize)
            if count == IO.wouldBlock {
                canRead = false
                return
            }
            drained += max(0, count)
            if count <= 0 || drained > 4 << 20 { return close() }
        }
    }

    override func close() {
        guard phase != .closed else { return }
        if requests == 0, tls != nil { worker.cameToNothing(peer) }
        phase = .closed
        giveInput()
        dropOutput()
        worker.wheel.remove(timer)
        worker.closed(descriptor, listener)
    }

    override func abort() {
        guard phase != .closed else { return }
        if let exchange {
            self.exchange = nil
            exchange.abandoned()
        }
        Socket.abortOnClose(descriptor)
        close()
    }

    func drain() {
        switch phase {
        case .reading where input == nil && output == nil:
            // A request may be on its way: it is answered, with `Connection: close`, when it comes in time.
            setDeadline(min(deadline, worker.now + Self.drainGrace))
        case .exchanging: exchange?.lastOnConnection()
        default: break
        }
    }

    // MARK: Deadlines

    @inline(__always)
    func setDeadline(_ due: Int64) {
        deadline = due
        if worker.wheel.due(timer) > due { worker.wheel.arm(timer, at: due) }
    }

    func timerFired() {
        guard phase != .closed else { return }
        if broken {
            failed()
            return
        }
        if worker.now < deadline {
            worker.wheel.arm(timer, at: deadline)
            return
        }
        if output != nil {
            if worker.now - writeStalled >= worker.plan.timeouts.write {
                worker.metrics.timedOut(.write)
                abort()
            } else {
                setDeadline(writeStalled + worker.plan.timeouts.write)
            }
            return
        }
        switch phase {
        case .reading where headStarted >= 0:
            worker.metrics.timedOut(.headers)
            refuse(Problem(GatewayError.headTimeout))
            process()
        case .reading:
            if requests == 0 { worker.metrics.timedOut(.headers) } else { worker.metrics.timedOut(.idle) }
            close()
        case .lingering, .finishing:
            close()
        case .exchanging, .tunnelling, .closed:
            // The exchange watches its own clock.
            deadline = .max
        }
    }
}
