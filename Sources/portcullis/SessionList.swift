// COLD. `portcullis session list`, and how sessions are chosen and printed.
import ArgumentParser
import Foundation
import Reactor
import Sessions

/// Which sessions.
struct SessionArguments: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Of this account: its name or e-mail.", valueName: "account"))
    var user: String?
    @Option(name: .long, help: ArgumentHelp("Of this client address at login.", valueName: "address"))
    var address: String?
    @Option(name: .long, help: ArgumentHelp("Begun longer ago, such as 90m, 12h or 30d.", valueName: "age"))
    var olderThan: String?

    var isEmpty: Bool { user == nil && address == nil && olderThan == nil }

    /// What they choose; names mean what they mean at a login.
    func filter(now: Int64, _ store: StoreOptions) throws -> SessionFilter {
        var filter = try self.filter(now: now)
        if let user { filter.account = try store.account(called: user) }
        return filter
    }

    func filter(now: Int64) throws -> SessionFilter {
        var before: Int64?
        if let olderThan {
            guard let seconds = Self.seconds(olderThan) else {
                throw ValidationError("--older-than is a number with s, m, h or d, such as 12h")
            }
            before = now - seconds
        }
        let place = try address.map { text in
            // Records hold addresses in their shortest form.
            guard let known = text == "unix" ? text : IPAddress(text: text)?.text else {
                throw ValidationError("--address is an IPv4 or IPv6 address, or unix")
            }
            return known
        }
        return SessionFilter(account: user, address: place, olderThan: before)
    }

    static func key(_ id: String) throws -> SessionKey {
        guard let key = SessionKey(text: id) else {
            throw ValidationError("a session's id has 43 letters, digits, \"-\" and \"_\", as list shows it")
        }
        return key
    }

    private static func seconds(_ text: String) -> Int64? {
        guard let unit = text.last, let number = Int64(text.dropLast()), (0...1_000_000_000).contains(number) else {
            return nil
        }
        switch unit {
        case "s": return number
        case "m": return number * 60
        case "h": return number * 3600
        case "d": return number * 86_400
        default: return nil
        }
    }
}

extension SessionCommand {
    /// Lists sessions.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List sessions, newest first; with --user those of one account.",
            discussion: "Of several options all must hold. Sessions past their end are shown until they are swept."
        )

        @OptionGroup var store: StoreOptions
        @OptionGroup var filter: SessionArguments
        @Option(name: .long, help: ArgumentHelp("Most sessions, 1 to 100000.", valueName: "count"))
        var limit = 100
        @Flag(name: .long, help: "Print JSON.")
        var json = false

        func validate() throws {
            if !(1...100_000).contains(limit) { throw ValidationError("--limit is 1 to 100000") }
            _ = try filter.filter(now: 0)
        }

        func run() throws {
            let now = UnixTime.now()
            let filter = try filter.filter(now: now, store)
            let limit = limit
            let (records, total) = try store.withStore { store in
                var records: [SessionRecord] = []
                while records.count < limit {
                    let most = min(1000, limit - records.count)
                    let page = try await store.list(filter, after: records.last?.key, limit: most)
                    records += page
                    if page.count < most { break }
                }
                return (records, try await store.count())
            }
            if json { return print(SessionText.json(records)) }
            for line in SessionText.table(records, now: now) { print(line) }
            print("\(records.count) of \(total) session\(total == 1 ? "" : "s")")
        }
    }
}

/// Sessions as text.
enum SessionText {
    static func table(_ records: [SessionRecord], now: Int64) -> [String] {
        var rows = [["ID", "USER", "SITE", "ADDRESS", "DEVICE", "METHOD", "AGE", "LAST SEEN", "ENDS IN"]]
        for one in records {
            let end = min(one.idleDeadline, one.expires)
            rows.append([
                one.key.text, one.account, one.site, one.address, one.device, one.method, age(now - one.created),
                age(now - one.lastSeen), end <= now ? "over" : age(end - now),
            ])
        }
        let rowsSafe = rows.map { $0.map(visible) }
        let widths = rows[0].indices.map { column in rowsSafe.map { $0[column].count }.max() ?? 0 }
        return rowsSafe.map { row in
            let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    static func paragraph(_ one: SessionRecord, now: Int64) -> String {
        func moment(_ seconds: Int64) -> String {
            Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
                + (seconds > now ? ", in \(age(seconds - now))" : ", \(age(now - seconds)) ago")
        }
        let lines = [
            ("id", one.key.text), ("state", one.isLive(at: now) ? "live" : "over"), ("user", one.account),
            ("issuer", one.issuer), ("method", one.method), ("strength", String(one.strength)), ("site", one.site),
            ("address", one.address), ("device", one.device), ("login", one.family), ("created", moment(one.created)),
            ("authenticated", moment(one.authenticated)), ("last seen", moment(one.lastSeen)),
            ("idle end", moment(one.idleDeadline)), ("end", moment(one.expires)),
            ("claims", String(decoding: one.claims, as: UTF8.self)),
        ]
        return lines.map { $0.0.padding(toLength: 15, withPad: " ", startingAt: 0) + visible($0.1) }
            .joined(separator: "\n")
    }

    static func json(_ records: [SessionRecord]) -> String { encode(records.map(Shown.init)) }
    static func json(_ record: SessionRecord) -> String { encode(Shown(record)) }

    private static func encode(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }

    /// What may be shown: everything but the secret of its forms.
    private struct Shown: Encodable {
        let id, user, issuer, method, site, address, device, login: String
        let strength: Int
        let created, authenticated, lastSeen, idle, expires: Int64

        enum CodingKeys: String, CodingKey {
            case id, user, issuer, method, site, address, device, login, strength, created, authenticated, idle, expires
            case lastSeen = "last_seen"
        }

        init(_ one: SessionRecord) {
            (id, user, issuer, method) = (one.key.text, one.account, one.issuer, one.method)
            (site, address, device, login) = (one.site, one.address, one.device, one.family)
            (strength, created, authenticated) = (one.strength, one.created, one.authenticated)
            (lastSeen, idle, expires) = (one.lastSeen, one.idle, one.expires)
        }
    }

    private static func age(_ seconds: Int64) -> String {
        switch max(0, seconds) {
        case let some where some < 120: "\(some)s"
        case let some where some < 7200: "\(some / 60)m"
        case let some where some < 172_800: "\(some / 3600)h"
        case let some: "\(some / 86_400)d"
        }
    }

    /// Without what a terminal would obey.
    private static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .format, .lineSeparator, .paragraphSeparator: "\u{fffd}"
                    default: scalar
                    }
                }
            )
        )
    }
}
