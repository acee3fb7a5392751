// HOT. A field section as it is decoded: checked by RFC 9113 §8.2–8.3 and written as an HTTP/1 head.
import Bytes
import CNghttp2
import HTTP

/// The pseudo-header fields that were seen.
struct PseudoFields: OptionSet {
    let rawValue: UInt8
    static let method = PseudoFields(rawValue: 1)
    static let path = PseudoFields(rawValue: 2)
    static let authority = PseudoFields(rawValue: 4)
    static let scheme = PseudoFields(rawValue: 8)
    static let `protocol` = PseudoFields(rawValue: 16)
    static let status = PseudoFields(rawValue: 32)
}

/// What a field section is.
enum SectionKind {
    case ignored, request, response, trailers
}

/// What is known of the section so far.
struct FieldSectionState {
    var kind = SectionKind.ignored
    var record: StreamRecord?
    /// There is a record, and a head to write.
    var isOpen = false
    /// The record's stream carries a WebSocket.
    var isTunnel = false
    /// As RFC 9113 §6.5.2 counts.
    var size = 0
    var fields = 0
    var seen = PseudoFields()
    /// Places in the buffer of pseudo-header fields.
    var method = Slice()
    var path = Slice()
    var authority = Slice()
    var scheme = Slice()
    var protocolName = Slice()
    var status = 0
    /// The first line is written; no pseudo-header field may follow (§8.3).
    var isRegular = false
    var hasHost = false
    var contentLength: Int64 = -1
    /// The message is well formed, but not for us.
    var refusal: ProtocolError?
}

extension Multiplexer {
    /// A HEADERS frame begins.
    func beginSection(_ header: nghttp2_frame_hd, category: Int32) -> Int32 {
        section = FieldSectionState()
        if isServer, category == Int32(NGHTTP2_HCAT_REQUEST.rawValue) {
            section.kind = .request
            section.record = streams.insert(header.stream_id)
        } else if let record = streams.find(header.stream_id), !record.state.contains(.quiet) {
            section.kind = isServer || record.state.contains(.answered) ? .trailers : .response
            section.isTunnel = record.state.contains(.tunnel)
            section.record = record
        } else {
            return 0
        }
        releaseHead()
        let out = head ?? workspace.pool.take()
        out.removeAll()
        head = out
        section.isOpen = true
        return 0
    }

    /// One field, decoded.
    @inline(__always)
    func addField(
        _ name: UnsafePointer<UInt8>,
        _ nameCount: Int,
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int
    ) -> Int32 {
        section.size &+= nameCount &+ valueCount &+ 32
        section.fields &+= 1
        if section.size > limits.headerList || section.fields > limits.fields { return overflow() }
        guard section.isOpen, section.refusal == nil else { return 0 }
        let isValid =
            nameCount > 0 && name[0] == 0x3a
            ? addPseudo(name, nameCount, value, valueCount) : addRegular(name, nameCount, value, valueCount)
        return isValid ? 0 : malformed()
    }

    /// The section is larger than allowed: it is read to its end, for the sake of the compression, but not for long.
    @inline(never)
    private func overflow() -> Int32 {
        if section.size > 8 &* limits.headerList || section.fields > 8 &* limits.fields {
            fail(.calm(.headerList))
            return Callbacks.failed
        }
        if section.refusal == nil {
            section.refusal = section.size > limits.headerList ? .headTooLarge : .tooManyFields
        }
        return 0
    }

    @inline(never)
    func malformed() -> Int32 {
        if let record = section.record { resetStream(record, HTTP2Code.protocolError, byChoice: false) }
        section.record = nil
        section.isOpen = false
        giveSectionBuffers()
        return Callbacks.dropped
    }

    /// A pseudo-header field (§8.3): known, once, before all others, never in trailers.
    private func addPseudo(
        _ name: UnsafePointer<UInt8>,
        _ nameCount: Int,
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int
    ) -> Bool {
        guard !section.isRegular, section.kind != .trailers, FieldRules.isValue(value, valueCount) else { return false }
        let field: PseudoFields
        if section.kind == .response {
            guard FieldRules.equal(name, nameCount, ":status"), section.seen.isEmpty, valueCount == 3 else {
                return false
            }
            section.status = Int(FieldRules.number(value, 3))
            section.seen = .status
            return true
        }
        let buffer = pseudo ?? workspace.pool.take()
        pseudo = buffer
        let place = Slice(buffer.tail, buffer.tail &+ valueCount)
        switch nameCount {
        case 5 where FieldRules.equal(name, ":path"):
            field = .path
            section.path = place
        case 7 where FieldRules.equal(name, ":method"):
            field = .method
            section.method = place
        case 7 where FieldRules.equal(name, ":scheme"):
            field = .scheme
            section.scheme = place
        case 9 where FieldRules.equal(name, ":protocol"):
            field = .protocol
            section.protocolName = place
        case 10 where FieldRules.equal(name, ":authority"):
            field = .authority
            section.authority = place
        default: return false
        }
        guard !section.seen.contains(field) else { return false }
        section.seen.insert(field)
        buffer.append(value, valueCount)
        return true
    }

    /// Any other field (§8.2).
    @inline(__always)
    private func addRegular(
        _ name: UnsafePointer<UInt8>,
        _ nameCount: Int,
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int
    ) -> Bool {
        guard let head else { return false }
        if !section.isRegular {
            guard let record = section.record, writeFirstLine(record, head) else { return false }
            if section.refusal != nil { return true }
        }
        guard FieldRules.isName(name, nameCount), FieldRules.isValue(value, valueCount) else { return false }
        switch FieldRules.role(name, nameCount) {
        case .plain: break
        case .forbidden: return false
        case .te:
            guard FieldRules.equal(value, valueCount, "trailers") else { return false }
        case .host:
            if section.kind == .request { return addHost(value, valueCount, head) }
        case .cookie:
            if section.kind == .request {
                // Browsers send one for each cookie: their size limits them, as if they had come in one field.
                section.fields &-= 1
                addCookie(value, valueCount)
                return true
            }
        case .contentLength:
            return addContentLength(value, valueCount, head)
        case .webSocketKey:
            if section.isTunnel, isServer { return true }
        case .webSocketAccept:
            if section.isTunnel, !isServer { return true }
        }
        write(name, nameCount, value, valueCount, to: head)
        return true
    }

    @inline(__always)
    func write(
        _ name: UnsafePointer<UInt8>,
        _ nameCount: Int,
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int,
        to head: OutputBuffer
    ) {
        let place = head.reserve(nameCount &+ valueCount &+ 4)
        place.update(from: name, count: nameCount)
        place[nameCount] = 0x3a
        place[nameCount &+ 1] = 0x20
        (place + nameCount + 2).update(from: value, count: valueCount)
        place[nameCount &+ valueCount &+ 2] = 0x0d
        place[nameCount &+ valueCount &+ 3] = 0x0a
        head.advance(nameCount &+ valueCount &+ 4)
    }

    /// `Host` beside `:authority` must say the same (§8.3.1), and once.
    private func addHost(_ value: UnsafePointer<UInt8>, _ valueCount: Int, _ head: OutputBuffer) -> Bool {
        if section.hasHost { return false }
        section.hasHost = true
        guard section.seen.contains(.authority), let pseudo else {
            write(literal("host"), 4, value, valueCount, to: head)
            return valueCount > 0
        }
        guard valueCount == section.authority.count else { return false }
        let authority = pseudo.base + section.authority.start
        for i in 0..<valueCount where Scan.lowercase(value[i]) != Scan.lowercase(authority[i]) { return false }
        return true
    }

    /// Cookies may come in crumbs, which are joined (§8.2.3).
    private func addCookie(_ value: UnsafePointer<UInt8>, _ valueCount: Int) {
        let jar = cookies ?? workspace.pool.take()
        cookies = jar
        if !jar.isEmpty { jar.append("; ") }
        jar.append(value, valueCount)
    }

    private func addContentLength(
        _ value: UnsafePointer<UInt8>,
        _ valueCount: Int,
        _ head: OutputBuffer
    ) -> Bool {
        let length = FieldRules.number(value, valueCount)
        guard length >= 0, section.contentLength < 0, section.kind != .trailers else { return false }
        section.contentLength = length
        if section.isTunnel { return section.kind == .response }
        // What a response announces is written when its status is known to allow it.
        if section.kind == .request { write(literal("content-length"), 14, value, valueCount, to: head) }
        return true
    }

    /// The section is complete and its frames were in order.
    func endSection(_ stream: Int32, ends: Bool) -> Int32 {
        guard let record = section.record, let head else {
            if ends, let record = streams.find(stream) { record.state.insert(.remoteEnded) }
            return 0
        }
        if ends { record.state.insert(.remoteEnded) }
        let isValid =
            switch section.kind {
            case .request: endRequest(record, head, ends: ends)
            case .response: endResponse(record, head, ends: ends)
            case .trailers: endTrailers(record, head, ends: ends)
            case .ignored: true
            }
        if isValid { giveSectionBuffers() } else { _ = malformed() }
        section.record = nil
        section.isOpen = false
        headIsDone = true
        return 0
    }

    private func endTrailers(_ record: StreamRecord, _ head: OutputBuffer, ends: Bool) -> Bool {
        // Through a tunnel goes content alone (§8.5).
        if section.isTunnel { return false }
        guard ends, section.refusal == nil, record.expected < 0 || record.received == record.expected else {
            return false
        }
        let hasFields = !head.isEmpty
        head.append("\r\n")
        pending = Occurrence(kind: hasFields ? .trailers : .end, stream: record.id, tag: record.tag, isLast: true)
        if !isServer { record.state.insert(.quiet) }
        return true
    }

    func giveSectionBuffers() {
        if let buffer = pseudo {
            pseudo = nil
            workspace.pool.give(buffer)
        }
        if let buffer = cookies {
            cookies = nil
            workspace.pool.give(buffer)
        }
    }
}

/// The bytes of a literal.
@inline(__always)
func literal(_ text: StaticString) -> UnsafePointer<UInt8> { text.utf8Start }
