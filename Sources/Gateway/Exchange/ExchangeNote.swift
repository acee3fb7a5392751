// HOT. What the log says of an exchange: taken down while the head's bytes are alive, written when the exchange ends.
import Bytes
import HTTP
import Identity
import Reactor
import Telemetry
import Upstreams

/// What is remembered of a request for its log line and for answers of our own.
struct ExchangeNote {
    /// Random identifier; the text below wins when a trusted peer gave one.
    var idHigh: UInt64 = 0
    var idLow: UInt64 = 0
    /// Request part of the log line, and the id of a trusted peer before it.
    var line: OutputBuffer?
    var givenID = OutputBuffer(capacity: 64)
    var hasLine = false
    var acceptsHTML = false
    /// Place of the language for pages.
    var language = 0
    /// A call of gRPC: refusals are statuses of its own.
    var isGRPC = false
    var reason: StaticString = ""
    var reasonIndex = -1
    var auth: AuthOutcome?
    var principal: Principal?
    var backend: Backend?
    var clientGone = false
    var aborted = false

    mutating func reset() {
        givenID.removeAll()
        hasLine = false
        acceptsHTML = false
        isGRPC = false
        reason = ""
        reasonIndex = -1
        auth = nil
        if principal != nil { principal = nil }
        if backend != nil { backend = nil }
        clientGone = false
        aborted = false
    }
}

extension Exchange {
    /// Appends the request's id.
    @inline(__always)
    func appendRequestID(to out: OutputBuffer) {
        if !note.givenID.isEmpty { return out.append(note.givenID.readable, note.givenID.count) }
        out.append(hex: note.idHigh, digits: 16)
        out.append(hex: note.idLow, digits: 16)
    }

    /// The request's id: what a trusted peer gave, or a new one.
    func makeRequestID(_ given: UnsafeBufferPointer<UInt8>?) {
        // A request that waited for its session is looked at a second time.
        note.givenID.removeAll()
        if let given, let start = given.baseAddress, (1...128).contains(given.count), given.allSatisfy(Self.isIDByte) {
            note.givenID.append(start, given.count)
            return
        }
        note.idHigh = worker.random.next()
        note.idLow = worker.random.next()
    }

    private static func isIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x3a, 0x2b, 0x2f, 0x3d, 0x40: true
        default: false
        }
    }

    /// Takes down the request's part of the log line, while the bytes of its head are alive.
    func noteRequest(_ head: RequestHead, _ input: UnsafePointer<UInt8>, path: UnsafeBufferPointer<UInt8>) {
        guard worker.lane != nil else { return }
        let line: OutputBuffer
        if let kept = note.line {
            line = kept
        } else {
            line = OutputBuffer(capacity: 1024)
            note.line = line
        }
        line.removeAll()
        let id = worker.bodyScratch
        id.removeAll()
        appendRequestID(to: id)
        let idLength = id.count
        clientAddress.write(to: id)
        var request = AccessRequest()
        request.id = UnsafeBufferPointer(start: UnsafePointer(id.readable), count: idLength)
        request.client = UnsafeBufferPointer(start: UnsafePointer(id.readable) + idLength, count: id.count - idLength)
        request.method = UnsafeBufferPointer(start: input + head.methodName.start, count: head.methodName.count)
        request.host = UnsafeBufferPointer(start: input + head.host.start, count: head.host.count)
        request.path = path
        request.version =
            connection?.isStream == true ? "HTTP/2" : head.version == .http10 ? "HTTP/1.0" : "HTTP/1.1"
        AccessLine.appendRequest(request, to: line)
        note.hasLine = true
    }

    /// Counts the finished exchange and writes its log line.
    func record() {
        let end = Clock.microseconds()
        let total = end &- startedMicros
        let upstreamTime: Int64 = sentMicros > 0 ? (answeredMicros > 0 ? answeredMicros : end) &- sentMicros : -1
        worker.metrics.finished(
            route: route >= 0 ? bounds.metricSlot : Metrics.noRoute,
            status: status,
            microseconds: total,
            upstreamMicroseconds: upstreamTime,
            bytesIn: requestBytes,
            bytesOut: responseBytes
        )
        if let auth = note.auth { worker.metrics.auth(auth, reason: note.reasonIndex) }
        guard let lane = worker.lane else { return }
        if !note.hasLine { noteUnparsed() }
        guard let line = note.line else { return }
        var result = AccessResult()
        result.status = status
        result.bytesIn = requestBytes
        result.bytesOut = responseBytes
        result.microseconds = total
        result.upstreamMicroseconds = upstreamTime
        result.auth = note.auth
        result.reason = note.clientGone ? "client_gone" : note.reason
        write(result, line, lane)
    }

    private func write(_ result: AccessResult, _ line: OutputBuffer, _ lane: AccessLane) {
        var result = result
        let empty: [UInt8] = []
        let route = self.route >= 0 ? plan.routes[self.route].nameBytes : empty
        let backend = note.backend?.label ?? empty
        let issuer = note.principal.map { plan.snapshot.identity.issuerNames[$0.issuer] } ?? empty
        route.withUnsafeBufferPointer { route in
            backend.withUnsafeBufferPointer { backend in
                issuer.withUnsafeBufferPointer { issuer in
                    result.route = route
                    result.upstream = backend
                    result.issuer = issuer
                    if let principal = note.principal { result.principal = principal.subject }
                    lane.append(
                        requestPart: line.bytes,
                        result,
                        unixMilliseconds: Clock.unixMilliseconds(),
                        now: worker.now
                    )
                }
            }
        }
    }

    /// A head that could not be parsed has a line too, without anything that came from it.
    private func noteUnparsed() {
        let line = note.line ?? OutputBuffer(capacity: 1024)
        note.line = line
        line.removeAll()
        let id = worker.bodyScratch
        id.removeAll()
        appendRequestID(to: id)
        let idLength = id.count
        connection?.peer.write(to: id)
        var request = AccessRequest()
        request.id = UnsafeBufferPointer(start: UnsafePointer(id.readable), count: idLength)
        request.client = UnsafeBufferPointer(start: UnsafePointer(id.readable) + idLength, count: id.count - idLength)
        AccessLine.appendRequest(request, to: line)
    }
}
