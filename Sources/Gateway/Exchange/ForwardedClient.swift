// COLD. Who the client is, as trusted proxies tell it: for the log, never for a decision.
import Bytes
import HTTP
import Reactor

extension Exchange {
    /// The client as trusted proxies tell it: the last address that is not one of theirs.
    ///
    /// `X-Forwarded-For` is read, and `Forwarded` (RFC 7239) when there is none; whatever is no address ends the search.
    func forwardedClient(
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ connection: DownstreamConnection
    ) -> IPAddress {
        let id: FieldID = head.first(.xForwardedFor) >= 0 ? .xForwardedFor : .forwarded
        var client = connection.peer
        for i in stride(from: head.fieldCount - 1, through: 0, by: -1) where head[i].id == id {
            let value = head[i].value
            let bytes = UnsafeBufferPointer(start: input + value.start, count: value.count)
            for element in String(decoding: bytes, as: UTF8.self).split(separator: ",").reversed() {
                let node = id == .forwarded ? ForwardedNode.of(element: element) : element
                guard let node, let address = ForwardedNode.address(node) else { return client }
                client = address
                if !plan.snapshot.isTrusted(address) { return client }
            }
        }
        return client
    }
}

/// The parts of forwarding fields that name an address.
enum ForwardedNode {
    /// The `for` parameter of an element of `Forwarded` (RFC 7239 §4), as written; nil when there is none.
    static func of(element: Substring) -> Substring? {
        for pair in element.split(separator: ";") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, trimmed(parts[0]).lowercased() == "for" else { continue }
            return parts[1]
        }
        return nil
    }

    /// The address of a node: quotes, brackets and a port may be around it.
    static func address(_ node: Substring) -> IPAddress? {
        var text = trimmed(node)
        if text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") { text = text.dropFirst().dropLast() }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]"), isPort(text[text.index(after: end)...]) else { return nil }
            return IPAddress(text: String(text[text.index(after: text.startIndex)..<end]))
        }
        if let colon = text.firstIndex(of: ":"), colon == text.lastIndex(of: ":") {
            guard isPort(text[colon...]) else { return nil }
            text = text[..<colon]
        }
        return IPAddress(text: String(text))
    }

    /// Nothing, or a colon and digits.
    private static func isPort(_ text: Substring) -> Bool {
        text.isEmpty || text.first == ":" && (2...6).contains(text.count) && text.dropFirst().allSatisfy(\.isASCIIDigit)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
