// COLD. Request lines: RFC 9112 §2.2, §2.3 and §3, and RFC 9110 §9.1.
import Bytes
import HTTP
import Testing

@Suite("Request lines")
struct RequestLineTests {
    @Test(
        "A line that is not method, one space, target, one space, version is refused",
        arguments: [
            (" GET / HTTP/1.1", .requestLineMalformed),
            ("\tGET / HTTP/1.1", .methodMalformed),
            ("GET  / HTTP/1.1", .requestLineMalformed),
            ("GET /  HTTP/1.1", .requestLineMalformed),
            ("GET / HTTP/1.1 ", .versionMalformed),
            ("GET / HTTP/1.1\t", .versionMalformed),
            ("GET / HTTP/1.1 x", .versionMalformed),
            ("GET\t/\tHTTP/1.1", .methodMalformed),
            ("GET\t/ HTTP/1.1", .methodMalformed),
            ("GET /\tHTTP/1.1", .targetCharacter),
            ("GET\u{0b}/ HTTP/1.1", .methodMalformed),
            ("GET /\u{0c}HTTP/1.1", .targetCharacter),
            ("GET\u{a0}/ HTTP/1.1", .methodMalformed),
            ("GET", .requestLineMalformed),
            ("GET ", .requestLineMalformed),
            ("GET /", .requestLineMalformed),
            ("GET / ", .requestLineMalformed),
            ("GET HTTP/1.1", .requestLineMalformed),
            ("GET /a b HTTP/1.1", .versionMalformed),
            ("", .requestLineMalformed),
            ("/ HTTP/1.1", .methodMalformed),
            ("G(T / HTTP/1.1", .methodMalformed),
            ("G:T / HTTP/1.1", .methodMalformed),
            ("\"GET\" / HTTP/1.1", .methodMalformed),
            ("G\u{00}T / HTTP/1.1", .methodMalformed),
            ("G\u{e9}T / HTTP/1.1", .methodMalformed),
            ("\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\u{00}", .methodMalformed),
        ] as [(String, ProtocolError)]
    )
    func malformed(line: String, error: ProtocolError) {
        // A line that ends too early may be empty: that is the leading CRLF, then another one.
        let text = (line.isEmpty ? "\r\n" : "") + line + "\r\nHost: a\r\n\r\n"
        #expect(ParsedRequest(text).error == error)
    }

    @Test(
        "Versions other than HTTP/1.0 and HTTP/1.1 are refused",
        arguments: [
            ("HTTP/0.9", .versionNotSupported),
            ("HTTP/1.2", .versionNotSupported),
            ("HTTP/1.9", .versionNotSupported),
            ("HTTP/2.0", .versionNotSupported),
            ("HTTP/3.0", .versionNotSupported),
            ("HTTP/0.1", .versionNotSupported),
            ("HTTP/2", .versionMalformed),
            ("HTTP/1", .versionMalformed),
            ("HTTP/1.", .versionMalformed),
            ("HTTP/1.10", .versionMalformed),
            ("HTTP/01.1", .versionMalformed),
            ("HTTP/1.01", .versionMalformed),
            ("HTTP/1,1", .versionMalformed),
            ("HTTP/1.x", .versionMalformed),
            ("HTTP/a.1", .versionMalformed),
            ("HTTP/-1.1", .versionMalformed),
            ("HTTP /1.1", .requestLineMalformed),
            ("HTTP 1.1", .requestLineMalformed),
            ("http/1.1", .versionMalformed),
            ("Http/1.1", .versionMalformed),
            ("HTTPS/1.1", .versionMalformed),
            ("XHTTP/1.1", .versionMalformed),
            ("HTTP/1.1;", .versionMalformed),
            ("HTTP/1.\u{b1}", .versionMalformed),
            ("ICY/1.1", .versionMalformed),
        ] as [(String, ProtocolError)]
    )
    func versions(version: String, error: ProtocolError) {
        #expect(ParsedRequest("GET / \(version)\r\nHost: a\r\n\r\n").error == error)
    }

    @Test("HTTP/2's preface is refused, and HTTP/2.0 is a version that is not supported")
    func preface() {
        #expect(ParsedRequest("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").error?.status == 400)
        #expect(ParsedRequest("GET / HTTP/2.0\r\n\r\n").error?.status == 505)
    }

    @Test(
        "Methods are exact tokens; another case is another method",
        arguments: [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("TRACE", .trace),
            ("PATCH", .patch), ("OPTIONS", .options), ("get", .other), ("Get", .other), ("GETX", .other),
            ("PROPFIND", .other), ("!#$%&'*+-.^_`|~", .other), ("VERSION-CONTROL", .other), ("connect", .other),
        ] as [(String, HTTP.Method)]
    )
    func methods(name: String, method: HTTP.Method) {
        let parsed = ParsedRequest(request(method: name))
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.method == method)
        #expect(parsed.text(parsed.head.methodName) == name)
        if method != .other { #expect("\(method.token)" == name) }
    }

    @Test("Repeating a request is safe for the methods RFC 9110 §9.2.2 names and no other")
    func idempotent() {
        let all: [HTTP.Method] = [.get, .head, .post, .put, .delete, .connect, .options, .trace, .patch, .other]
        #expect(all.filter(\.isIdempotent) == [.get, .head, .put, .delete, .options, .trace])
    }

    @Test("CONNECT is not supported, whatever its target")
    func connect() {
        for target in ["a:443", "/", "http://a/", "*"] {
            #expect(ParsedRequest("CONNECT \(target) HTTP/1.1\r\nHost: a\r\n\r\n").error == .connectNotSupported)
        }
    }

    @Test("One CRLF before the request line is skipped, and nothing else is")
    func leadingLines() {
        let plain = request()
        let parsed = ParsedRequest("\r\n" + plain)
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.length == plain.utf8.count + 2)
        #expect(parsed.text(parsed.head.methodName) == "GET")
        #expect(ParsedRequest("\r\n\r\n" + plain).error == .requestLineMalformed)
        #expect(ParsedRequest("\n" + plain).error == .bareLineFeed)
        #expect(ParsedRequest("\r" + plain).error == .bareCarriageReturn)
        #expect(ParsedRequest("\r\r\n" + plain).error == .bareCarriageReturn)
        #expect(ParsedRequest(" \r\n" + plain).error == .requestLineMalformed)
    }

    @Test("The line ends with CRLF, not with LF or CR alone")
    func lineEnd() {
        #expect(ParsedRequest("GET / HTTP/1.1\nHost: a\r\n\r\n").error == .bareLineFeed)
        #expect(ParsedRequest("GET / HTTP/1.1\rHost: a\r\n\r\n").error == .bareCarriageReturn)
        #expect(ParsedRequest("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n").error == .bareCarriageReturn)
        #expect(ParsedRequest("GET /\nHost: a\r\n\r\n").error == .bareLineFeed)
        #expect(ParsedRequest("GET\n").error == .bareLineFeed)
    }

    @Test("Space, control, `#` and non-ASCII bytes in a target are refused, every other visible byte is not")
    func targetBytes() {
        for byte in UInt8.min...UInt8.max {
            // At the start, in the sixteen-byte steps, and at the tail of a target.
            for place in [1, 7, 16, 17, 30] {
                var target = [UInt8](repeating: UInt8(ascii: "a"), count: 32)
                target[0] = UInt8(ascii: "/")
                target[place] = byte
                let parsed = ParsedRequest(latin1("GET ") + target + latin1(" HTTP/1.1\r\nHost: a\r\n\r\n"))
                let isGood = byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "#")
                #expect((parsed.outcome == .complete) == isGood, "byte \(byte) at \(place)")
                if !isGood { #expect(parsed.error?.status == 400) }
            }
        }
    }

    @Test(
        "Targets in none of the four forms are refused",
        arguments: [
            ("GET", "*", .targetMalformed),
            ("OPTIONS", "**", .targetMalformed),
            ("OPTIONS", "*?x", .targetMalformed),
            ("GET", "a", .targetMalformed),
            ("GET", "a:80", .targetMalformed),
            ("GET", "?x", .targetMalformed),
            ("GET", "http:/a", .targetMalformed),
            ("GET", "http:a", .targetMalformed),
            ("GET", "://a/", .targetMalformed),
            ("GET", "\\a", .targetMalformed),
            ("GET", "%2Fa", .targetMalformed),
            ("GET", "ftp://a/", .targetScheme),
            ("GET", "file:///etc/passwd", .targetScheme),
            ("GET", "httpx://a/", .targetScheme),
            ("GET", "ws://a/", .targetScheme),
            ("GET", "http://", .hostMalformed),
            ("GET", "http:///a", .hostMalformed),
            ("GET", "http://?x", .hostMalformed),
            ("GET", "http://u@a/", .targetUserinfo),
            ("GET", "http://u:p@a/", .targetUserinfo),
            ("GET", "http://@a/", .targetUserinfo),
            ("GET", "http://a,b/", .hostMalformed),
            ("GET", "http://a\\b/", .hostMalformed),
            ("GET", "http://%61/", .hostMalformed),
            ("GET", "http://a:/b:80@c/", nil),
            ("GET", "http://a:0/", .portMalformed),
            ("GET", "http://a:65536/", .portMalformed),
        ] as [(String, String, ProtocolError?)]
    )
    func targets(method: String, target: String, error: ProtocolError?) {
        #expect(ParsedRequest("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\r\n").error == error)
    }

    @Test(
        "An absolute target gives host and path, whatever Host says",
        arguments: [
            ("http://b/x?y", "b", -1, "/x?y"),
            ("http://b", "b", -1, ""),
            ("http://b?q", "b", -1, "?q"),
            ("HTTPS://B:8443/", "B", 8443, "/"),
            ("http://[::1]:80/p", "[::1]", 80, "/p"),
            ("http://b./", "b", -1, "/"),
            ("http://b//c@d", "b", -1, "//c@d"),
        ]
    )
    func absolute(target: String, host: String, port: Int, path: String) {
        let parsed = ParsedRequest("GET \(target) HTTP/1.1\r\nHost: a:1\r\n\r\n")
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.form == .absolute)
        #expect(parsed.text(parsed.head.host) == host)
        #expect(parsed.head.port == port)
        #expect(parsed.head.isHTTPS == target.hasPrefix("HTTPS"))
        #expect(parsed.text(parsed.head.pathAndQuery) == path)
        // Host is still needed, and must still be right.
        #expect(ParsedRequest("GET \(target) HTTP/1.1\r\n\r\n").error == .hostMissing)
        #expect(ParsedRequest("GET \(target) HTTP/1.1\r\nHost: a,b\r\n\r\n").error == .hostMalformed)
    }

    @Test("The asterisk form is for OPTIONS")
    func asterisk() {
        let parsed = ParsedRequest("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.form == .asterisk)
        #expect(parsed.text(parsed.head.pathAndQuery) == "*")
    }
}
