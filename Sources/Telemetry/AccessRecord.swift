// HOT. One request as one JSON line: what is known when it begins, and what is known when it has ended.
public import Bytes

/// What is known of a request when it begins.
///
/// The bytes need to live only as long as the call they are given to.
public struct AccessRequest {
    /// The request's id.
    public var id = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// The client's address, as decided by the trusted proxies.
    public var client = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// The method's name.
    public var method = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// The host of the request without port.
    public var host = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// The canonical path, without the query (it may hold secrets).
    public var path = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// `HTTP/1.1`.
    public var version: StaticString = "HTTP/1.1"

    /// An empty one.
    public init() {}
}

/// What is known of a request when it has ended.
///
/// The bytes need to live only as long as the call they are given to.
public struct AccessResult {
    /// The route's name; empty when none matched.
    public var route = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// The status answered; 0 when the client went away before.
    public var status = 0
    /// Bytes received for it.
    public var bytesIn: UInt64 = 0
    /// Bytes sent for it.
    public var bytesOut: UInt64 = 0
    /// From the first byte of the head to the last of the response.
    public var microseconds: Int64 = 0
    /// Time that the upstream took; −1 when none was asked.
    public var upstreamMicroseconds: Int64 = -1
    /// The verified subject; empty when there is none.
    public var principal = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// Name of the issuer of the verified credential.
    public var issuer = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    /// What the gate decided; nil when it was not asked.
    public var auth: AuthOutcome?
    /// The precise reason's code (also a protocol error's); empty when there is none.
    public var reason: StaticString = ""
    /// The upstream server's address; empty when none was asked.
    public var upstream = UnsafeBufferPointer<UInt8>(start: nil, count: 0)

    /// An empty one.
    public init() {}
}

/// Writes the two halves of a line.
public enum AccessLine {
    /// Bytes of a path that are logged.
    public static let pathCap = 1024
    /// Bytes of any other value that are logged.
    public static let valueCap = 256
    /// No line is longer (an escaped byte takes six).
    public static let longest = pathCap * 6 + valueCap * 6 * 8 + 1024

    /// Appends `"id":…` up to the protocol, with a comma at its end: for keeping until the request has ended.
    public static func appendRequest(_ request: borrowing AccessRequest, to out: OutputBuffer) {
        member("\"id\":\"", request.id, valueCap, out)
        member("\"client\":\"", request.client, valueCap, out)
        member("\"method\":\"", request.method, 32, out)
        member("\"host\":\"", request.host, valueCap, out)
        member("\"path\":\"", request.path, pathCap, out)
        out.append("\"protocol\":\"")
        out.append(request.version)
        out.append("\",")
    }

    /// Appends `"route":…` to the end of the object, and the line feed.
    public static func appendResult(_ result: borrowing AccessResult, to out: OutputBuffer) {
        if result.route.count > 0 { member("\"route\":\"", result.route, valueCap, out) }
        out.append("\"status\":")
        out.append(decimal: UInt64(truncatingIfNeeded: max(0, result.status)))
        out.append(",\"bytes_in\":")
        out.append(decimal: result.bytesIn)
        out.append(",\"bytes_out\":")
        out.append(decimal: result.bytesOut)
        out.append(",\"duration_ms\":")
        milliseconds(result.microseconds, out)
        if result.upstreamMicroseconds >= 0 {
            out.append(",\"upstream_ms\":")
            milliseconds(result.upstreamMicroseconds, out)
        }
        if result.upstream.count > 0 { optional(",\"upstream\":\"", result.upstream, out) }
        if result.principal.count > 0 { optional(",\"principal\":\"", result.principal, out) }
        if result.issuer.count > 0 { optional(",\"issuer\":\"", result.issuer, out) }
        if let auth = result.auth {
            out.append(",\"auth\":\"")
            out.append(auth.name)
            out.append(byte: UInt8(ascii: "\""))
        }
        if result.reason.utf8CodeUnitCount > 0 {
            out.append(",\"reason\":\"")
            out.append(result.reason)
            out.append(byte: UInt8(ascii: "\""))
        }
        out.append("}\n")
    }

    @inline(__always)
    private static func member(
        _ name: StaticString,
        _ value: UnsafeBufferPointer<UInt8>,
        _ cap: Int,
        _ out: OutputBuffer
    ) {
        out.append(name)
        JSONText.append(value, cap: cap, to: out)
        out.append("\",")
    }

    @inline(__always)
    private static func optional(_ name: StaticString, _ value: UnsafeBufferPointer<UInt8>, _ out: OutputBuffer) {
        out.append(name)
        JSONText.append(value, cap: valueCap, to: out)
        out.append(byte: UInt8(ascii: "\""))
    }

    /// Microseconds as milliseconds with three decimals.
    @inline(__always)
    private static func milliseconds(_ microseconds: Int64, _ out: OutputBuffer) {
        let value = UInt64(max(0, microseconds))
        let rest = value % 1000
        out.append(decimal: value / 1000)
        let place = out.reserve(4)
        place[0] = UInt8(ascii: ".")
        place[1] = 0x30 &+ UInt8(truncatingIfNeeded: rest / 100)
        place[2] = 0x30 &+ UInt8(truncatingIfNeeded: rest / 10 % 10)
        place[3] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
        out.advance(4)
    }
}
