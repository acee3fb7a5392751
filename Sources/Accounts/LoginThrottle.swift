// COLD. Slows down guessing of passwords and codes: by account, by network, by both, and never an owner's own device.
import Bytes
public import Settings

/// Who tries to log in, from where.
public struct LoginAttempt: Sendable, Hashable {
    let account: String
    let exists: Bool
    let network: ClientNetwork
    let device: String?

    /// An attempt.
    ///
    /// - `account`: the canonical name of the account found, never the e-mail typed: both must count as one. Of an unknown
    ///   one, what was typed, in canonical form.
    /// - `exists`: whether that is an account. It decides only where the failures are counted, so that made-up names cannot
    ///   push out the counters of accounts.
    /// - `address`: the client's IPv4 or IPv6 address in text.
    /// - `device`: the id of a device cookie that was verified for this very account, else nil.
    public init(account: String, exists: Bool, address: String, device: String?) {
        self.account = account.utf8.count <= 256 ? account : String(account.prefix(64))
        self.exists = exists
        network = ClientNetwork(address)
        self.device = device
    }
}

/// What the throttle says of an attempt.
public enum ThrottleDecision: Sendable, Equatable {
    /// Why to wait.
    public enum Reason: String, Sendable {
        /// Failures of the account.
        case account
        /// Failures of the network.
        case network
        /// Failures of the account from this network.
        case pair
        /// Failures of this known device.
        case device
        /// Too many failures of the account in a row: only known devices get in until an operator resets it.
        case locked
        /// More networks fail than can be counted.
        case full
    }
    /// It may go on, and is counted as a failure until `succeeded` or `released`.
    case go
    /// Refused for so many seconds (429 with Retry-After), whatever the password; it is not counted.
    case wait(seconds: Int, why: Reason)
}

/// Slows down guessing (NIST SP 800-63B-4, 3.2.2).
///
/// Without a known device, an attempt needs room in three counters: of the account, of the network, and of the account
/// from that network. With one it needs room in the device's own counter only, which nobody else can fill; when that
/// one has reached the limit, the device counts as unknown. Counters are in memory: a restart forgets them.
///
/// Decisions are the same for accounts that exist and names that do not.
public final class LoginThrottle: Sendable {
    private struct Pair: Hashable {
        var account: String
        var place: ClientNetwork
    }
    private struct Device: Hashable {
        var account: String
        var id: String
    }
    private struct Tables {
        var accounts: StrikeTable<String>
        var unknown: StrikeTable<String>
        var pairs: StrikeTable<Pair>
        var devices: StrikeTable<Device>
        /// When a second factor of an account last went without waiting.
        var passes: StrikeTable<String>
        var networks: NetworkBudget
        var refusals: RefusalNotes
    }

    private let settings: ThrottleSettings
    private let tables: Locked<Tables>

    /// Empty tables.
    public init(_ settings: ThrottleSettings = ThrottleSettings()) {
        self.settings = settings
        tables = Locked(
            Tables(
                accounts: StrikeTable(capacity: settings.entries),
                unknown: StrikeTable(capacity: settings.entries),
                pairs: StrikeTable(capacity: settings.entries),
                devices: StrikeTable(capacity: settings.entries),
                passes: StrikeTable(capacity: settings.entries),
                networks: NetworkBudget(perMinute: settings.networkPerMinute, capacity: settings.entries),
                refusals: RefusalNotes(capacity: settings.entries)
            )
        )
    }

    /// Whether an attempt may go on; `now` in Unix seconds.
    ///
    /// It counts as a failure at once, so that attempts at the same time do not pass together; then call exactly one of
    /// `failed`, `succeeded` and `released` with the same attempt.
    ///
    /// `isContinued`: it is the second factor of a login whose password was right a moment ago. It does not wait for
    /// failures of others in between, or the owner could be kept waiting at every second step; it counts, though, and
    /// the limit holds for it. In the time of one delay only one goes so: logins that were begun to have many codes in
    /// hand are guesses like any other.
    public func admit(_ attempt: LoginAttempt, isContinued: Bool = false, now: Int64) -> ThrottleDecision {
        tables.withLock { tables in
            // An attempt by a device that failed too often counts on below, and once more for the device: that tells it
            // from the device's own last one.
            if let device = knownDevice(attempt, tables, most: settings.limit - 1) {
                let strikes = tables.devices[device]
                let seconds = wait(strikes, now: now)
                if seconds > 0, !(isContinued && pass(attempt.account, delay(strikes), &tables, now: now)) {
                    return .wait(seconds: seconds, why: .device)
                }
                tables.devices.add(device, now: now)
                return .go
            }
            let account = attempt.exists ? tables.accounts[attempt.account] : tables.unknown[attempt.account]
            if let account, account.count >= settings.limit {
                return .wait(seconds: longestDelay, why: .locked)
            }
            let byNetwork = tables.networks.wait(attempt.network, now: now)
            if byNetwork > 0 { return .wait(seconds: byNetwork, why: .network) }
            guard tables.networks.hasRoom(attempt.network, now: now) else { return .wait(seconds: 60, why: .full) }
            let strikes = tables.pairs[pair(attempt)]
            let (byAccount, byPair) = (wait(account, now: now), wait(strikes, now: now))
            if max(byAccount, byPair) > 0,
                !(isContinued && pass(attempt.account, max(delay(account), delay(strikes)), &tables, now: now))
            {
                return byAccount >= byPair
                    ? .wait(seconds: byAccount, why: .account) : .wait(seconds: byPair, why: .pair)
            }
            if attempt.exists {
                tables.accounts.add(attempt.account, now: now)
            } else {
                tables.unknown.add(attempt.account, now: now)
            }
            tables.pairs.add(pair(attempt), now: now)
            tables.networks.add(attempt.network, now: now)
            if attempt.exists, let id = attempt.device {
                tables.devices.add(Device(account: attempt.account, id: id), now: now)
            }
            return .go
        }
    }

    /// Whether a refusal is worth a line in a log, and how many were not since the last that was; nil: it is not.
    ///
    /// The first of a minute is, of each account or network.
    public func noteRefusal(_ attempt: LoginAttempt, _ reason: ThrottleDecision.Reason, now: Int64) -> Int? {
        let key =
            switch reason {
            case .account, .locked, .device: RefusalNotes.Key(reason: reason, account: attempt.account)
            case .pair: RefusalNotes.Key(reason: reason, account: attempt.account, network: attempt.network)
            case .network: RefusalNotes.Key(reason: reason, account: "", network: attempt.network)
            case .full: RefusalNotes.Key(reason: reason, account: "")
            }
        return tables.withLock { $0.refusals.note(key, now: now) }
    }

    /// Wrong: the delay begins now.
    public func failed(_ attempt: LoginAttempt, now: Int64) {
        tables.withLock { tables in
            if let device = knownDevice(attempt, tables, most: settings.limit) {
                return tables.devices.stamp(device, now: now)
            }
            if attempt.exists {
                tables.accounts.stamp(attempt.account, now: now)
            } else {
                tables.unknown.stamp(attempt.account, now: now)
            }
            tables.pairs.stamp(pair(attempt), now: now)
        }
    }

    /// The whole login went through, with its second factor where there is one: what was counted begins anew.
    ///
    /// A login from a known device says nothing of who else guesses, and leaves the account's counter as it is.
    public func succeeded(_ attempt: LoginAttempt, now: Int64) {
        tables.withLock { tables in
            if let device = knownDevice(attempt, tables, most: settings.limit) {
                tables.devices.remove(device)
                return
            }
            if let id = attempt.device { tables.devices.remove(Device(account: attempt.account, id: id)) }
            tables.accounts.remove(attempt.account)
            tables.passes.remove(attempt.account)
            tables.pairs.remove(pair(attempt))
            tables.networks.takeBack(attempt.network, now: now)
        }
    }

    /// Neither: nothing was tried (503), or the password was right and the second factor is still to come.
    public func released(_ attempt: LoginAttempt, now: Int64) {
        tables.withLock { tables in
            if let device = knownDevice(attempt, tables, most: settings.limit) {
                return tables.devices.takeBack(device)
            }
            if attempt.exists {
                tables.accounts.takeBack(attempt.account)
            } else {
                tables.unknown.takeBack(attempt.account)
            }
            tables.pairs.takeBack(pair(attempt))
            tables.networks.takeBack(attempt.network, now: now)
        }
    }

    /// An operator's reset of an account (canonical name), or a changed password; whether there was anything to reset.
    @discardableResult
    public func reset(account: String) -> Bool {
        tables.withLock { tables in
            var hasAny = tables.accounts.remove(account) != nil
            for entry in tables.pairs.all where entry.key.account == account {
                tables.pairs.remove(entry.key)
                hasAny = true
            }
            for entry in tables.devices.all where entry.key.account == account {
                tables.devices.remove(entry.key)
                hasAny = true
            }
            return hasAny
        }
    }

    /// Accounts that only known devices get into now.
    public func locked() -> [String] {
        tables.withLock { tables in
            tables.accounts.all.filter { $0.strikes.count >= settings.limit }.map(\.key).sorted()
        }
    }

    // MARK: Rules

    private var longestDelay: Int { max(1, settings.longestDelay.wholeSeconds) }

    private func pair(_ attempt: LoginAttempt) -> Pair { Pair(account: attempt.account, place: attempt.network) }

    /// Nil: none, or one that failed so often that it counts as unknown.
    private func knownDevice(_ attempt: LoginAttempt, _ tables: borrowing Tables, most: Int) -> Device? {
        guard let id = attempt.device, attempt.exists else { return nil }
        let device = Device(account: attempt.account, id: id)
        return tables.devices[device]?.count ?? 0 <= most ? device : nil
    }

    /// Seconds until the next attempt: none after the first few failures, then 1, 2, 4 … up to the longest.
    private func wait(_ strikes: Strikes?, now: Int64) -> Int {
        guard let strikes else { return 0 }
        let delay = delay(strikes)
        // A clock that was put back does not make anybody wait longer than the delay.
        let passed = max(0, now - strikes.last)
        return max(0, delay - Int(min(passed, Int64(delay))))
    }

    private func delay(_ strikes: Strikes?) -> Int {
        guard let strikes, strikes.count >= settings.free else { return 0 }
        let doublings = strikes.count - settings.free
        return doublings >= 30 ? longestDelay : min(longestDelay, 1 << doublings)
    }

    /// Whether a second factor goes without waiting, as one does in the time of a delay.
    private func pass(_ account: String, _ delay: Int, _ tables: inout Tables, now: Int64) -> Bool {
        if let last = tables.passes[account], abs(now - last.last) < Int64(delay) { return false }
        tables.passes.stamp(account, now: now)
        return true
    }
}
