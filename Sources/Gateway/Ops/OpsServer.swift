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
    /// Why it gets no data, when a page in a browser may have sent it.
    var refusal: String?
    var body: [UInt8]
}

/// What the ops listener answers.
struct OpsAnswer {
    var status: Int
    var type: StaticString
    /// The methods that there are, for a 405.
    var allow: StaticString?
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

    /// A refusal of a method where there are only others.
    static func methodRefused(_ allow: StaticString) -> OpsAnswer {
        var answer = problem(405, "only \(allow)")
        answer.allow = allow
        return answer
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
        /// It sends no more; what it asked is still answered.
        var hasEnded = false
        /// `100 Continue` was sent for the request that is coming in.
        var isContinued = false
        /// Its last request was refused with content perhaps under way.
        var isRefused = false
        /// All is said; what still comes is read and dropped.
        var isDraining = false
        var drained = 0
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
    /// Most that is read after a refusal: closed with bytes unread, the connection is reset and the answer lost.
    private static let maximumDrain = 16 << 20

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
        if client.isDraining { return drain(client) }
        guard flush(client) else { return }
        takeRequests(client)
        while !client.isClosed, !client.closes, !client.hasEnded {
            // What waits behind an unanswered request stays in the socket, but for a head.
            if client.isWaiting, client.input.count >= 4096 { return }
            let n = Socket.read(client.descriptor, client.input.reserve(4096), 4096)
            if n == IO.wouldBlock { return }
            if n < 0 { return close(client) }
            if n == 0 {
                client.hasEnded = true
                break
            }
            client.input.advance(n)
            if !client.isWaiting { client.deadline = control.now + Self.patience }
            takeRequests(client)
        }
        if client.hasEnded, !client.isWaiting, client.output.isEmpty { close(client) }
    }

    /// Drops what a refused client still sends, until it ends, its deadline, or there is too much of it.
    private func drain(_ client: Client) {
        client.input.consume(client.input.count)
        while client.drained < Self.maximumDrain {
            let n = Socket.read(client.descriptor, client.input.reserve(16384), 16384)
            if n == IO.wouldBlock { return }
            if n <= 0 { break }
            client.drained += n
        }
        close(client)
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
        client.isRefused = true
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
        guard client.input.count >= head.length + length else {
            if head.expectsContinue, !client.isContinued {
                client.isContinued = true
                client.output.append("HTTP/1.1 100 Continue\r\n\r\n")
                _ = flush(client)
            }
            return false
        }
        client.isContinued = false
        let request = request(client, length)
        client.closes = !head.keepAlive
        client.input.consume(head.length + length)
        client.isWaiting = true
        let method = request.method
        answer(request) { [self, client] answer in
            guard !client.isClosed, client.isWaiting else { return }
            client.isWaiting = false
            write(answer, method, client)
            guard !client.isTaking else {
                _ = flush(client)
                return
            }
            // It came later: nobody will say again that there are bytes in the socket.
            client.deadline = control.now + Self.patience
            serve(client)
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
        var refusal = isOurs(client) ? nil : "the Host must be an IP address or localhost"
        for index in 0..<head.fieldCount {
            let name = head[index].name
            if head[index].id == .contentType {
                let value = head[index].value
                isJSON = Self.isJSON(UnsafeBufferPointer(start: bytes + value.start, count: value.count))
            } else if Scan.equalFolded(bytes + name.start, name.count, "origin") {
                refusal = "not for web pages"
            } else if Scan.equalFolded(bytes + name.start, name.count, "sec-fetch-site") {
                let value = head[index].value
                let isDirect =
                    Scan.equalFolded(bytes + value.start, value.count, "none")
                    || Scan.equalFolded(bytes + value.start, value.count, "same-origin")
                if !isDirect { refusal = "not for web pages" }
            }
        }
        return OpsRequest(
            method: head.method,
            path: String(parts.first ?? ""),
            query: parts.count > 1 ? String(parts[1]) : "",
            isJSON: isJSON && head.count(.contentType) == 1,
            refusal: refusal,
            body: Array(UnsafeBufferPointer(start: bytes + head.length, count: length))
        )
    }

    /// Whether the host that was asked for can be this one.
    ///
    /// A page whose name is made to lead to a loopback address is of one origin with it, but still sends that name.
    /// Elsewhere operators have names of their own for the listener.
    private func isOurs(_ client: Client) -> Bool {
        let ip = listener.address.ip
        guard ip.isLoopback, !ip.isUnix, !head.host.isEmpty else { return true }
        let start = UnsafePointer(client.input.readable) + head.host.start
        var text = String(decoding: UnsafeBufferPointer(start: start, count: head.host.count), as: UTF8.self)
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        return text.lowercased() == "localhost" || IPAddress(text: text) != nil
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
        if let allow = answer.allow {
            out.append("\r\nAllow: ")
            out.append(allow)
        }
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
            if client.isRefused, !client.hasEnded {
                client.isDraining = true
                Socket.shutdownWrite(client.descriptor)
                drain(client)
            } else {
                close(client)
            }
            return false
        }
        return true
    }
}
