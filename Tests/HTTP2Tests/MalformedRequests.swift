// COLD. Requests that RFC 9113 §8 calls malformed, one for each rule.
import Testing

/// A field section and what is wrong with it.
struct MalformedRequest: CustomTestStringConvertible, Sendable {
    let name: String
    let fields: [[String]]
    init(_ name: String, _ fields: Fields) {
        self.name = name
        self.fields = fields.map { [$0.0, $0.1] }
    }
    var testDescription: String { name }
    var pairs: Fields { fields.map { ($0[0], $0[1]) } }

    private static func with(_ more: Fields) -> Fields { Frames.request("GET", "/") + more }

    static let all: [MalformedRequest] = [
        MalformedRequest("an upper-case name", with([("X-A", "b")])),
        MalformedRequest("a name with a space", with([("x a", "b")])),
        MalformedRequest("a name with a colon", with([("x:a", "b")])),
        MalformedRequest("an empty name", with([("", "b")])),
        MalformedRequest("a name with LF", with([("x\n", "b")])),
        MalformedRequest("a name beyond ASCII", with([("x\u{e9}", "b")])),
        MalformedRequest("a value with NUL", with([("x", "a\0b")])),
        MalformedRequest("a value with CR", with([("x", "a\rb")])),
        MalformedRequest("a value with LF", with([("x", "a\nb: c")])),
        MalformedRequest("a value with DEL", with([("x", "a\u{7f}")])),
        MalformedRequest(
            "a value with a control character behind sixteen bytes",
            with([("x", "0123456789abcdef\u{1}")])
        ),
        MalformedRequest("a value that begins with a space", with([("x", " a")])),
        MalformedRequest("a value that ends with a space", with([("x", "a ")])),
        MalformedRequest("a value that ends with a tab", with([("x", "a\t")])),
        MalformedRequest("Connection", with([("connection", "close")])),
        MalformedRequest("Proxy-Connection", with([("proxy-connection", "close")])),
        MalformedRequest("Keep-Alive", with([("keep-alive", "1")])),
        MalformedRequest("Transfer-Encoding", with([("transfer-encoding", "chunked")])),
        MalformedRequest("Upgrade", with([("upgrade", "h2c")])),
        MalformedRequest("TE other than trailers", with([("te", "gzip")])),
        MalformedRequest("TE with more than trailers", with([("te", "trailers, gzip")])),
        MalformedRequest("an unknown pseudo-header field", with([(":x", "y")])),
        MalformedRequest("a response's pseudo-header field", with([(":status", "200")])),
        MalformedRequest(":path twice", with([(":path", "/b")])),
        MalformedRequest(":method twice", with([(":method", "GET")])),
        MalformedRequest(":authority twice", with([(":authority", "example.org")])),
        MalformedRequest(
            "a pseudo-header field behind others",
            [(":method", "GET"), (":scheme", "http"), ("a", "b"), (":path", "/")]
        ),
        MalformedRequest("no :method", [(":scheme", "http"), (":path", "/"), (":authority", "a")]),
        MalformedRequest("no :scheme", [(":method", "GET"), (":path", "/"), (":authority", "a")]),
        MalformedRequest("no :path", [(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
        MalformedRequest("no fields", []),
        MalformedRequest("neither :authority nor Host", [(":method", "GET"), (":scheme", "http"), (":path", "/")]),
        MalformedRequest("an empty :path", Frames.request("GET", "")),
        MalformedRequest("a :path without a slash", Frames.request("GET", "a")),
        MalformedRequest("an absolute :path", Frames.request("GET", "http://example.org/")),
        MalformedRequest("a :path with a space", Frames.request("GET", "/a b")),
        MalformedRequest("a :path that ends the line", Frames.request("GET", "/ HTTP/1.1\r\nx: y")),
        MalformedRequest("an asterisk without OPTIONS", Frames.request("GET", "*")),
        MalformedRequest("a :method with a space", Frames.request("GET /", "/")),
        MalformedRequest("an empty :method", Frames.request("", "/")),
        MalformedRequest("a :method with a colon", Frames.request("G:T", "/")),
        MalformedRequest(":scheme ftp", Frames.request("GET", "/", scheme: "ftp")),
        MalformedRequest(":scheme https in clear text", Frames.request("GET", "/", scheme: "https")),
        MalformedRequest("an empty :authority", Frames.request("GET", "/", host: "")),
        MalformedRequest(":authority with user information", Frames.request("GET", "/", host: "user@example.org")),
        MalformedRequest(":authority with a space", Frames.request("GET", "/", host: "a b")),
        MalformedRequest("Host that differs", with([("host", "other.example")])),
        MalformedRequest("Host twice", with([("host", "example.org"), ("host", "example.org")])),
        MalformedRequest("Content-Length twice", with([("content-length", "0"), ("content-length", "0")])),
        MalformedRequest("Content-Length with a sign", with([("content-length", "+1")])),
        MalformedRequest("Content-Length that is empty", with([("content-length", "")])),
        MalformedRequest("Content-Length as a list", with([("content-length", "0, 0")])),
        MalformedRequest("Content-Length beyond counting", with([("content-length", "99999999999999999999")])),
        MalformedRequest("Content-Length without content", with([("content-length", "1")])),
        MalformedRequest("CONNECT with :path", Frames.request("CONNECT", "/")),
        MalformedRequest("CONNECT without :authority", [(":method", "CONNECT")]),
        MalformedRequest(":protocol without CONNECT", Frames.request("GET", "/") + [(":protocol", "websocket")]),
    ]
}
