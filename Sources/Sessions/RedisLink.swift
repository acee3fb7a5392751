// COLD. One connection to a Redis server: it opens, proves who we are, and carries commands in a pipeline.
// Not the choice of the server, which is the loop's.
//
// The sockets are our own and not those of hiredis' asynchronous API: that one has no TLS in the version of Debian 12
// (0.14), calls back out of its own reads, and would leave two ways to read and write, one of them without our
// deadlines. What is used of hiredis is the protocol: its reader and its writer.
internal import Bytes
internal import Reactor
internal import TLS

/// What a connection is for.
enum RedisRole: Sendable {
    case commands
    case events
    /// Asks a Sentinel once.
    case sentinel
}

/// What the loop itself asks a server.
enum RedisQuestion: Sendable {
    case authenticate
    case select
    case role
    case ping
    case masterAddress
    case slots
    case lastEvent
    case events
    case firstEvent
    /// Whose answer says nothing.
    case asking
}

/// A connection of the loop.
///
///     closed → resolving → connecting → securing → greeting → ready
///        ▲          └──────────┴────────────┴─────────┴────────┘ any failure
final class RedisLink {
    enum State { case closed, resolving, connecting, securing, greeting, ready }

    private enum Sent {
        case call(RedisCall)
        case question(RedisQuestion, deadline: Int64)

        var deadline: Int64 {
            switch self {
            case .call(let call): call.deadline
            case .question(_, let deadline): deadline
            }
        }
    }

    let endpoint: RedisEndpoint
    let role: RedisRole
    let number: Int
    private unowned let loop: RedisLoop
    private(set) var state = State.closed
    private(set) var generation: UInt32 = 0
    /// Attempts that failed since it was last ready.
    private(set) var failures = 0
    /// Why it failed last, without secrets.
    private(set) var problem = ""
    /// When it is to be opened again; nil: not by itself.
    var retryAt: Int64?
    private var descriptor: Int32 = -1
    private var tls: TLSStream?
    private var output = OutputBuffer(capacity: 4096)
    private var reader: RedisReader?
    private var sent: [Sent] = []
    private var answered = 0
    private var openedUntil: Int64 = 0
    private var lastUse: Int64 = 0
    private var readySince: Int64 = 0
    /// Failures before it became ready: they count on when it does not last.
    private var briefly = 0
    /// Addresses of the name that are still to be tried.
    private var addresses: [SocketAddress] = []
    private let timer: TimerID
    private var isDiscarded = false

    private static let quiet: Int64 = 10_000
    /// A connection that was of use for less than this counts as one that failed to open.
    private static let proved: Int64 = 500
    private static let longestOutput = 64 << 20

    init(_ endpoint: RedisEndpoint, _ role: RedisRole, number: Int, loop: RedisLoop) {
        self.endpoint = endpoint
        self.role = role
        self.number = number
        self.loop = loop
        timer = loop.wheel.make(owner: UInt64(number))
    }

    var isReady: Bool { state == .ready }
    var isOpening: Bool { state != .ready && state != .closed }
    private var waiting: Int { sent.count - answered }
    /// Whether somebody waits for an answer.
    var isBusy: Bool { waiting > 0 }

    // MARK: Opening

    /// Begins to open it, if it is closed.
    func open() {
        guard state == .closed else { return }
        retryAt = nil
        generation &+= 1
        openedUntil = loop.now + loop.plan.connectTimeout
        loop.wheel.arm(timer, at: openedUntil)
        if let address = endpoint.address {
            addresses = [address]
            return connect("")
        }
        state = .resolving
        if !loop.resolve(endpoint, number, generation) { fail("too many names to look up") }
    }

    /// The addresses of its name; they are tried in turn.
    func resolved(_ addresses: [SocketAddress], generation: UInt32) {
        guard state == .resolving, generation == self.generation else { return }
        self.addresses = addresses
        connect("the name is not known")
    }

    /// Tries the next address; when there is none, the last one's `reason` is the failure.
    private func connect(_ reason: String) {
        state = .connecting
        hangUp()
        generation &+= 1
        guard !addresses.isEmpty else { return fail(reason) }
        let (descriptor, done) = Socket.connect(to: addresses.removeFirst())
        guard descriptor >= 0 else { return connect(SystemError("connect", code: -descriptor).description) }
        self.descriptor = descriptor
        guard let reader = RedisReader(), loop.watch(descriptor, self) else { return fail("no resources") }
        self.reader = reader
        output.removeAll()
        if done { opened() }
    }

    private func hangUp() {
        guard descriptor >= 0 else { return }
        _ = tls?.shutdown()
        loop.unwatch(descriptor)
        tls = nil
        Socket.close(descriptor)
        descriptor = -1
    }

    private func opened() {
        guard let context = loop.plan.tls else { return greet() }
        state = .securing
        let name = endpoint.port == 0 ? nil : PeerName(endpoint.host)
        guard let tls = context.connect(descriptor, name: name, backend: number, sessions: loop.sessions) else {
            return fail("TLS cannot begin: it is not known which name the server must prove")
        }
        self.tls = tls
        secure()
    }

    private func secure() {
        switch tls?.handshake() {
        case .done: greet()
        case .wantRead, .wantWrite: break
        case .failed(let failure): fail("TLS: \(failure.reason)")
        case nil: fail("no TLS")
        }
    }

    /// Name and password, database, and whether it is the master; all in one piece.
    private func greet() {
        state = .greeting
        let login = role == .sentinel ? loop.plan.sentinelLogin : loop.plan.login
        if let login {
            let words = ["AUTH"] + (login.username.map { [RedisArgument($0)] } ?? []) + [RedisArgument(login.password)]
            ask(.authenticate, RedisCommand(key: nil, words), within: loop.plan.connectTimeout)
        }
        if role != .sentinel, loop.plan.database != 0 {
            let select = RedisCommand(key: nil, ["SELECT", "\(loop.plan.database)"])
            ask(.select, select, within: loop.plan.connectTimeout)
        }
        // Whatever is asked last shows that the server answers, and is not loading its data.
        let last: RedisQuestion = role == .sentinel || loop.plan.mode == .cluster ? .ping : .role
        ask(last, RedisCommand(key: nil, [last == .ping ? "PING" : "ROLE"]), within: loop.plan.connectTimeout)
    }

    private func greeted(_ question: RedisQuestion, _ reply: RedisReply) {
        if case .error(let text) = reply {
            // A user that may not ask for the role: the first write shows it.
            guard text.hasPrefix("NOPERM"), question == .role || question == .ping else {
                return fail("\(question) was answered with \(text.prefix { $0 != " " })")
            }
        }
        switch question {
        case .role:
            if let role = reply.array?.first?.text, role != "master" { return fail("it is a \(role), not the master") }
        case .ping: break
        default: return
        }
        state = .ready
        readySince = loop.now
        briefly = failures
        failures = 0
        problem = ""
        rearm()
        loop.linkReady(self)
    }

    // MARK: Commands

    /// Sends a command of somebody who waits; the connection must be ready.
    func send(_ call: RedisCall) {
        if call.asked != nil { ask(.asking, RedisCommand(key: nil, ["ASKING"]), within: loop.plan.timeout) }
        put(.call(call), call.command.wire)
    }

    /// Sends a question of the loop.
    func ask(_ question: RedisQuestion, _ command: RedisCommand, within milliseconds: Int64) {
        put(.question(question, deadline: loop.now + milliseconds), command.wire)
    }

    private func put(_ item: Sent, _ wire: [UInt8]) {
        guard state == .greeting || state == .ready else {
            if case .call(let call) = item { loop.finish(call, .failure(.unavailable)) }
            return
        }
        let isFirst = waiting == 0
        sent.append(item)
        lastUse = loop.now
        if wire.isEmpty || output.count + wire.count > Self.longestOutput { return fail("too much waits to be sent") }
        output.append(wire)
        if isFirst, state == .ready { loop.wheel.arm(timer, at: item.deadline) }
        loop.flushLater(self)
    }

    func flush() {
        guard state == .greeting || state == .ready else { return }
        while !output.isEmpty {
            let count =
                tls?.write(output.readable, output.count) ?? Socket.write(descriptor, output.readable, output.count)
            if count == IO.wouldBlock { return }
            guard count > 0 else { return fail("the connection was lost") }
            output.consume(count)
        }
    }

    // MARK: Events of the socket

    func ready(_ readiness: Readiness) {
        switch state {
        case .connecting:
            guard !readiness.isDisjoint(with: .writable) else { return }
            let code = Socket.error(of: descriptor)
            if code != 0 { return connect(SystemError("connect", code: code).description) }
            opened()
        case .securing:
            tls?.becameReadable()
            secure()
            if state == .greeting { read() }
        case .greeting, .ready:
            if !readiness.isDisjoint(with: .readable) { tls?.becameReadable() }
            let turn = generation
            read()
            if generation == turn, tls != nil, !readiness.isDisjoint(with: .halfClosed) {
                // The end came together with the last bytes; there will be no other event.
                tls?.becameReadable()
                read()
            }
            flush()
        case .closed, .resolving: break
        }
    }

    private func read() {
        let place = loop.buffer.reserve(RedisLoop.bufferBytes)
        let turn = generation
        while state != .closed, generation == turn {
            let count =
                tls?.read(place, RedisLoop.bufferBytes) ?? Socket.read(descriptor, place, RedisLoop.bufferBytes)
            if count == IO.wouldBlock { return }
            guard count > 0 else { return fail("the server closed the connection") }
            guard let reader, reader.feed(place, count) else { return fail("an answer is too long") }
            while generation == turn, state != .closed, take(reader) {}
            if tls.map({ !$0.mayHaveMore }) ?? false { return }
        }
    }

    /// Takes one answer in; false when there is no whole one.
    private func take(_ reader: RedisReader) -> Bool {
        switch reader.next() {
        case .needMore: return false
        case .broken:
            fail("what it says is not Redis' protocol")
            return false
        case .reply(let reply):
            guard waiting > 0 else {
                fail("it answered what nobody asked")
                return false
            }
            let item = sent[answered]
            answered += 1
            if answered == sent.count {
                sent.removeAll(keepingCapacity: answered <= 4096)
                answered = 0
            } else if answered > 1024, answered > sent.count / 2 {
                sent.removeFirst(answered)
                answered = 0
            }
            switch item {
            case .call(let call): loop.answered(call, reply, self)
            case .question(.asking, _): break
            case .question(let question, _):
                if state == .greeting { greeted(question, reply) } else { loop.answered(question, reply, self) }
            }
            return true
        }
    }

    // MARK: Time and failure

    /// The timer fired: the oldest answer is late, or it is time for a sign of life.
    func timerFired() {
        switch state {
        case .closed:
            if let retryAt, retryAt <= loop.now { loop.retry(self) } else { rearm() }
        case .ready:
            if waiting > 0 {
                if sent[answered].deadline <= loop.now { return fail("no answer in time") }
            } else if loop.now - lastUse >= Self.quiet {
                ask(.ping, RedisCommand(key: nil, ["PING"]), within: loop.plan.timeout)
            }
            rearm()
        default:
            if openedUntil <= loop.now { fail("no answer in time") } else { rearm() }
        }
    }

    func rearm() {
        guard !isDiscarded else { return }
        switch state {
        case .closed:
            if let retryAt { loop.wheel.arm(timer, at: retryAt) } else { loop.wheel.disarm(timer) }
        case .ready: loop.wheel.arm(timer, at: waiting > 0 ? sent[answered].deadline : loop.now + Self.quiet)
        default: loop.wheel.arm(timer, at: openedUntil)
        }
    }

    /// Closes it because of a failure; the loop hears of it and of all that was not answered.
    func fail(_ reason: String) {
        guard state != .closed else { return }
        let wasReady = state == .ready && loop.now - readySince >= Self.proved
        if !wasReady { failures = isReady ? briefly + 1 : failures + 1 }
        problem = "\(endpoint.text): \(reason)"
        loop.linkLost(self, wasReady: wasReady, unanswered: shut())
    }

    /// Closes it; returns the commands without answer.
    func shut() -> [RedisCall] {
        let calls: [RedisCall] = sent[answered...].compactMap {
            if case .call(let call) = $0 { return call }
            return nil
        }
        sent = []
        answered = 0
        state = .closed
        generation &+= 1
        hangUp()
        reader = nil
        output = OutputBuffer(capacity: 4096)
        rearm()
        return calls
    }

    /// Gives its timer back; it is not used again.
    func discard() -> [RedisCall] {
        let calls = shut()
        isDiscarded = true
        loop.wheel.remove(timer)
        return calls
    }
}
