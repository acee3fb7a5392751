// HOT. One request and its response: what codecs, gate and upstream share. Pooled; a worker reuses it for ever.
import Bytes
import Glibc
import HTTP
import Identity
import JOSE
import Policy
import Portal
import Reactor
import Telemetry
import Upstreams

/// One request and its response.
///
///     idle ─begin─► deciding ─forward─► leasing ─attached─► sending ─head of answer─► answering ─► idle
///                      └──respond / deny──────────────────────────────────────────────────────────► idle
///                                                               answering ─101─► tunnelling ─► idle
final class Exchange {
    enum Phase {
        case idle
        case deciding
        /// Its session is being looked up.
        case looking
        /// The content of a request for a page of ours is being read.
        case collecting
        /// A page of ours is being made.
        case asking
        /// All connections are taken: the lease is tried again.
        case waiting
        case connecting
        /// The request is on its way, no byte of the final answer was relayed.
        case sending
        /// The answer is being relayed.
        case answering
        case tunnelling
    }

    /// What a deadline is for.
    enum Wait {
        case none, lease, connect, clientBody, firstByte, stream, tunnel, lookup, portal, events
    }

    /// The least and the most that is read at once of a long body.
    static let smallestBurst = 16 * 1024
    static let firstBurst = 64 * 1024
    static let maximumInterim = 32
    /// Bytes of a request that are kept for another attempt.
    static let keptLimit = 16 * 1024

    /// Held until the worker ends, as by connections: a constant that is held is used without being counted.
    let worker: Worker
    let timer: TimerID
    /// Its place among the worker's exchanges, and the number of the request that it is used for.
    let index: Int
    private(set) var serial: UInt32 = 0

    var phase = Phase.idle
    var connection: DownstreamConnection?
    var upstreamConnection: UpstreamConnection?
    var upstream: Upstream?
    var plan: WorkerPlan
    var route = -1
    /// The route's, where there is one.
    var bounds = RouteBounds()

    // The request.
    var method = Method.get
    var isHTTP10 = false
    var keepAlive = false
    var isLast = false
    var upgrade = false
    /// The protocol that the client asks for.
    var upgradeName: [UInt8] = []
    var requestFraming = BodyFraming.none
    var requestRemaining: UInt64 = 0
    var requestDecoder = ChunkedDecoder()
    var requestComplete = true
    /// Whether the request's trailers go on: those that its `Connection` names must not, and so none does.
    var keepsTrailers = true
    var requestBytes: UInt64 = 0
    var bodyLimit = UInt64.max
    /// The request as the backend gets it: unsent bytes begin at `sent`.
    var out: OutputBuffer?
    var sent = 0
    var isReplayable = false
    /// All that was sent of the request is still in `out`, for a backend that turns it away without looking.
    var isKept = false
    /// The request waits until what came with it is read.
    var isHeld = false
    /// How many bytes of `out` are the head.
    var headLength = 0
    /// The backend takes the content unframed, because frames of its own carry it.
    var sendsRaw = false
    /// Trailers of the request for such a backend.
    var requestTrailers: OutputBuffer?
    /// Trailers as the client sent them, which came while its session was looked up: nobody has looked at them yet.
    var heldTrailers: OutputBuffer?
    /// Whether any byte of the request went to the connection in use.
    var hasSent = false
    var tried: UInt64 = 0
    /// Streams that were lost before the backend did anything.
    var attempts = 0
    /// A stale connection was replaced already.
    var wasReplaced = false
    var isReused = false
    /// Why the last connection attempt failed, for the answer when no other backend is left.
    var lastFailure = GatewayError.upstreamRefused

    /// The input holds a part of a chunk line or trailer section: it takes more bytes to go on.
    var inputIsStuck = false
    var isTooLarge = false
    var waitUntil: Int64 = 0

    // The answer.
    var status = 0
    var responseFraming = BodyFraming.none
    var responseRemaining: UInt64 = 0
    var responseDecoder = ChunkedDecoder()
    var clientFraming = BodyFraming.none
    /// The same as `keepsTrailers` for the answer's.
    var keepsAnswerTrailers = true
    var upstreamKeepAlive = false
    var closesAfter = false
    var responseBytes: UInt64 = 0
    var interims = 0
    var isTunnel = false
    /// How much of the answer is read at once: grows while the client keeps up, shrinks when it does not.
    var burst = Exchange.firstBurst
    /// The tunnel carries a WebSocket, whose frames from the backend are followed.
    var isWebSocket = false
    var frames = WebSocketFrames()
    /// Those from the client.
    var clientFrames = WebSocketFrames()
    /// The answer to the key that we made, for a client that has none.
    var acceptedKey: [UInt8] = []
    /// The answer is a stream of events, which may end after any of them.
    var isEventStream = false
    /// The stream of events is the gateway's own.
    var isOwnStream = false
    /// Why it ends at the next chance.
    var ending = StreamEnd.none
    /// Where it waits for a connection, and its neighbours there.
    var line: WaitLine?
    var lineNext: Exchange?
    unowned(unsafe) var linePrevious: Exchange?
    var clientEnded = false
    var upstreamEnded = false
    var clientEndPassed = false
    var upstreamEndPassed = false

    // Sessions.
    var lookup = SessionLookup.notAsked
    /// The head of a request that waits, when it lies in memory that others use.
    var keptHead: OutputBuffer?
    /// Some Cookie field of the request holds cookies of ours.
    var hasOwnCookies = false
    /// The request came with a session cookie that counts for nothing.
    var hasDeadCookie = false
    /// The host that it was set for.
    var cookieHost = ""
    /// The place of the request's origin among those that may use sessions, negative for none.
    var origin = -1
    /// A request for a page of ours.
    var portal: PortalRequest?

    // The head.
    /// Who asks: the peer, or who a trusted proxy says it is.
    var clientAddress = IPAddress.unix
    /// What goes on as `Max-Forwards`; negative for none of ours.
    var hopsLeft = -1
    /// The request's own trace context goes on.
    var keepsTrace = false

    // For the log.
    var note = ExchangeNote()
    var startedMicros: Int64 = 0
    var sentMicros: Int64 = 0
    var answeredMicros: Int64 = 0

    // Deadlines.
    var wait = Wait.none
    var deadline = Int64.max
    /// When what is waited for now should have come; `deadline` is this or `overall`, whichever is first.
    var waitDue = Int64.max
    var overall = Int64.max
    /// When it has taken long enough, whatever its credential allows.
    var patience = Int64.max
    /// What `overall` is the end of.
    enum Bound { case patience, credential, age }
    var bound = Bound.patience
    /// When it is old, in the loop's time.
    var oldAt = Int64.max
    /// The end of the call as its caller said.
    var callDeadline = Int64.max
    var window: UInt64 = 0

    init(worker: Worker, timer: TimerID, index: Int) {
        self.worker = worker
        self.index = index
        self.timer = timer
        plan = worker.plan
    }

    // MARK: Begin

    /// Takes the head in `worker.requestHead` and decides about it.
    func begin(_ connection: DownstreamConnection, _ input: UnsafeMutablePointer<UInt8>, isLast: Bool) {
        let head = worker.requestHead
        reset(connection)
        let plan = self.plan
        self.isLast = isLast
        method = head.method
        isHTTP10 = head.version == .http10
        keepAlive = head.keepAlive
        keepsTrailers = !head.connectionNamesFields
        requestFraming = head.framing
        switch head.framing {
        case .none, .untilClose:
            requestComplete = !connection.hasContent
            // Nobody tells the length: frames say where it ends.
            if !requestComplete { requestFraming = .chunked }
        case .length(let length):
            requestRemaining = length
            requestComplete = length == 0
        case .chunked:
            requestDecoder = ChunkedDecoder(longestExtensions: plan.snapshot.chunkExtensionLimit)
            requestComplete = false
        }
        decide(head, input, connection, plan)
    }

    /// Answers a head that could not be parsed, or did not come, and closes.
    ///
    /// The method counts as far as it was read: an answer to HEAD has no content, whatever it says. So does what `text`,
    /// the head as far as it came, says of the answer's form.
    func refuse(
        _ connection: DownstreamConnection,
        _ problem: Problem,
        to method: Method,
        reading text: UnsafeBufferPointer<UInt8>?
    ) {
        reset(connection)
        self.method = method
        requestComplete = false
        isLast = true
        makeRequestID(nil)
        note.reason = problem.code
        noteForm(of: text)
        respond(problem)
    }

    private func reset(_ connection: DownstreamConnection) {
        self.connection = connection
        if plan !== worker.plan { plan = worker.plan }
        phase = .deciding
        serial &+= 1
        hasDeadCookie = false
        origin = -1
        route = -1
        upstream = nil
        method = .other
        isHTTP10 = false
        keepAlive = false
        isLast = false
        upgrade = false
        hopsLeft = -1
        requestFraming = .none
        requestBytes = 0
        bodyLimit = .max
        sent = 0
        isReplayable = false
        isKept = false
        isHeld = false
        sendsRaw = false
        hasSent = false
        tried = 0
        attempts = 0
        wasReplaced = false
        inputIsStuck = false
        isTooLarge = false
        isReused = false
        lastFailure = .upstreamRefused
        status = 0
        responseFraming = .none
        closesAfter = false
        responseBytes = 0
        burst = Exchange.firstBurst
        interims = 0
        isWebSocket = false
        isEventStream = false
        isOwnStream = false
        ending = .none
        bound = .patience
        oldAt = .max
        callDeadline = .max
        clientEnded = false
        upstreamEnded = false
        clientEndPassed = false
        upstreamEndPassed = false
        startedMicros = Clock.microseconds()
        sentMicros = 0
        answeredMicros = 0
        wait = .none
        deadline = .max
        waitDue = .max
        overall = .max
        patience = .max
        note.reset()
        worker.metrics.adjust(.requestsActive, by: 1)
    }

    /// Counts an event of the upstream that this exchange uses.
    func countUpstream(_ event: UpstreamEvent) {
        if route >= 0 { worker.metrics.upstream(bounds.upstreamSlot, event) }
    }

    // MARK: End

    /// The one exit: log, metrics, connections back, next head.
    func finish(keepAlive: Bool) {
        guard phase != .idle else { return }
        settle()
        let connection = self.connection.take()
        worker.give(self)
        connection?.exchangeFinished(keepAlive: keepAlive)
    }

    /// The client is gone: nothing can be answered any more.
    func clientGone() {
        guard phase != .idle else { return }
        if status == 0 { status = 499 }
        note.clientGone = true
        abandoned()
    }

    /// Ends without telling the client's connection, which ends itself.
    func abandoned() {
        guard phase != .idle else { return }
        closeUpstream()
        settle()
        connection?.exchange = nil
        connection = nil
        worker.give(self)
    }

    /// An answer that has begun cannot be completed: the client sees a reset, never an end.
    ///
    /// What is queued may reach it first, unless it is to end at once.
    func abort(atOnce: Bool = false) {
        guard phase != .idle else { return }
        note.aborted = true
        atOnce ? connection?.abort() : connection?.cut()
    }

    private func settle() {
        closeUpstream()
        phase = .idle
        if isTunnel {
            isTunnel = false
            worker.metrics.adjust(.tunnelsOpen, by: -1)
        }
        worker.metrics.adjust(.requestsActive, by: -1)
        if let out = out.take() { worker.small.give(out) }
        if let trailers = requestTrailers.take() { worker.small.give(trailers) }
        if let trailers = heldTrailers.take() { worker.small.give(trailers) }
        if let head = keptHead.take() { worker.small.give(head) }
        if portal != nil { portal = nil }
        lookup = .notAsked
        upstream = nil
        deadline = .max
        overall = .max
        wait = .none
        record()
    }

    func closeUpstream() {
        line?.remove(self)
        if let backend = upstreamConnection.take() { backend.close() }
    }

    /// The worker drains: this answer is the connection's last.
    func lastOnConnection() { isLast = true }

    // MARK: Failures

    /// Answers with a failure of the gateway's own making, or aborts when the answer has begun.
    func fail(_ error: GatewayError) {
        guard phase != .answering, phase != .tunnelling else { return abort() }
        closeUpstream()
        if let event = error.event { countUpstream(event) }
        note.reason = error.code
        respond(Problem(error))
    }
}
