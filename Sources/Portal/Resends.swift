// COLD. Forms that were sent twice, as by a double click: the second waits for the first and takes its place.
import Bytes
internal import Sessions

/// What forms of logins led to, for as long as people click twice.
///
/// Of two that a browser sends, it throws the first one's answer away, and with it the session's cookie. So the second,
/// which proves that it is the same, gets a session in place of the first one's. At most one of them lives.
///
/// In memory: both come to the same gateway, most often by the same connection.
final class Resends: Sendable {
    /// Seconds after the first in which the second is one.
    static let seconds: Int64 = 5
    /// Most forms that are remembered; beyond them nothing is.
    static let most = 4096
    /// Most that wait for one; beyond them they go on by themselves.
    static let mostWaiting = 4

    private struct Entry {
        /// What the second must know as well.
        var proof: SessionKey?
        var until: Int64
        /// The session that the first began.
        var began: SessionKey?
        var isRunning = true
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private enum Turn {
        case run(SessionKey?)
        case alone
        case wait
    }

    /// What the second form must have in common with the first: what was typed, and that it comes from the same browser.
    func proof(_ typed: [String], _ visit: Visit) -> SessionKey {
        let browser = [visit.request.clientAddress, visit.request.single("user-agent") ?? ""]
        return SessionKey(hashing: Array((typed + browser).joined(separator: "\n").utf8))
    }

    private let entries = Locked<[String: Entry]>([:])

    /// Runs `body` when no other of the name runs.
    ///
    /// `body` is told the session that began for the same name and proof a moment ago. Another proof is told nothing, and
    /// makes it forgotten: there is one try. `proof` nil: only looks, and changes nothing that is remembered.
    func run(
        _ name: String,
        _ proof: SessionKey?,
        now: Int64,
        _ body: (SessionKey?) async throws(PortalProblem) -> PortalAnswer
    ) async throws(PortalProblem) -> PortalAnswer {
        guard case .run(let earlier) = await enter(name, proof, now) else { return try await body(nil) }
        do throws(PortalProblem) {
            let answer = try await body(earlier)
            leave(name, began: answer.began)
            return answer
        } catch {
            leave(name, began: nil)
            throw error
        }
    }

    private func enter(_ name: String, _ proof: SessionKey?, _ now: Int64) async -> Turn {
        while true {
            let turn = entries.withLock { Self.turn(name, proof, now, &$0) }
            guard case .wait = turn else { return turn }
            await withCheckedContinuation { waiter in
                let isParked = entries.withLock { entries in
                    guard let entry = entries[name], entry.isRunning, entry.waiting.count < Self.mostWaiting else {
                        return false
                    }
                    entries[name]?.waiting.append(waiter)
                    return true
                }
                if !isParked { waiter.resume() }
            }
        }
    }

    private static func turn(
        _ name: String,
        _ proof: SessionKey?,
        _ now: Int64,
        _ entries: inout [String: Entry]
    ) -> Turn {
        if let entry = entries[name], entry.isRunning || now < entry.until {
            if entry.isRunning { return entry.waiting.count < mostWaiting ? .wait : .alone }
            guard let proof else { return .alone }
            if let known = entry.proof, Same.secrets(known.text, proof.text) {
                entries[name]?.isRunning = true
                return .run(entry.began)
            }
        } else if entries.count >= most {
            entries = entries.filter { $0.value.isRunning || now < $0.value.until }
            if entries.count >= most { return .alone }
        }
        entries[name] = Entry(proof: proof, until: now + seconds)
        return .run(nil)
    }

    private func leave(_ name: String, began: SessionKey?) {
        let waiting = entries.withLock { entries in
            guard let entry = entries[name] else { return [CheckedContinuation<Void, Never>]() }
            if let began {
                entries[name]?.began = began
                entries[name]?.isRunning = false
                entries[name]?.waiting = []
            } else {
                entries[name] = nil
            }
            return entry.waiting
        }
        for waiter in waiting { waiter.resume() }
    }
}

extension Portal {
    /// The request with the session that the same form began a moment ago in place of its own; nil when that is gone.
    func resent(_ earlier: SessionKey?, of account: String?, _ visit: Visit) async throws(PortalProblem) -> Visit? {
        guard let earlier, let record = try await find(earlier, now: visit.now), counts(record, at: visit.site),
            account == nil || record.account == account, case .current = review(record)
        else { return nil }
        var request = visit.request
        request.session = record
        return Visit(request, plan: plan)
    }
}
