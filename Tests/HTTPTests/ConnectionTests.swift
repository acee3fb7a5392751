// COLD. Connection, Upgrade, TE, Expect, and fields that may stand once: RFC 9110 §5.3, §7.6.1, §7.8, §10.1.
import Bytes
import HTTP
import Testing

@Suite("Connection, Upgrade, TE, Expect")
struct ConnectionTests {
    @Test(
        "Whether the connection stays open",
        arguments: [
            ("1.1", "", true),
            ("1.1", "keep-alive", true),
            ("1.1", "close", false),
            ("1.1", "Close", false),
            ("1.1", "keep-alive, close", false),
            ("1.1", "x, CLOSE ,y", false),
            ("1.1", ",,close,,", false),
            ("1.1", "closed", true),
            ("1.1", "clos", true),
            ("1.1", "Xlose", true),
            ("1.1", "clos_", true),
            ("1.0", "keep_alive", false),
            ("1.0", "xeep-alive", false),
            ("1.0", "keep-alivX", false),
            ("1.0", "KEEP-ALIVE", true),
            ("1.0", "", false),
            ("1.0", "keep-alive", true),
            ("1.0", "Keep-Alive", true),
            ("1.0", "keep-alive, close", false),
            ("1.0", "close", false),
        ]
    )
    func keepAlive(version: String, options: String, stays: Bool) {
        let parsed = ParsedRequest(request("Connection: \(options)", version: version))
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.keepAlive == stays)
        let answer = ParsedResponse(response("Connection: \(options)", "Content-Length: 0", version: version))
        #expect(answer.head.keepAlive == stays)
    }

    @Test("Without Connection, HTTP/1.1 stays open and HTTP/1.0 does not; two fields are one list")
    func keepAliveOther() {
        #expect(ParsedRequest(request()).head.keepAlive)
        #expect(!ParsedRequest(request(version: "1.0")).head.keepAlive)
        #expect(!ParsedRequest(request("Connection: x", "Connection: close")).head.keepAlive)
    }

    @Test(
        "A Connection that is not a list of tokens, or too long a list, is refused",
        arguments: [
            "a b", "a;b", "\"close\"", "a, b c", "close;x=1", "a/b", "\u{e9}", "(x)",
            Array(repeating: "a", count: 33).joined(separator: ","),
        ]
    )
    func malformed(options: String) {
        #expect(ParsedRequest(request("Connection: \(options)")).error == .connectionMalformed)
        #expect(ParsedResponse(response("Connection: \(options)")).error == .upstreamConnection)
    }

    @Test("What Connection names is dropped, in any case and wherever it stands")
    func named() {
        let parsed = ParsedRequest(
            request("X-A: 1", "Connection: x-a, X_B,close", "x-A: 2", "X_b: 3", "X-C: 4", "Connection: x-c", "X-D: 5")
        )
        #expect(parsed.outcome == .complete)
        #expect(parsed.kept == ["X-D: 5"])
        let marked = (0..<parsed.head.fieldCount).filter { parsed.head[$0].connectionNamed }
        #expect(marked == [1, 3, 4, 5])
    }

    @Test(
        "A Connection that names an essential field is refused, whether the field is there or not",
        arguments: [
            "Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie", "Set-Cookie", "Forwarded",
            "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix",
            "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-Request-ID", "Content-Type", "Content-Encoding",
            "Content-Range", "Cache-Control", "Date", "Expect", "Location", "Max-Forwards", "Origin", "Range", "Via",
            "WWW-Authenticate", "Traceparent", "Tracestate", "Proxy-Authorization",
        ]
    )
    func essential(name: String) {
        for options in [name, name.lowercased(), "close, \(name.uppercased())", "\(name),keep-alive"] {
            #expect(ParsedRequest(request("Connection: \(options)")).error == .connectionNamesEssential)
            #expect(ParsedResponse(response("Connection: \(options)", "\(name): 1")).error != .upstreamConnection)
        }
    }

    @Test("In a response Connection takes away what it names, but not the framing")
    func namedInResponse() {
        let parsed = ParsedResponse(
            response("Connection: Content-Length, set-cookie,close", "Set-Cookie: a", "Date: x", "Content-Length: 2")
        )
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.framing == .length(2))
        #expect(parsed.kept == ["Date: x"])
        let chunked = ParsedResponse(response("Transfer-Encoding: chunked", "Connection: transfer-encoding"))
        #expect(chunked.head.framing == .chunked)
    }

    @Test(
        "Whether Connection names fields that would go on, as trailers too",
        arguments: [
            ("close", false), ("keep-alive", false), ("TE", false), ("te, trailer, close", false), ("upgrade", false),
            ("Keep-Alive, upgrade", false), ("x", true), ("close, x", true), ("X_Y", true), ("accept", true),
            ("", false),
        ]
    )
    func namesFields(options: String, names: Bool) {
        #expect(ParsedRequest(request("Connection: \(options)")).head.connectionNamesFields == names)
        #expect(ParsedResponse(response("Connection: \(options)")).head.connectionNamesFields == names)
    }

    @Test(
        "Fields of this hop are never copied",
        arguments: [
            "Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers",
            "Trailer: X", "Transfer-Encoding: chunked", "Upgrade: websocket", "HTTP2-Settings: AAMA",
            "Proxy-Authorization: Basic x", "Proxy-Authenticate: Basic", "Expect: 100-continue", "Content-Length: 1",
        ]
    )
    func hopByHop(line: String) {
        let parsed = ParsedRequest(request(line, "X: y"))
        #expect(parsed.outcome == .complete)
        #expect(parsed.kept == ["X: y"])
    }

    @Test("An upgrade is asked for by Connection and one Upgrade field in HTTP/1.1")
    func upgrade() {
        let parsed = ParsedRequest(request("Connection: Upgrade", "Upgrade: websocket"))
        #expect(parsed.text(parsed.head.upgrade) == "websocket")
        #expect(parsed.kept.isEmpty)
        #expect(ParsedRequest(request("Upgrade: websocket")).head.upgrade.isEmpty)
        #expect(ParsedRequest(request("Connection: upgrade")).head.upgrade.isEmpty)
        #expect(ParsedRequest(request("Connection: upgrade", "Upgrade:")).head.upgrade.isEmpty)
        let old = request("Connection: upgrade", "Upgrade: websocket", version: "1.0")
        #expect(ParsedRequest(old).head.upgrade.isEmpty)
        let two = request("Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c")
        #expect(ParsedRequest(two).head.upgrade.isEmpty)
    }

    @Test(
        "Whether the client takes trailers",
        arguments: [
            ("trailers", true), ("Trailers", true), ("deflate, trailers", true), ("trailers ,x;q=1", true), ("", false),
            ("deflate", false), ("trailersx", false), ("xtrailers", false), ("trailers;q=0", false),
        ]
    )
    func trailers(value: String, takes: Bool) {
        #expect(ParsedRequest(request("TE: \(value)")).head.teTrailers == takes)
        #expect(ParsedRequest(request("TE: x", "X: y", "TE: \(value)")).head.teTrailers == takes)
    }

    @Test("100-continue is expected in HTTP/1.1 with content, and nothing else may be")
    func expect() {
        let expect = "Expect: 100-continue"
        #expect(ParsedRequest(request(expect, "Content-Length: 1")).head.expectsContinue)
        #expect(ParsedRequest(request("Expect: 100-CONTINUE", "Transfer-Encoding: chunked")).head.expectsContinue)
        #expect(!ParsedRequest(request(expect)).head.expectsContinue)
        #expect(!ParsedRequest(request(expect, "Content-Length: 0")).head.expectsContinue)
        #expect(!ParsedRequest(request(expect, "Content-Length: 1", version: "1.0")).head.expectsContinue)
        for value in ["", "100", "100-continue, x", "x", "100-continue;q=1", "200-ok"] {
            #expect(ParsedRequest(request("Expect: \(value)", "Content-Length: 1")).error == .expectationUnknown)
        }
        #expect(ProtocolError.expectationUnknown.status == 417)
    }

    @Test(
        "Fields that may stand once are refused twice, even if they are equal",
        arguments: [
            "Authorization: Bearer a", "Proxy-Authorization: x", "Content-Type: text/plain", "Origin: http://a",
            "Expect: 100-continue", "Max-Forwards: 1",
        ]
    )
    func singletons(line: String) {
        #expect(ParsedRequest(request(line)).outcome == .complete)
        #expect(ParsedRequest(request(line, "X: y", line)).error == .duplicateField)
    }
}
