// COLD. `/sessions` of the ops listener: operators list sessions, look at one, and end them.
import Accounts
import Bytes
import HTTP
import Identity
import Portal
import Reactor
import Sessions

/// Answers `/sessions` and `/sessions/{id}`; on the control thread, with the store's work elsewhere.
final class SessionRecords {
    /// What a task came to, for the control thread.
    struct Answer: Sendable {
        var status: Int
        var isJSON: Bool
        var text: String
    }

    private let desk: SessionDesk
    private let mailbox: Mailbox<ControlMessage>
    private var replies: [UInt64: (OpsAnswer) -> Void] = [:]
    private var next: UInt64 = 0
    private static let mostWaiting = 64

    init(_ desk: SessionDesk, _ mailbox: Mailbox<ControlMessage>) {
        self.desk = desk
        self.mailbox = mailbox
    }

    /// Answers a request later.
    func answer(_ request: OpsRequest, _ reply: @escaping (OpsAnswer) -> Void) {
        guard replies.count < Self.mostWaiting else { return reply(.problem(503, "too many requests wait")) }
        let handle = request.path.dropFirst("/sessions".count).drop { $0 == "/" }
        let key = SessionKey(text: String(handle))
        guard handle.isEmpty || key != nil else { return reply(.problem(404, "there is no such session")) }
        let parts = Self.parts(of: request.query)
        guard let parts, var filter = Self.filter(parts) else {
            return reply(.problem(400, "known: account, address, older_than (Unix seconds), after, limit"))
        }
        filter.account = filter.account.map { self.desk.account(called: $0) }
        if request.method == .delete, parts["after"] != nil || parts["limit"] != nil {
            return reply(.problem(400, "after and limit are for lists: DELETE ends all that the rest chooses"))
        }
        let chosen = filter
        next += 1
        let ticket = next
        let desk = desk
        let mailbox = mailbox
        let method = request.method
        guard method == .get || method == .head || method == .delete else {
            return reply(.methodRefused("GET, HEAD, DELETE"))
        }
        replies[ticket] = reply
        Task {
            let answer: Answer
            do throws(StoreError) {
                switch (method, key) {
                case (.delete, let key?): answer = try await desk.revoke(key)
                case (.delete, nil): answer = try await desk.revoke(chosen)
                case (_, let key?): answer = try await desk.describe(key)
                case (_, nil): answer = try await desk.describe(chosen, parts)
                }
            } catch {
                answer = Answer(status: 503, isJSON: false, text: "\(error.code)\n")
            }
            mailbox.post(.sessions(ticket, answer))
        }
    }

    /// A task is done.
    func answered(_ ticket: UInt64, _ answer: Answer) {
        let reply = replies.removeValue(forKey: ticket)
        reply?(OpsAnswer(answer.status, answer.isJSON ? "application/json" : "text/plain; charset=utf-8", answer.text))
    }

    /// Answers `/throttle`: accounts that only a known device gets into, and `DELETE ?account=…` lets one in again.
    func throttle(_ request: OpsRequest) -> OpsAnswer {
        switch request.method {
        case .get, .head:
            let names = desk.throttle.locked().map { name in
                var json: [UInt8] = []
                SessionClaims.append(name, to: &json)
                return String(decoding: json, as: UTF8.self)
            }
            return OpsAnswer(200, "application/json", "{\"locked\":[\(names.joined(separator: ","))]}\n")
        case .delete:
            guard let parts = Self.parts(of: request.query), parts.count == 1, let account = parts["account"] else {
                return .problem(400, "say whose: account")
            }
            let wasKnown = desk.throttle.reset(account: desk.account(called: account))
            return OpsAnswer(200, "application/json", "{\"reset\":\(wasKnown)}\n")
        default: return .methodRefused("GET, HEAD, DELETE")
        }
    }

    private static func parts(of query: String) -> [String: String]? {
        var parts: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let both = pair.split(separator: "=", maxSplits: 1)
            guard both.count == 2, let value = PercentText.decode(both[1]),
                parts.updateValue(value, forKey: String(both[0])) == nil
            else { return nil }
        }
        return parts
    }

    private static func filter(_ parts: [String: String]) -> SessionFilter? {
        var filter = SessionFilter()
        for (name, value) in parts {
            switch name {
            case "account": filter.account = value
            case "address":
                // Records hold addresses in their shortest form.
                guard let address = IPAddress(text: value)?.text ?? (value == "unix" ? value : nil) else { return nil }
                filter.address = address
            case "older_than":
                guard let time = Int64(value) else { return nil }
                filter.olderThan = time
            case "after": guard SessionKey(text: value) != nil else { return nil }
            case "limit": guard let limit = Int(value), (1...StoreLimits.page).contains(limit) else { return nil }
            default: return nil
            }
        }
        return filter
    }
}

/// `%XX` and `+` of a query.
enum PercentText {
    /// The text; nil when an escape is malformed or the bytes are no UTF-8.
    static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte == 0x2b ? 0x20 : byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy(isHex),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}

extension SessionDesk {
    /// What records call the account that somebody means by a name or an e-mail address, as at login.
    fileprivate func account(called text: String) -> String {
        let known = state.withLock { $0.portal?.accounts.account(named: text)?.canonical }
        return known ?? AccountName.canonical(text) ?? text
    }

    fileprivate func revoke(_ key: SessionKey) async throws(StoreError) -> SessionRecords.Answer {
        guard let record = try await store.end(key, .revoked) else {
            return .init(status: 404, isJSON: false, text: "there is no such session\n")
        }
        await ended([record])
        return .init(status: 200, isJSON: true, text: "{\"ended\":1}\n")
    }

    fileprivate func revoke(_ filter: SessionFilter) async throws(StoreError) -> SessionRecords.Answer {
        guard filter != SessionFilter() else {
            return .init(status: 400, isJSON: false, text: "say whose: account, address or older_than\n")
        }
        let records = try await store.end(where: filter, except: nil, .revoked)
        await ended(records)
        return .init(status: 200, isJSON: true, text: "{\"ended\":\(records.count)}\n")
    }

    private func ended(_ records: [SessionRecord]) async {
        end(records.map(\.key))
        for _ in records { counts.ended(.revoked) }
        let portal = state.withLock { $0.portal }
        await portal?.revoked(records.map { Ended(key: $0.key, record: $0, reason: .revoked) }, at: Self.now)
    }

    fileprivate func describe(_ key: SessionKey) async throws(StoreError) -> SessionRecords.Answer {
        guard let record = try await store.find(key) else {
            return .init(status: 404, isJSON: false, text: "there is no such session\n")
        }
        return .init(status: 200, isJSON: true, text: json(record) + "\n")
    }

    fileprivate func describe(
        _ filter: SessionFilter,
        _ parts: [String: String]
    ) async throws(StoreError) -> SessionRecords.Answer {
        let limit = parts["limit"].flatMap { Int($0) } ?? 100
        let records = try await store.list(filter, after: parts["after"].flatMap { SessionKey(text: $0) }, limit: limit)
        let lines = records.map { json($0) }.joined(separator: ",\n")
        return .init(status: 200, isJSON: true, text: "[\n\(lines)\n]\n")
    }

    /// What an operator sees of a session: never its claims' secrets, its id or its form token.
    private func json(_ record: SessionRecord) -> String {
        let seen = registry.find(SessionDigest(record.key))?.session.lastSeen ?? record.lastSeen
        func text(_ value: String) -> String {
            var json: [UInt8] = []
            SessionClaims.append(value, to: &json)
            return String(decoding: json, as: UTF8.self)
        }
        return "{\"id\":\(text(record.key.text)),\"account\":\(text(record.account)),\"issuer\":\(text(record.issuer)),"
            + "\"method\":\(text(record.method)),\"strength\":\(record.strength),\"created\":\(record.created),"
            + "\"last_seen\":\(seen),\"idle\":\(record.idle),\"expires\":\(record.expires),"
            + "\"address\":\(text(record.address)),\"device\":\(text(record.device)),\"site\":\(text(record.site)),"
            + "\"live\":\(record.isLive(at: Self.now))}"
    }
}
