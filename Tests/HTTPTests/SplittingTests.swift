// COLD. How bytes are split on their way changes nothing: every prefix needs more or has the final answer.
import Bytes
import HTTP
import Testing

@Suite("Splitting")
struct SplittingTests {
    private static func letters(_ count: Int) -> String { String(repeating: "a", count: count) }
    private static func blanks(_ count: Int) -> String { String(repeating: " ", count: count) }

    static let requests: [String] = goodRequests + badLines + badFields + largeFields

    private static let goodRequests: [String] = [
        request("Accept: */*", "Content-Length: 12") + "and content",
        "\r\n" + request("X: y"),
        "\r\n\r\n" + request(),
        request("Connection: close, x", "X:  y \t", "Transfer-Encoding: chunked") + "0\r\n\r\n",
        "GET http://b:80/x?y HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    ]

    private static let badLines: [String] = [
        "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET / HTTP/1.2\r\n\r\n", "GET / HTTP/1.10\r\n\r\n",
        "GET / foo bar\r\n\r\n", "GET / HT TP/1.1\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\n\n", "GET / HTTP/1.1\rx",
        "GET  / HTTP/1.1\r\n", "GE\u{00}T / HTTP/1.1\r\n", "CONNECT a:1 HTTP/1.1\r\n", "GET a HTTP/1.1\r\n",
        "GET ftp://a/ HTTP/1.1\r\n", "GET http://u@a/ HTTP/1.1\r\n", "GET /# HTTP/1.1\r\n",
        "PROPFINDPROPFINDPROPFINDPROPFINDPROPFIND / HTTP/1.1\r\n",
    ]

    private static let badFields: [String] = [
        request("X : y"), request(" X: y"), request(": y"), request("X"), request("X: \u{00}"), request("X: a\rb"),
        request("X: a\nb"), request("\rX"), request("\nX"), request("Content-Length: -1"), request("Host: b"),
    ]

    private static let largeFields: [String] = [
        request("X: \(letters(45))\u{00}b", "Y: z"),
        request("X: \(letters(48))\u{00}b", "Y: z"),
        request("X: \(letters(49))\u{00}b", "Y: z"),
        request("X: \(letters(50))\rb", "Y: z"),
        request("X: \(letters(47))", "Y: z"),
        request("X: \(letters(48))", "Y: z"),
        request("\(letters(60)) : z"),
        request("A: 1", "B: 2", "C: 3", "D: 4", "E: 5", "F"),
        request("Authorization: \(letters(65))", "X: \(letters(40))"),
        request("Authorization: \(letters(66))\u{00}", "X: y"),
        request("Cookie: \(letters(62))", "X: \(letters(40))"),
        request("Cookie: \(letters(63))\u{00}", "X: y"),
        request("A: \(letters(40))", "B: \(letters(40))", "\u{00}"),
        request("A: \(letters(40))", "B: \(letters(40))", "C : \u{00}"),
        request("A: \(letters(40))", "B: \(letters(21))", "\n"),
        request("A: \(letters(40))", "B: \(letters(46))", "\n"),
        request("A: \(letters(40))", "B: \(letters(47))", "C"),
    ]

    private static var small: HeadLimits {
        var limits = HeadLimits()
        limits.requestLine = 40
        limits.head = 120
        limits.field = 50
        limits.authorizationField = 80
        limits.cookieField = 70
        limits.fields = 6
        return limits
    }

    /// The answer of the first prefix that does not need more, and where that was.
    private func first(_ count: Int, _ parse: (Int) -> ParseOutcome) -> (ParseOutcome, Int)? {
        for end in 0...count {
            let outcome = parse(end)
            if outcome != .needMore { return (outcome, end) }
        }
        return nil
    }

    @Test("A request that arrives byte by byte has the answer it has at once", arguments: requests)
    func requestInBytes(text: String) {
        for limits in [HeadLimits(), SplittingTests.small] {
            let bytes = latin1(text)
            let head = RequestHead()
            let whole = ParsedRequest(bytes, limits: limits)
            #expect(whole.outcome != .needMore)
            let found = first(bytes.count) { end in
                RequestParser.parse(Array(bytes[..<end]).span, into: head, limits: limits)
            }
            #expect(found?.0 == whole.outcome)
            guard let end = found?.1 else { continue }
            if whole.outcome == .complete { #expect(end == whole.head.length) }
            // Whatever comes behind does not change it.
            for longer in end...bytes.count {
                let outcome = RequestParser.parse(Array(bytes[..<longer]).span, into: head, limits: limits)
                #expect(outcome == whole.outcome)
            }
        }
    }

    @Test(
        "A response that arrives byte by byte has the answer it has at once",
        arguments: [
            response("Content-Length: 3", "X: y") + "abc", "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 \r\n\r\n",
            "HTTP/1.0 200 OK\r\nX: y\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/2 200\r\n\r\n",
            "HTTX/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1 20\r\n\r\n\r\n\r\n", "HTTP/1.1 600 X\r\n\r\n",
            "HTTP/1.1 200 \u{7f}\r\n\r\n", "HTTP/1.1 200\n\n", "HTTP/1.1 200 O\nX\n", "HTTP/1.1 200 \r\r\n",
            "HTTP/1.1 200\r\r\n\n", "hello\r\n\r\n", response("X : y"), response(" X: y"),
            "HTTP/1.1 200 \(letters(40))\u{00}\r\n\r\n", response("X" + blanks(60) + "y: z"),
            response("X" + blanks(60) + ": z"), response("Content-Length" + blanks(60) + ": 0"),
        ]
    )
    func responseInBytes(text: String) {
        for limits in [HeadLimits.response, SplittingTests.small] {
            let bytes = latin1(text)
            let head = ResponseHead()
            let whole = ParsedResponse(text, limits: limits)
            let found = first(bytes.count) { end in
                ResponseParser.parse(Array(bytes[..<end]).span, requestMethod: .get, into: head, limits: limits)
            }
            #expect(found?.0 == whole.outcome)
            if whole.outcome == .complete { #expect(found?.1 == whole.head.length) }
        }
    }

    @Test("The scanner calls for the parser whenever its answer may be new", arguments: requests)
    func scanner(text: String) {
        for limits in [HeadLimits(), SplittingTests.small] {
            let bytes = latin1(text)
            let head = RequestHead()
            let whole = ParsedRequest(bytes, limits: limits)
            guard whole.outcome == .complete else { continue }
            for scanned in 0..<whole.head.length {
                guard
                    case .needMore = RequestParser.parse(Array(bytes[..<scanned]).span, into: head, limits: limits)
                else { continue }
                let complete = Array(bytes[..<whole.head.length])
                let isWorth = HeadScanner.isWorthParsing(complete.span, scanned: scanned, limits: limits)
                #expect(isWorth)
            }
        }
    }

    @Test("A head in single bytes is parsed a few times, not once per byte")
    func scannerIsLinear() {
        let bytes = latin1(request("X: \(SplittingTests.letters(7000))"))
        let head = RequestHead()
        var scanned = 0
        var parses = 0
        var outcome = ParseOutcome.needMore
        for end in 1...bytes.count {
            let part = Array(bytes[..<end])
            guard HeadScanner.isWorthParsing(part.span, scanned: scanned) else { continue }
            outcome = RequestParser.parse(part.span, into: head, limits: HeadLimits())
            parses += 1
            scanned = end
        }
        #expect(outcome == .complete)
        #expect(parses < 40)
    }

    @Test("What follows a head is not part of it")
    func pipelined() {
        let one = request("X: 1")
        let two = request("X: 2")
        let parsed = ParsedRequest(one + two)
        #expect(parsed.outcome == .complete)
        #expect(parsed.head.length == one.utf8.count)
        #expect(parsed.kept == ["X: 1"])
        #expect(ParsedRequest(one + "\u{00}\u{ff}garbage").outcome == .complete)
    }
}
