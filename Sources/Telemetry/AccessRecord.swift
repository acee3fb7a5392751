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
        var line = LineCursor(out)
        line.put("\"id\":\"")
        line.put(request.id, cap: valueCap, out)
        line.put("\",\"client\":\"")
        line.put(request.client, cap: valueCap, out)
        line.put("\",\"method\":\"")
        line.put(request.method, cap: 32, out)
        line.put("\",\"host\":\"")
        line.put(request.host, cap: valueCap, out)
        line.put("\",\"path\":\"")
        line.put(request.path, cap: pathCap, out)
        line.put("\",\"protocol\":\"")
        line.put(request.version)
        line.put("\",")
        line.finish(out)
    }

    /// Appends `"route":…` to the end of the object, and the line feed.
    public static func appendResult(_ result: borrowing AccessResult, to out: OutputBuffer) {
        var line = LineCursor(out)
        if result.route.count > 0 {
            line.put("\"route\":\"")
            line.put(result.route, cap: valueCap, out)
            line.put("\",")
        }
        line.put("\"status\":")
        line.put(UInt64(truncatingIfNeeded: max(0, result.status)))
        line.put(",\"bytes_in\":")
        line.put(result.bytesIn)
        line.put(",\"bytes_out\":")
        line.put(result.bytesOut)
        line.put(",\"duration_ms\":")
        line.put(milliseconds: result.microseconds)
        if result.upstreamMicroseconds >= 0 {
            line.put(",\"upstream_ms\":")
            line.put(milliseconds: result.upstreamMicroseconds)
        }
        if result.upstream.count > 0 {
            line.put(",\"upstream\":\"")
            line.put(result.upstream, cap: valueCap, out)
            line.put("\"")
        }
        if result.principal.count > 0 {
            line.put(",\"principal\":\"")
            line.put(result.principal, cap: valueCap, out)
            line.put("\"")
        }
        if result.issuer.count > 0 {
            line.put(",\"issuer\":\"")
            line.put(result.issuer, cap: valueCap, out)
            line.put("\"")
        }
        if let auth = result.auth {
            line.put(",\"auth\":\"")
            line.put(auth.name)
            line.put("\"")
        }
        if result.reason.utf8CodeUnitCount > 0 {
            line.put(",\"reason\":\"")
            line.put(result.reason)
            line.put("\"")
        }
        line.put("}\n")
        line.finish(out)
    }
}
