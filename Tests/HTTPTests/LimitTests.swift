// COLD. Sizes: 414 and 431, in the order of the bytes.
import Bytes
import HTTP
import Testing

@Suite("Limits")
struct LimitTests {
    /// Limits small enough to be met by short texts.
    private static var small: HeadLimits {
        var limits = HeadLimits()
        limits.requestLine = 40
        limits.head = 200
        limits.field = 50
        limits.authorizationField = 80
        limits.cookieField = 70
        limits.fields = 5
        limits.trailers = 60
        return limits
    }

    private func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

    @Test("The request line's limit is exact: 414 beyond it")
    func requestLine() {
        // "GET /…a HTTP/1.1" of 40 and 41 bytes.
        let fits = "GET /\(letters(26)) HTTP/1.1\r\nHost: a\r\n\r\n"
        let over = "GET /\(letters(27)) HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(ParsedRequest(fits, limits: LimitTests.small).outcome == .complete)
        #expect(ParsedRequest(over, limits: LimitTests.small).error == .requestLineTooLong)
        #expect(ProtocolError.requestLineTooLong.status == 414)
        // Already before the line ends.
        #expect(ParsedRequest("GET /\(letters(60))", limits: LimitTests.small).error == .requestLineTooLong)
    }

    @Test("A method has up to 32 bytes: 501 beyond them")
    func method() {
        #expect(ParsedRequest(request(method: letters(32))).outcome == .complete)
        #expect(ParsedRequest(request(method: letters(33))).error == .methodTooLong)
        #expect(ParsedRequest(letters(33)).error == .methodTooLong)
        #expect(ProtocolError.methodTooLong.status == 501)
    }

    @Test("A field's limit is exact, and another one for Authorization and for Cookie: 431 beyond it")
    func field() {
        let limits = LimitTests.small
        #expect(ParsedRequest(request("X: \(letters(47))"), limits: limits).outcome == .complete)
        #expect(ParsedRequest(request("X: \(letters(48))"), limits: limits).error == .fieldTooLarge)
        #expect(
            ParsedRequest(request("X:\(String(repeating: " ", count: 49))"), limits: limits).error == .fieldTooLarge
        )
        #expect(ParsedRequest(request("Authorization: \(letters(65))"), limits: limits).outcome == .complete)
        #expect(ParsedRequest(request("Authorization: \(letters(66))"), limits: limits).error == .fieldTooLarge)
        #expect(ParsedRequest(request("Cookie: \(letters(62))"), limits: limits).outcome == .complete)
        #expect(ParsedRequest(request("Cookie: \(letters(63))"), limits: limits).error == .fieldTooLarge)
        #expect(ParsedRequest(request("\(letters(60)): x"), limits: limits).error == .fieldTooLarge)
        #expect(ProtocolError.fieldTooLarge.status == 431)
        let open = "GET / HTTP/1.1\r\n"
        #expect(ParsedRequest(open + letters(60), limits: limits).error == .fieldTooLarge)
        #expect(ParsedRequest(open + "X: \(letters(60))", limits: limits).error == .fieldTooLarge)
        #expect(ParsedRequest(open + "X: \(letters(40))", limits: limits).outcome == .needMore)
    }

    @Test("The head's limit is exact: 431 beyond it")
    func head() {
        var limits = LimitTests.small
        let text = request("X: \(letters(40))", "Y: \(letters(40))")
        limits.head = text.utf8.count
        #expect(ParsedRequest(text, limits: limits).outcome == .complete)
        limits.head -= 1
        #expect(ParsedRequest(text, limits: limits).error == .headTooLarge)
        #expect(ParsedRequest(latin1(text).dropLast(), limits: limits).error == .headTooLarge)
        #expect(ProtocolError.headTooLarge.status == 431)
        // The skipped CRLF is not part of it.
        limits.head += 1
        #expect(ParsedRequest("\r\n" + text, limits: limits).outcome == .complete)
    }

    @Test("The number of fields is exact: 431 beyond it")
    func fields() {
        let limits = LimitTests.small
        #expect(ParsedRequest(request("A: 1", "B: 2", "C: 3", "D: 4"), limits: limits).outcome == .complete)
        #expect(ParsedRequest(request("A: 1", "B: 2", "C: 3", "D: 4", "E: 5"), limits: limits).error == .tooManyFields)
        #expect(ProtocolError.tooManyFields.status == 431)
        // The table's own capacity holds even where the limit is greater.
        let bytes = latin1(request("A: 1", "B: 2"))
        let parsed = ParsedRequest(bytes, head: RequestHead(maxFields: 2))
        #expect(parsed.error == .tooManyFields)
    }

    @Test("Cookies are counted over all their fields: 431 beyond the limit")
    func cookies() {
        let cookies = (1...128).map { "c\($0)=v" }.joined(separator: "; ")
        #expect(ParsedRequest(request("Cookie: \(cookies)", "Cookie: \(cookies)")).outcome == .complete)
        let over = request("Cookie: \(cookies)", "X: y", "Cookie: \(cookies); x=y")
        #expect(ParsedRequest(over).error == .tooManyCookies)
        #expect(ProtocolError.tooManyCookies.status == 431)
    }

    @Test("The trailer section's limit is exact")
    func trailers() {
        let limits = LimitTests.small
        let fits = "X: \(letters(53))\r\n\r\n"
        #expect(ParsedTrailers("X: \(letters(20))\r\nY: \(letters(28))\r\n\r\n", limits: limits).outcome == .complete)
        let over = "X: \(letters(20))\r\nY: \(letters(29))\r\n\r\n"
        #expect(ParsedTrailers(over, limits: limits).outcome == .refuse(.trailersTooLarge))
        #expect(ParsedTrailers(fits, limits: limits).outcome == .refuse(.trailersTooLarge))
        #expect(ParsedTrailers(letters(70), limits: limits).outcome == .refuse(.trailersTooLarge))
    }

    @Test("A response that is too large is a 502")
    func response() {
        let limits = LimitTests.small
        #expect(ParsedResponse("HTTP/1.1 200 \(letters(60))\r\n\r\n", limits: limits).error == .upstreamHeadTooLarge)
        #expect(
            ParsedResponse("HTTP/1.1 200 OK\r\nX: \(letters(60))\r\n", limits: limits).error == .upstreamHeadTooLarge
        )
        let many = String(repeating: "X: y\r\n", count: 6)
        #expect(ParsedResponse("HTTP/1.1 200 OK\r\n\(many)\r\n", limits: limits).error == .upstreamHeadTooLarge)
        #expect(ProtocolError.upstreamHeadTooLarge.status == 502)
    }

    @Test("A canonical path is as long as its target's memory: 414 beyond it")
    func path() {
        #expect(canonical("/\(letters(15))", capacity: 16) == .success("/\(letters(15))"))
        #expect(canonical("/\(letters(16))", capacity: 16) == .failure(.pathTooLong))
        #expect(canonical("/\(letters(14))/", capacity: 16) == .success("/\(letters(14))/"))
        #expect(canonical("/\(letters(15))/", capacity: 16) == .failure(.pathTooLong))
        #expect(canonical("/\(letters(13))|", capacity: 16) == .failure(.pathTooLong))
        #expect(canonical("/\(letters(13))%20", capacity: 16) == .failure(.pathTooLong))
        #expect(canonical("/\(letters(15))%41", capacity: 16) == .failure(.pathTooLong))
        #expect(canonical("/\(letters(12))%20", capacity: 16) == .success("/\(letters(12))%20"))
        #expect(ProtocolError.pathTooLong.status == 414)
    }
}
