// HOT. A client's request as an HTTP/1 head: request line, Host, fields, framing.
import Bytes
import HTTP

extension Multiplexer {
    /// Writes the first line of the section when its pseudo-header fields are over; false if they are malformed.
    func writeFirstLine(_ record: StreamRecord, _ head: OutputBuffer) -> Bool {
        section.isRegular = true
        switch section.kind {
        case .request: return writeRequestLine(record, head)
        case .response: return writeStatusLine(record, head)
        case .trailers, .ignored: return true
        }
    }

    private func writeRequestLine(_ record: StreamRecord, _ head: OutputBuffer) -> Bool {
        guard section.seen.contains(.method), let pseudo else { return false }
        let bytes = UnsafePointer(pseudo.base)
        let method = bytes + section.method.start
        let methodCount = section.method.count
        guard FieldRules.isToken(method, methodCount) else { return false }
        var isTunnel = false
        if FieldRules.equal(method, methodCount, "CONNECT") {
            guard section.seen.contains(.protocol) else {
                // A request for a tunnel to some host (§8.5): well formed with an authority alone, and not served.
                section.refusal = .connectNotSupported
                return section.seen == [.method, .authority]
            }
            guard section.seen.contains(.authority) else { return false }
            isTunnel = true
        } else if section.seen.contains(.protocol) {
            return false
        }
        guard section.seen.contains([.path, .scheme]), isOurScheme(bytes) else { return false }
        let path = bytes + section.path.start
        guard FieldRules.isTarget(path, section.path.count) else { return false }
        if path[0] != 0x2f {
            guard section.path.count == 1, path[0] == 0x2a, FieldRules.equal(method, methodCount, "OPTIONS") else {
                return false
            }
        }
        if isTunnel {
            record.state.insert(.tunnel)
            section.isTunnel = true
            let name = bytes + section.protocolName.start
            if !FieldRules.equal(name, section.protocolName.count, "websocket") {
                section.refusal = .connectNotSupported
                return true
            }
            head.append("GET")
        } else {
            if FieldRules.equal(method, methodCount, "HEAD") { record.state.insert(.noContent) }
            head.append(method, methodCount)
        }
        head.append(byte: 0x20)
        head.append(path, section.path.count)
        head.append(" HTTP/1.1\r\n")
        if section.seen.contains(.authority) {
            guard isAuthority(bytes + section.authority.start, section.authority.count) else { return false }
            write(literal("host"), 4, bytes + section.authority.start, section.authority.count, to: head)
        }
        if isTunnel {
            head.append("connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ")
            WebSocketKey.append(to: head, workspace.randomWord(), workspace.randomWord())
            head.append("\r\n")
        }
        return true
    }

    /// `http` or `https` (§8.3.1); what is asked of https must have come over it (RFC 9110 §7.4).
    ///
    /// Over TLS `http` is said by proxies whose own client came in clear text.
    private func isOurScheme(_ bytes: UnsafePointer<UInt8>) -> Bool {
        let scheme = bytes + section.scheme.start
        let count = section.scheme.count
        if count == 5, Scan.equalFolded(scheme, 5, "https") { return isTLS || limits.acceptsForeignScheme }
        if count == 4, Scan.equalFolded(scheme, 4, "http") { return true }
        return false
    }

    /// Not empty and without user information (§8.3.1); the HTTP/1 parser judges the rest.
    private func isAuthority(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for i in 0..<count where bytes[i] == 0x40 || bytes[i] <= 0x20 { return false }
        return count > 0
    }

    /// Whether the request's method, as far as it was read, is HEAD: no answer to it has content.
    private var isHead: Bool {
        guard section.seen.contains(.method), let pseudo else { return false }
        return FieldRules.equal(UnsafePointer(pseudo.base) + section.method.start, section.method.count, "HEAD")
    }

    /// The end of a request's head; false if it is malformed.
    func endRequest(_ record: StreamRecord, _ head: OutputBuffer, ends: Bool) -> Bool {
        if !section.isRegular, section.refusal == nil {
            guard writeFirstLine(record, head) else { return false }
        }
        if let error = section.refusal {
            record.state.insert([.announced, .quiet])
            pending = Occurrence(kind: .refuse, stream: record.id, isLast: ends, flag: isHead, error: error)
            return true
        }
        guard section.hasHost || section.seen.contains(.authority) else { return false }
        if ends, section.contentLength > 0 { return false }
        record.expected = section.contentLength
        if let cookies {
            write(literal("cookie"), 6, UnsafePointer(cookies.readable), cookies.count, to: head)
        }
        let isTunnel = record.state.contains(.tunnel)
        if !ends, section.contentLength < 0, !isTunnel { head.append("transfer-encoding: chunked\r\n") }
        head.append("\r\n")
        record.state.insert(.announced)
        pending = Occurrence(kind: .head, stream: record.id, isLast: ends, flag: isTunnel)
        return true
    }
}
