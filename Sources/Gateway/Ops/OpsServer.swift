// COLD. The second listener: health and metrics for operators, never reachable through the data port.
import Bytes
import HTTP
import Reactor
import Telemetry

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
}

/// A small HTTP server on the control loop: one request a connection at a time, short deadlines, few connections.
final class OpsServer {
    private final class Client {
        let descriptor: Int32
        let input = OutputBuffer(capacity: 1024)
        let output = OutputBuffer(capacity: 1024)
        var closes = false
        var deadline: Int64

        init(_ descriptor: Int32, deadline: Int64) {
            self.descriptor = descriptor
            self.deadline = deadline
        }
    }

    private static let maximumClients = 256
    private static let patience: Int64 = 10_000

    private let control: Control
    private let listener: Listener
    private let answer: (_ method: Method, _ path: String, _ query: String) -> OpsAnswer
    private var clients: [Int32: Client] = [:]
    private let head = RequestHead()
    /// Whether clients are accepted, or from when on again.
    private var isWatching = false
    private var watchDue: Int64 = 0

    /// Serves `listener` with what `answer` says.
    init(
        control: Control,
        listener: Listener,
        answer: @escaping (_ method: Method, _ path: String, _ query: String) -> OpsAnswer
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
        clients[client.descriptor] = nil
        control.close(client.descriptor)
    }

    private func serve(_ client: Client) {
        guard flush(client) else { return }
        while true {
            let n = Socket.read(client.descriptor, client.input.reserve(4096), 4096)
            if n == IO.wouldBlock { return }
            if n <= 0 { return close(client) }
            client.input.advance(n)
            client.deadline = control.now + Self.patience
            while !client.input.isEmpty {
                let span = Span(_unsafeElements: client.input.bytes)
                switch RequestParser.parse(span, into: head, limits: HeadLimits()) {
                case .needMore: break
                case .refuse(let error):
                    client.closes = true
                    write(OpsAnswer(error.status, "text/plain; charset=utf-8", "\(error.detail)\n"), .get, client)
                    _ = flush(client)
                    return
                case .complete:
                    respond(client)
                    guard flush(client), !client.closes else { return }
                    continue
                }
                break
            }
        }
    }

    private func respond(_ client: Client) {
        client.closes = !head.keepAlive || head.framing != .none
        let bytes = client.input.readable
        let target = String(
            decoding: UnsafeBufferPointer(start: bytes + head.pathAndQuery.start, count: head.pathAndQuery.count),
            as: UTF8.self
        )
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let method = head.method
        client.input.consume(head.length)
        guard method == .get || method == .head else {
            return write(OpsAnswer(405, "text/plain; charset=utf-8", "only GET and HEAD\n"), method, client)
        }
        write(answer(method, String(parts[0]), parts.count > 1 ? String(parts[1]) : ""), method, client)
    }

    private func write(_ answer: OpsAnswer, _ method: Method, _ client: Client) {
        let out = client.output
        HeadWriter.appendStatusLine(answer.status, to: out)
        out.append("Content-Type: ")
        out.append(answer.type)
        out.append("\r\nCache-Control: no-store\r\nContent-Length: ")
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
        if client.closes {
            close(client)
            return false
        }
        return true
    }
}
