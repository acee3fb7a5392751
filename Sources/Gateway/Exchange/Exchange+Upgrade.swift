// HOT. Which change of protocol a client may ask for, and whether the backend agreed to that one.
import Bytes
import CLinux
import Glibc
import HTTP
import Reactor

extension Exchange {
    /// Longest name of a protocol that is passed on.
    static let longestProtocol = 64

    /// Decides whether the client's wish to change the protocol goes on to the backend.
    ///
    /// One protocol at a time, never HTTP itself (RFC 9113 has no upgrade; `h2c` would carry requests past the gate),
    /// and only without content, so that no byte of it can be taken for the new protocol.
    func chooseUpgrade(_ head: RequestHead, _ input: UnsafePointer<UInt8>, _ route: RoutePlan) {
        upgrade = false
        let wanted = head.upgrade
        guard !wanted.isEmpty, route.allowsUpgrade, requestComplete, requestFraming == .none, !isHTTP10,
            method == .get, wanted.count <= Self.longestProtocol
        else { return }
        let name = UnsafeBufferPointer(start: input + wanted.start, count: wanted.count)
        guard name.allSatisfy({ Self.isProtocolByte($0) }), !Self.isHTTP(name) else { return }
        // HTTP/2 has a word for WebSockets alone (RFC 8441): any other wish is ignored, as RFC 9110 §7.8 lets us.
        if sendsRaw, !Scan.equalFolded(input + wanted.start, wanted.count, "websocket") { return }
        let fields = plan.snapshot.fields
        guard fields.upgradesAny || fields.upgrades.contains(where: { Self.equalIgnoringCase(name, $0) }) else {
            return
        }
        upgradeName.removeAll(keepingCapacity: true)
        upgradeName.append(contentsOf: name)
        upgrade = true
    }

    /// Whether a request would begin a tunnel, if its route lets it: wishes for another HTTP are never granted.
    static func asksForTunnel(_ head: RequestHead, _ input: UnsafePointer<UInt8>) -> Bool {
        let wanted = head.upgrade
        return !wanted.isEmpty && !isHTTP(UnsafeBufferPointer(start: input + wanted.start, count: wanted.count))
    }

    /// Whether the backend's 101 names the protocol that was asked for (RFC 9110 §7.8).
    func isUpgradeAgreed(_ head: ResponseHead, _ bytes: UnsafePointer<UInt8>) -> Bool {
        let name = UnsafeBufferPointer(start: bytes + head.upgrade.start, count: head.upgrade.count)
        return Self.equalIgnoringCase(name, upgradeName)
    }

    private static func isProtocolByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case 0x21, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x2f, 0x5e, 0x5f, 0x60, 0x7c, 0x7e: true
        default: false
        }
    }

    /// `h2c`, `h2`, `h3`, `HTTP/2.0`, `TLS/1.0` and what else would change what carries requests.
    private static func isHTTP(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = name.first else { return true }
        switch first | 0x20 {
        case 0x68:  // h
            if name.count <= 3 { return true }
            return name.count >= 4 && equalIgnoringCase(.init(rebasing: name[..<4]), Array("http".utf8))
        case 0x74:  // t
            return name.count >= 3 && equalIgnoringCase(.init(rebasing: name[..<3]), Array("tls".utf8))
        default: return false
        }
    }

    static func equalIgnoringCase(_ left: UnsafeBufferPointer<UInt8>, _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        for i in 0..<left.count where lowered(left[i]) != lowered(right[i]) { return false }
        return true
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
