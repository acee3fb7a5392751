// COLD. Heads that are accepted, and what is read from them.
import Bytes
import HTTP
import Testing

@Suite("Request heads that are accepted")
struct RequestParserTests {
    @Test("A plain request is read in full")
    func plain() {
        let request = ParsedRequest(
            "GET /a/b?c=d HTTP/1.1\r\nHost: Example.com:8080\r\nAccept:  */* \t\r\nX-Empty:\r\nX-Y: z\r\n\r\nrest"
        )
        #expect(request.outcome == .complete)
        let head = request.head
        #expect(head.method == .get)
        #expect(request.text(head.methodName) == "GET")
        #expect(request.text(head.target) == "/a/b?c=d")
        #expect(request.text(head.pathAndQuery) == "/a/b?c=d")
        #expect(head.form == .origin)
        #expect(head.version == .http11)
        #expect(request.text(head.authority) == "Example.com:8080")
        #expect(request.text(head.host) == "Example.com")
        #expect(head.port == 8080)
        #expect(head.framing == .none)
        #expect(head.keepAlive)
        #expect(!head.expectsContinue)
        #expect(head.upgrade.isEmpty)
        #expect(!head.teTrailers)
        #expect(head.length == request.bytes.count - 4)
        #expect(head.fieldCount == 4)
        #expect(request.text(head[1].value) == "*/*")
        #expect(head[2].value.isEmpty)
        #expect(request.kept == ["Accept: */*", "X-Empty: ", "X-Y: z"])
        #expect(request.written == "Accept: */*\r\nX-Empty: \r\nX-Y: z\r\n")
    }
}
