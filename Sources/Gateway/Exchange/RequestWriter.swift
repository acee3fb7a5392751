// HOT. The request as the backend gets it: canonical target, filtered fields, ours added, identity last.
import Bytes
import HTTP
import Identity
import Reactor
import Settings
import Telemetry

extension Exchange {
    /// Writes the request's head for the backend into `out`, up to and without identity and the empty line.
    func writeRequest(
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ route: RoutePlan,
        _ connection: DownstreamConnection,
        _ snapshot: Snapshot,
        to out: OutputBuffer
    ) {
        let fields = snapshot.fields
        out.append(input, head.methodName)
        out.append(byte: 0x20)
        out.append(worker.target.path)
        if worker.target.hasQuery {
            out.append(byte: 0x3f)
            out.append(input, worker.target.query)
        }
        out.append(" HTTP/1.1\r\nHost: ")
        switch route.host {
        case .preserve where head.authority.isEmpty && sendsRaw: out.append(route.ownHost)
        case .preserve: out.append(input, head.authority)
        case .fixed(let host): out.append(host)
        }
        out.append("\r\n")
        head.fields.writeKept(from: input, to: out)
        if hasOwnCookies, let sessions = snapshot.sessions {
            var i = head.first(.cookie)
            while i >= 0 {
                sessions.foreign.writeForeign(of: head[i].value, input, to: out)
                i = head.fields.next(.cookie, after: i)
            }
        }
        switch requestFraming {
        case .length(let length):
            out.append("Content-Length: ")
            out.append(decimal: length)
            out.append("\r\n")
        case .chunked: out.append("Transfer-Encoding: chunked\r\n")
        case .none, .untilClose: break
        }
        if head.expectsContinue, !isHTTP10, !requestComplete { out.append("Expect: 100-continue\r\n") }
        // An HTTP/1.0 client gets no trailers, whatever it says (RFC 9110 §6.5).
        if head.teTrailers, !isHTTP10 { out.append("TE: trailers\r\nConnection: TE\r\n") }
        if upgrade {
            out.append("Connection: upgrade\r\nUpgrade: ")
            out.append(upgradeName)
            out.append("\r\n")
        }
        out.append(connection.isStream ? fields.via20 : isHTTP10 ? fields.via10 : fields.via11)
        writeForwarded(head, input, connection, fields, to: out)
        out.append(fields.requestIDLine)
        appendRequestID(to: out)
        out.append("\r\n")
        if fields.beginsTrace, !keepsTrace { writeTrace(to: out) }
        if hopsLeft >= 0 {
            out.append("Max-Forwards: ")
            out.append(decimal: UInt64(hopsLeft))
            out.append("\r\n")
        }
    }

    /// Who asked, for the backend (RFC 7239 and its forerunners).
    ///
    /// What trusted proxies say is continued; what anybody else says was dropped before.
    private func writeForwarded(
        _ head: RequestHead,
        _ input: UnsafeMutablePointer<UInt8>,
        _ connection: DownstreamConnection,
        _ fields: FieldPlan,
        to out: OutputBuffer
    ) {
        if fields.sendsXForwarded {
            out.append("X-Forwarded-For: ")
            if connection.isTrusted {
                var i = head.first(.xForwardedFor)
                while i >= 0 {
                    if !head[i].value.isEmpty {
                        out.append(input, head[i].value)
                        out.append(", ")
                    }
                    i = head.fields.next(.xForwardedFor, after: i)
                }
            }
            writePeer(connection.peer, to: out)
            out.append("\r\n")
            if !connection.isTrusted || head.first(.xForwardedProto) < 0 {
                out.append(connection.isSecure ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n")
            }
            if !head.authority.isEmpty, !connection.isTrusted || head.first(.xForwardedHost) < 0 {
                out.append("X-Forwarded-Host: ")
                out.append(input, head.authority)
                out.append("\r\n")
            }
        }
        if fields.sendsForwarded {
            out.append("Forwarded: for=")
            let quoted = !connection.peer.isUnix && !connection.peer.isIPv4
            if quoted { out.append("\"[") }
            writePeer(connection.peer, to: out)
            if quoted { out.append("]\"") }
            if !head.authority.isEmpty {
                out.append(";host=\"")
                out.append(input, head.authority)
                out.append("\"")
            }
            out.append(connection.isSecure ? ";proto=https\r\n" : ";proto=http\r\n")
        }
    }

    /// The peer's address, `unknown` (RFC 7239 §6.2) for the peer of a unix socket.
    @inline(__always)
    private func writePeer(_ peer: IPAddress, to out: OutputBuffer) {
        if peer.isUnix { out.append("unknown") } else { peer.write(to: out) }
    }

    /// Begins a trace (W3C Trace Context): a new trace id, not sampled.
    private func writeTrace(to out: OutputBuffer) {
        out.append("traceparent: 00-")
        out.append(hex: worker.random.next(), digits: 16)
        out.append(hex: worker.random.next() | 1, digits: 16)
        out.append("-")
        out.append(hex: worker.random.next() | 1, digits: 16)
        out.append("-00\r\n")
    }

    /// Marks the fields that do not go on: what the client may not say, and what the route keeps.
    func dropFields(
        _ head: RequestHead,
        _ input: UnsafePointer<UInt8>,
        _ route: RoutePlan,
        _ snapshot: Snapshot,
        trusted: Bool
    ) {
        let fields = snapshot.fields
        keepsTrace = false
        hasOwnCookies = false
        for i in 0..<head.fieldCount {
            let field = head[i]
            if field.isDropped { continue }
            switch field.id {
            case .other:
                if field.hasUnusualName, fields.unusualNames == .drop {
                    head.fields.drop(i)
                    worker.metrics.add(.fieldsDropped, 1)
                }
            case .xForwardedFor:
                // Written anew; with several it is one line of ours that continues them.
                if !trusted || fields.sendsXForwarded { head.fields.drop(i) }
            case .forwarded, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedOther, .xForwarded,
                .xRealIP, .xClientIP, .xClusterClientIP, .trueClientIP, .cfConnectingIP, .xOriginalURL:
                if !trusted { head.fields.drop(i) }
            case .xHTTPMethod, .xHTTPMethodOverride, .xMethodOverride:
                if !fields.passesMethodOverride { head.fields.drop(i) }
            case .xRequestID:
                head.fields.drop(i)
            case .proxy:
                // No standard knows it, and programs behind CGI take it for their HTTP_PROXY (CVE-2016-5385).
                head.fields.drop(i)
            case .authorization:
                if !route.keepsAuthorization { head.fields.drop(i) }
            case .cookie:
                // Cookies of ours are for nobody else.
                if let sessions = snapshot.sessions, sessions.foreign.isIn(field.value, input) {
                    hasOwnCookies = true
                }
            case .traceparent:
                if Self.isTraceParent(input + field.value.start, field.value.count), head.count(.traceparent) == 1 {
                    keepsTrace = true
                } else {
                    head.fields.drop(i)
                }
            default: break
            }
        }
        if fields.hasOwnIDName { fields.ownIDName.dropProtected(in: head.fields, input) }
        if hasOwnCookies {
            // All fields are written anew, so that their order stays.
            var i = head.first(.cookie)
            while i >= 0 {
                head.fields.drop(i)
                i = head.fields.next(.cookie, after: i)
            }
        }
        guard !keepsTrace else { return }
        // A state without its parent says nothing (Trace Context §3.3).
        var i = head.first(.tracestate)
        while i >= 0 {
            head.fields.drop(i)
            i = head.fields.next(.tracestate, after: i)
        }
    }

    /// Whether a value is a well-formed `traceparent` of version 00 with ids that are not zero.
    private static func isTraceParent(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        guard count == 55, bytes[0] == 0x30, bytes[1] == 0x30 else { return false }
        var trace: UInt8 = 0
        var parent: UInt8 = 0
        for i in 2..<55 {
            let byte = bytes[i]
            if i == 2 || i == 35 || i == 52 {
                guard byte == 0x2d else { return false }
                continue
            }
            guard byte &- 0x30 < 10 || byte &- 0x61 < 6 else { return false }
            if i < 35 { trace |= byte &- 0x30 } else if i < 52 { parent |= byte &- 0x30 }
        }
        return trace != 0 && parent != 0
    }
}
