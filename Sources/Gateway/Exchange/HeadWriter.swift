// HOT. Heads on their way out: ranges of the received head are copied, framing and hop-by-hop fields are ours.
import Bytes
import HTTP
import Reactor

/// Writes heads and fields.
enum HeadWriter {
    /// `HTTP/1.1 200 OK` and its line end.
    static func appendStatusLine(_ status: Int, to out: OutputBuffer) {
        out.append("HTTP/1.1 ")
        out.append(decimal: UInt64(status))
        out.append(" ")
        out.append(Status.reason(status))
        out.append("\r\n")
    }

    /// The final answer's head for the client.
    static func writeResponse(
        _ head: ResponseHead,
        _ bytes: UnsafeMutablePointer<UInt8>,
        to out: OutputBuffer,
        exchange: Exchange,
        worker: Worker,
        _ plan: FieldPlan
    ) {
        appendBackendStatusLine(head, bytes, to: out)
        if !plan.passesServer { drop(.server, of: head) }
        if let listener = exchange.connection?.listener, !listener.hstsLine.isEmpty {
            // Browsers go by the first of several (RFC 6797 §8.1).
            drop(.strictTransportSecurity, of: head)
            out.append(listener.hstsLine)
        }
        head.fields.writeKept(from: bytes, to: out)
        if exchange.hasDeadCookie { exchange.appendClearing(head, bytes, to: out) }
        out.append(plan.serverLine)
        switch exchange.clientFraming {
        case .length(let length):
            out.append("Content-Length: ")
            out.append(decimal: length)
            out.append("\r\n")
        case .chunked:
            out.append("Transfer-Encoding: chunked\r\n")
        case .none:
            // HEAD and 304 tell the length that a GET would have (RFC 9110 §8.6).
            if head.contentLength >= 0, head.status >= 200, head.status != 204 {
                out.append("Content-Length: ")
                out.append(decimal: UInt64(head.contentLength))
                out.append("\r\n")
            }
        case .untilClose: break
        }
        let date = head.first(.date)
        if date < 0 || head[date].isDropped {
            out.append("Date: ")
            worker.dates.append(to: out, unixSeconds: worker.unixSeconds)
            out.append("\r\n")
        }
        out.append(exchange.sendsRaw ? plan.via20 : head.version == .http10 ? plan.via10 : plan.via11)
        if head.status == 426, !head.upgrade.isEmpty, !exchange.isHTTP10 {
            // A 426 without it says nothing (RFC 9110 §15.5.22).
            out.append("Upgrade: ")
            out.append(bytes, head.upgrade)
            out.append(exchange.closesAfter ? "\r\nConnection: upgrade, close\r\n" : "\r\nConnection: upgrade\r\n")
        } else if exchange.closesAfter {
            out.append("Connection: close\r\n")
        } else if exchange.isHTTP10 {
            out.append("Connection: keep-alive\r\n")
        }
        out.append("\r\n")
    }

    private static func drop(_ id: FieldID, of head: ResponseHead) {
        var i = head.first(id)
        while i >= 0 {
            head.fields.drop(i)
            i = head.fields.next(id, after: i)
        }
    }

    private static func appendBackendStatusLine(
        _ head: ResponseHead,
        _ bytes: UnsafeMutablePointer<UInt8>,
        to out: OutputBuffer
    ) {
        out.append("HTTP/1.1 ")
        out.append(decimal: UInt64(head.status))
        out.append(" ")
        out.append(bytes, head.reason)
        out.append("\r\n")
    }

    /// An interim answer for the client.
    static func writeInterim(_ head: ResponseHead, _ bytes: UnsafeMutablePointer<UInt8>, to out: OutputBuffer) {
        appendBackendStatusLine(head, bytes, to: out)
        head.fields.writeKept(from: bytes, to: out)
        out.append("\r\n")
    }

    /// The 101 for the client.
    static func writeSwitch(
        _ head: ResponseHead,
        _ bytes: UnsafeMutablePointer<UInt8>,
        to out: OutputBuffer,
        via: [UInt8]
    ) {
        appendBackendStatusLine(head, bytes, to: out)
        head.fields.writeKept(from: bytes, to: out)
        out.append("Connection: upgrade\r\nUpgrade: ")
        out.append(bytes, head.upgrade)
        out.append("\r\n")
        out.append(via)
        out.append("\r\n")
    }
}
