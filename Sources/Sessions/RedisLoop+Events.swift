// COLD. The stream of invalidations: read with a connection of its own that waits at the server.
//
// Every change that other gateways must hear of is an entry of one Redis Stream, cut to about `RedisEventPlan.length`
// entries. A reader knows the last entry that it saw. With every page it also asks for the oldest entry that is left: if
// that is younger than what was seen before the page, some may have been cut unseen; if there is none at all where there
// were some, the server has lost them, and perhaps sessions, too. Then, and after every pause of the connection, `missed`
// is told; while only this connection is away, once a second.
internal import Reactor
internal import Synchronization

/// Number of an entry of a stream.
struct RedisEventID: Comparable, Sendable {
    var time: UInt64 = 0
    var sequence: UInt64 = 0

    init() {}

    init?(_ text: String) {
        let parts = text.split(separator: "-")
        guard parts.count == 2, let time = UInt64(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
        self.time = time
        self.sequence = sequence
    }

    var text: String { "\(time)-\(sequence)" }

    static func < (a: RedisEventID, b: RedisEventID) -> Bool {
        (a.time, a.sequence) < (b.time, b.sequence)
    }
}

/// The stream, and how its entries read.
struct RedisEventPlan: Sendable {
    /// Entries that are kept, about.
    static let length = 100_000
    /// Name of the stream.
    let key: String
    /// This process, whose own entries are not told again: 22 characters.
    let origin: String

    var slot: Int { RedisSlot.of(key) }

    /// The name of an entry's one field; its value is the session's key.
    static let ended = "e"
    static let refreshed = "r"
}

extension RedisLoop {
    private static let wait: Int64 = 1000
    private static let page = 512

    func openEvents(_ endpoint: RedisEndpoint) {
        if let events, events.endpoint != endpoint {
            drop(events)
            self.events = nil
            isFollowing = false
        }
        let link = events ?? makeLink(endpoint, .events)
        events = link
        if link.retryAt == nil { link.open() }
    }

    func beginFollowing(_ link: RedisLink) {
        let question: [RedisArgument] = ["XREVRANGE", RedisArgument(eventPlan.key), "+", "-", "COUNT", "1"]
        link.ask(.lastEvent, RedisCommand(key: nil, question), within: plan.timeout)
    }

    func eventsLost(_ link: RedisLink) {
        isFollowing = false
        link.retryAt = now + pause(after: max(1, link.failures))
        link.rearm()
    }

    func followed(_ question: RedisQuestion, _ reply: RedisReply, _ link: RedisLink) {
        if case .error(let text) = reply {
            if plan.mode == .cluster { slotsDueAt = min(slotsDueAt, now) }
            return link.fail("it does not give the stream of changes (\(text.prefix { $0 != " " }))")
        }
        switch question {
        case .lastEvent:
            let last = Self.identity(reply.array?.first)
            lastEvent = last ?? RedisEventID()
            if last == nil { mark(link) }
            isFollowing = true
            shared.tell(.missed)
            follow(link)
        case .events: take(reply)
        case .firstEvent:
            // Asked after the page, about the time before it.
            let first = Self.identity(reply.array?.first)
            if pageBegan != RedisEventID(), first.map({ $0 > pageBegan }) ?? true { shared.tell(.missed) }
            // A new stream may begin with any number.
            if first == nil {
                lastEvent = RedisEventID()
                mark(link)
            }
            follow(link)
        default: break
        }
    }

    /// Writes an entry that says nothing into an empty stream: that it is gone later is a sign.
    private func mark(_ link: RedisLink) {
        let words: [RedisArgument] = ["XADD", RedisArgument(eventPlan.key), "*", "b", ""]
        link.ask(.asking, RedisCommand(key: nil, words), within: plan.timeout)
    }

    private func follow(_ link: RedisLink) {
        pageBegan = lastEvent
        let key = RedisArgument(eventPlan.key)
        let wait = RedisCommand(
            key: nil,
            [
                "XREAD", "COUNT", "\(Self.page)", "BLOCK", "\(Self.wait)", "STREAMS", key,
                RedisArgument(lastEvent.text),
            ]
        )
        link.ask(.events, wait, within: plan.timeout + Self.wait)
        let first = RedisCommand(key: nil, ["XRANGE", key, "-", "+", "COUNT", "1"])
        link.ask(.firstEvent, first, within: plan.timeout + Self.wait)
    }

    /// One page: `[[stream, [[id, [field, value]], …]]]`, or nothing.
    private func take(_ reply: RedisReply) {
        guard let entries = reply.array?.first?.array?.last?.array else { return }
        var ended: [SessionKey] = []
        var refreshed: [SessionKey] = []
        for entry in entries {
            if let id = Self.identity(entry) { lastEvent = max(lastEvent, id) }
            guard let words = entry.array?.last?.array?.compactMap(\.text), words.count == 2,
                words[1].utf8.count == 65, !words[1].hasPrefix(eventPlan.origin),
                let key = SessionKey(text: String(words[1].suffix(43)))
            else { continue }
            if words[0] == RedisEventPlan.ended { ended.append(key) } else { refreshed.append(key) }
        }
        if !ended.isEmpty { shared.tell(.ended(ended)) }
        if !refreshed.isEmpty { shared.tell(.refreshed(refreshed)) }
    }

    private static func identity(_ entry: RedisReply?) -> RedisEventID? {
        entry?.array?.first?.text.flatMap { RedisEventID($0) }
    }

    /// While commands work and events do not come, nobody may trust what is cached for longer than a second.
    func tellMissedWhileDeaf() {
        guard !isFollowing, shared.isAvailable.load(ordering: .relaxed), now - toldMissedAt >= Self.wait else { return }
        toldMissedAt = now
        shared.tell(.missed)
    }
}
