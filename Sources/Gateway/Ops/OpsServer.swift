// COLD. The second listener: health, metrics and revocations for operators, never reachable through the data port.
import Bytes
import HTTP
import Reactor
import Telemetry

/// What the ops listener is asked.
struct OpsRequest {
    var method: Method
    var path: String
    var query: String
    /// Whether its content is `application/json`.
    var isJSON: Bool
    /// Whether a page in a browser sends it.
    var hasOrigin: Bool
    var body: [UInt8]
}

/// What the ops listener answers.
struct OpsAnswer {
    var status: Int
    var type: StaticString
    var body: OutputBuffer

    init(_ status: Int, _ type: StaticString = "text/plain; charset=utf-8", _ text: String = "") {
        self.status = status
        self.type = type
        body = OutputBuffer(capacity: max(64, text.utf8.count))
        body.append(string: text)
    }

    /// A refusal with a sentence.
    static func problem(_ status: Int, _ text: String) -> OpsAnswer {
        OpsAnswer(status, "text/plain; charset=utf-8", text + "\n")
    }
}

/// A small HTTP server on the control loop: one request a connection at a time, short deadlines, few connections.
final class OpsServer {
    private final class Client {
        let descriptor: Int32
        let input = OutputBuffer(capacity: 1024)
        let output = OutputBuffer(capacity: 1024)
        var closes = false
        /// The answer comes later; no further request is looked at until then.
        var isWaiting = false
        var isClosed = false
        /// Requests are being taken: an answer that comes at once must not begin with the next one itself.
        var isTaking = false
        var deadline: Int64

        init(_ descriptor: Int32, deadline: Int64) {
            self.descriptor = descriptor
            self.deadline = deadline
        }
    }

    private static let maximumClients = 256
    private static let patience: Int64 = 10_000
    /// Longest content of a request.
    private static let maximumBody = 1 << 20

    private let control: Control
    private let listener: Listener
    private let answer: (_ request: OpsRequest, _ reply: @escaping (OpsAnswer) -> Void) -> Void
    private var clients: [Int32: Client] = [:]
    private let head = RequestHead()
    /// Whether clients are accepted, or from when on again.
    private var isWatching = false
    private var watchDue: Int64 = 0

    /// Serves `listener` with what `answer` replies, at once or later, once for each request.
    init(
        control: Control,
        listener: Listener,
        answer: @escaping (_ request: OpsRequest, _ reply: @escaping (OpsAnswer) -> Void) -> Void
    ) {
        self.control = control
        self.listener = listener
        self.answer = answer
        watch()
    }

    private func watch() {
        isWatching = true
        control.watchLevel(listener.descriptor) { [unowned self] _ in accept() }
    }

    /// Closes connections that were quiet for too long; accepts again after all descriptors were taken.
    func turn(now: Int64) {
        if !isWatching, now >= watchDue { watch() }
        for client in clients.values where now >= client.deadline { close(client) }
    }

    private func accept() {
        for _ in 0..<16 {
            switch listener.accept() {
            case .connection(let descriptor, _):
                guard clients.count < Self.maximumClients else {
                    Socket.close(descriptor)
                    continue
                }
                let client = Client(descriptor, deadline: control.now + Self.patience)
                clients[descriptor] = client
                control.watch(descriptor) { [unowned self, unowned client] _ in serve(client) }
            case .shed, .none:
                return
            case .exhausted:
                isWatching = false
                watchDue = control.now + 1000
                return control.unwatch(listener.descriptor)
            }
        }
    }

    private func close(_ client: Client) {
        guard !client.isClosed else { return }
        client.isClosed = true
        clients[client.descriptor] = nil
        control.close(client.descriptor)
    }

    private func serve(_ client: Client) {
        guard flush(client) else { return }
        takeRequests(client)
        while !client.isClosed, !client.closes {
            // What waits behind an unanswered request stays in the socket, but for a head.
            if client.isWaiting, client.input.count >= 4096 { return }
            let n = Socket.read(client.descriptor, client.input.reserve(4096), 4096)
            if n == IO.wouldBlock { return }
            if n <= 0 { return close(client) }
            client.input.advance(n)
            if !client.isWaiting { client.deadline = control.now + Self.patience }
            takeRequests(client)
        }
    }

    private func takeRequests(_ client: Client) {
        guard !client.isTaking else { return }
        client.isTaking = true
        defer { client.isTaking = false }
        while !client.isWaiting, !client.isClosed, !client.closes, !client.input.isEmpty, client.output.isEmpty {
            let span = Span(_unsafeElements: client.input.bytes)
            switch RequestParser.parse(span, into: head, limits: HeadLimits()) {
            case .needMore: return
            case .refuse(let error): return refuse(client, error.status, "\(error.detail)")
            case .complete:
                guard respond(client) else { return }
            }
        }
    }

    private func refuse(_ client: Client, _ status: Int, _ detail: String) {
        client.closes = true
        write(.problem(status, detail), .get, client)
        _ = flush(client)
    }

    /// Answers the request in `head` if all of its content is there; false when more must come, or nothing will.
    private func respond(_ client: Client) -> Bool {
        var length = 0
        switch head.framing {
        case .none: break
        case .length(let count) where count <= UInt64(Self.maximumBody): length = Int(count)
        case .length:
            refuse(client, 413, "the content is too long")
            return false
        case .chunked, .untilClose:
            refuse(client, 411, "the content needs a Content-Length")
            return false
        }
        guard client.input.count >= head.length + length else { return false }
        let request = request(client, length)
        client.closes = !head.keepAlive
        client.input.consume(head.length + length)
        client.isWaiting = true
        let method = request.method
        answer(request) { [self, client] answer in
            guard !client.isClosed, client.isWaiting else { return }
            client.isWaiting = false
            write(answer, method, client)
            if flush(client) { takeRequests(client) }
        }
        return true
    }

    private func request(_ client: Client, _ length: Int) -> OpsRequest {
        let bytes = UnsafePointer(client.input.readable)
        let target = String(
            decoding: UnsafeBufferPointer(start: bytes + head.pathAndQuery.start, count: head.pathAndQuery.count),
            as: UTF8.self
        )
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var isJSON = false
        var hasOrigin = false
        for index in 0..<head.fieldCount {
            let name = head[index].name
            if head[index].id == .contentType {
                let value = head[index].value
                isJSON = Self.isJSON(UnsafeBufferPointer(start: bytes + value.start, count: value.count))
            } else if Scan.equalFolded(bytes + name.start, name.count, "origin") {
                hasOrigin = true
            }
        }
        return OpsRequest(
            method: head.method,
            path: String(parts.first ?? ""),
            query: parts.count > 1 ? String(parts[1]) : "",
            isJSON: isJSON && head.count(.contentType) == 1,
            hasOrigin: hasOrigin,
            body: Array(UnsafeBufferPointer(start: bytes + head.length, count: length))
        )
    }

    private static func isJSON(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        let text = String(decoding: value, as: UTF8.self).lowercased()
        return text == "application/json" || text.hasPrefix("application/json;")
    }

    private func write(_ answer: OpsAnswer, _ method: Method, _ client: Client) {
        let out = client.output
        HeadWriter.appendStatusLine(answer.status, to: out)
        out.append("Content-Type: ")
        out.append(answer.type)
        out.append("\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ")
        out.append(decimal: UInt64(answer.body.count))
        out.append(client.closes ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n")
        if method != .head { out.append(answer.body.readable, answer.body.count) }
    }

    /// Sends what is queued; false when the connection is gone or takes no more now.
    private func flush(_ client: Client) -> Bool {
        while !client.output.isEmpty {
            let n = Socket.write(client.descriptor, client.output.readable, client.output.count)
            if n == IO.wouldBlock { return false }
            if n < 0 {
                close(client)
                return false
            }
            client.output.consume(n)
        }
        if client.closes, !client.isWaiting {
            close(client)
            return false
        }
        return true
    }
}
