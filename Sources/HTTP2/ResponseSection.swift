// HOT. A backend's response as an HTTP/1 head: status line, fields, framing.
import Bytes
import HTTP

extension Multiplexer {
    func writeStatusLine(_ record: StreamRecord, _ head: OutputBuffer) -> Bool {
        guard section.seen == .status, section.status >= 100, section.status < 600, section.status != 101 else {
            return false
        }
        if record.state.contains(.tunnel), section.status >= 200, section.status < 300 {
            head.append("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n")
            head.append("sec-websocket-accept: ")
            head.append(record.accept)
            head.append("\r\n")
            return true
        }
        head.append("HTTP/1.1 ")
        head.append(decimal: UInt64(section.status))
        head.append(" ")
        head.append(Status.reason(section.status))
        head.append("\r\n")
        return true
    }

    /// The end of a response's head; false if it is malformed.
    func endResponse(_ record: StreamRecord, _ head: OutputBuffer, ends: Bool) -> Bool {
        guard section.refusal == nil else { return false }
        if !section.isRegular {
            guard writeFirstLine(record, head) else { return false }
        }
        let status = section.status
        let isInterim = status < 200
        if isInterim {
            // §8.1: an interim response is never the last.
            guard !ends, section.contentLength < 0 else { return false }
        } else {
            guard writeFraming(record, head, ends: ends) else { return false }
            record.state.insert(.answered)
        }
        head.append("\r\n")
        pending = Occurrence(kind: .head, stream: record.id, tag: record.tag, isLast: ends, flag: isInterim)
        if ends { record.state.insert(.quiet) }
        return true
    }

    /// `Content-Length` or `Transfer-Encoding`, so that the end of the content is as certain as it was in HTTP/2.
    private func writeFraming(_ record: StreamRecord, _ head: OutputBuffer, ends: Bool) -> Bool {
        let status = section.status
        let length = section.contentLength
        if record.state.contains(.tunnel), status < 300 { return true }
        if status == 204 {
            record.expected = 0
            return length <= 0
        }
        if length >= 0 {
            head.append("content-length: ")
            head.append(decimal: UInt64(length))
            head.append("\r\n")
        }
        if status == 304 || record.state.contains(.noContent) {
            record.expected = 0
            return true
        }
        if ends {
            if length < 0 { head.append("content-length: 0\r\n") }
            return length <= 0
        }
        record.expected = length
        if length < 0 { head.append("transfer-encoding: chunked\r\n") }
        return true
    }
}
