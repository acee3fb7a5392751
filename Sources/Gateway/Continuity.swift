// COLD. What outlives a generation of the configuration: what names resolved to, and the keys of session tickets.
import Bytes
import Reactor
import Settings
import TLS
import Upstreams

/// Kept by the process over reloads.
final class Continuity: Sendable {
    private struct Tickets {
        var keys: TicketKeys?
        var rotation: Int64 = 0
        var lifetime: Int64 = 0
    }

    let names = NameBook()
    private let tickets = Locked(Tickets())

    /// The keys of session tickets; new ones when the settings about them change.
    ///
    /// - Throws: ``TLSError`` when there is no randomness.
    func ticketKeys(_ settings: TLSSettings) throws(TLSError) -> TicketKeys {
        let rotation = Int64(settings.ticketRotation.milliseconds)
        let lifetime = Int64(settings.ticketLifetime.milliseconds)
        let kept = tickets.withLock { $0.rotation == rotation && $0.lifetime == lifetime ? $0.keys : nil }
        if let kept { return kept }
        let made = try TicketKeys(rotation: rotation, lifetime: lifetime, now: Clock.milliseconds())
        tickets.withLock { $0 = Tickets(keys: made, rotation: rotation, lifetime: lifetime) }
        return made
    }

    /// Makes new ticket keys when it is time.
    func rotate(now: Int64) {
        _ = tickets.withLock { $0.keys }?.rotate(now: now)
    }
}
