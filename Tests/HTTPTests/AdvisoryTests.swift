// COLD. Ways in which other gateways were broken: a test for each rule that belongs to the protocol layer.
import Bytes
import HTTP
import Testing

@Suite("Advisories")
struct AdvisoryTests {
    private func refused(_ text: String) -> Int? { ParsedRequest(text).error?.status }

    @Test("A1 (GHSA-p224-6x5r-fjpm): one canonical path, computed once")
    func oneCanonicalPath() {
        #expect(canonical("/public/../admin") == .success("/admin"))
        #expect(canonical("/public/%2e%2e/admin") == .failure(.pathEscapedDots))
        #expect(canonical("/%61dmin") == .success("/admin"))
    }

    @Test("A2 (CVE-2025-54576): the path is seen without the query")
    func pathWithoutQuery() {
        let bytes = latin1("/admin?/public/x")
        let target = CanonicalTarget(capacity: 100)
        #expect(target.read(bytes) == nil)
        #expect(String(decoding: target.path, as: UTF8.self) == "/admin")
        #expect(text(bytes, target.query) == "/public/x")
    }

    @Test("A3 (CVE-2026-41059, CVE-2023-45539): `#`, NUL, controls, space and non-ASCII bytes in a target are a 400")
    func targetCharacters() {
        for byte in ["#", "\u{00}", "\u{01}", "\u{7f}", " ", "\u{80}", "\u{e9}", "\t"] {
            #expect(refused("GET /a\(byte)b HTTP/1.1\r\nHost: a\r\n\r\n") == 400)
            #expect(refused("GET /a?\(byte)b HTTP/1.1\r\nHost: a\r\n\r\n") == 400)
        }
    }

    @Test("A4 (GHSA-gm3x-23wp-hc2c): encoded separators are a 400 by default; where allowed they separate nothing")
    func encodedSeparators() {
        for escape in ["%2f", "%5c", "%00", "%3b", "%3f", "%23"] {
            guard case .failure(let error) = canonical("/public\(escape)..\(escape)admin") else {
                Issue.record("\(escape) was accepted")
                continue
            }
            #expect(error.status == 400)
        }
        #expect(canonical("/a%2fb", encodedSlashes: true) == .success("/a%2Fb"))
    }

    @Test("A5 (CVE-2026-65600, CVE-2026-40912): a rewritten path is canonical again and stays under its prefix")
    func rewrittenPath() {
        let bytes = latin1("/api/x")
        let target = CanonicalTarget(capacity: 100)
        #expect(target.read(bytes) == nil)
        for prefix in ["/v/..", "/..", "/v/%2e%2e", "//"] {
            let error = latin1(prefix).withUnsafeBufferPointer { target.replacePrefix(segments: 1, with: $0) }
            #expect(error == .rewriteOutsidePrefix)
            #expect(String(decoding: target.path, as: UTF8.self) == "/api/x")
        }
    }

    @Test("A6 (CVE-2026-26205, CVE-2021-31920): `//` is merged and never an authority")
    func doubleSlash() {
        let parsed = ParsedRequest("GET //evil/admin HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(parsed.head.form == .origin)
        #expect(parsed.text(parsed.head.host) == "a")
        #expect(canonical("//evil/admin") == .success("/evil/admin"))
        #expect(canonical("/x//admin") == .success("/x/admin"))
    }

    @Test("A7 (CVE-2026-27588): port and trailing dot are taken off the host once")
    func host() {
        let parsed = ParsedRequest(request("Host: API.Example.com.:443", host: false))
        #expect(parsed.text(parsed.head.host) == "API.Example.com")
        #expect(parsed.head.port == 443)
        #expect(refused(request("Host: a..", host: false)) == 400)
    }

    @Test("A8 (CVE-2026-27590): no index crosses a transform: the path is bytes of its own")
    func noIndexCrosses() {
        let bytes = latin1("/%61%62%63/%7e?q=1")
        let target = CanonicalTarget(capacity: 100)
        #expect(target.read(bytes) == nil)
        #expect(String(decoding: target.path, as: UTF8.self) == "/abc/~")
        #expect(text(bytes, target.query) == "q=1")
    }

    @Test("B12 (CVE-2025-64484, CVE-2026-39858), B13: names outside [A-Za-z0-9-] are flagged")
    func aliases() {
        for name in ["X_Forwarded_User", "X.Authenticated.User", "X-User_Id", "X~User", "X|User", "X'User", "X!User"] {
            let parsed = ParsedRequest(request("\(name): admin"))
            #expect(parsed.outcome == .complete)
            #expect(parsed.head.hasUnusualNames)
            #expect(parsed.head[1].hasUnusualName)
            #expect(parsed.head[1].id == .other)
        }
        #expect(!ParsedRequest(request("X-Forwarded-User: a")).head.hasUnusualNames)
    }

    @Test("B15 (GHSA-w9mr-28mw-j8hg, CVE-2025-48865): what Connection names is marked; an essential name is a 400")
    func connectionNames() {
        let parsed = ParsedRequest(request("Connection: X-User", "X-User: a"))
        #expect(parsed.head[2].connectionNamed && parsed.head[2].isDropped)
        for name in ["Authorization", "X-Forwarded-For", "X-Forwarded-User", "X-Real-Ip", "Host", "Cookie"] {
            #expect(refused(request("Connection: close, \(name)")) == 400)
        }
    }

    @Test("B16 (CVE-2026-31838, CVE-2026-26308): singletons twice are a 400")
    func singletons() {
        for line in ["Authorization: Bearer a", "Host: a", "Content-Length: 1"] {
            #expect(refused(request(line, line)) == 400)
        }
    }

    @Test("B17 (CVE-2020-14359): names are folded, methods are not")
    func folding() {
        for name in ["authorization", "AUTHORIZATION", "aUTHORIZATION"] {
            #expect(ParsedRequest(request("\(name): Bearer a")).head.count(.authorization) == 1)
        }
        #expect(refused(request("Authorization: a", "AUTHORIZATION: b")) == 400)
        #expect(ParsedRequest(request(method: "get")).head.method == .other)
    }

    @Test("B18 (ls-hpack #22): blanks are never stripped from a name")
    func blanksInNames() {
        for name in ["X-User ", "X-User\t", " X-User", "X -User"] {
            #expect(refused(request("\(name): a")) == 400)
        }
    }

    @Test("E40 (CVE-2021-40346, CVE-2023-25725, CVE-2023-40225): long and empty names, bad lengths")
    func namesAndLengths() {
        // The name's length is no byte: 270 letters, then what a wrapped length would hide.
        let long = "Content-Length0" + String(repeating: "a", count: 255)
        let parsed = ParsedRequest(request("\(long):", "Content-Length: 20", method: "POST"))
        #expect(parsed.head.framing == .length(20))
        #expect(parsed.head[1].id == .other)
        #expect(refused(request(": x", "Content-Length: 5")) == 400)
        #expect(refused(request(":", "Host: b")) == 400)
        for length in ["", "+5", "-5", "0x5", "5, 5", "5,6"] {
            #expect(refused(request("Content-Length: \(length)")) == 400)
        }
        #expect(refused(request("Content-Length: 5", "Content-Length: 5")) == 400)
    }

    @Test("E41 (CVE-2026-2835): Transfer-Encoding is chunked, in HTTP/1.1 and alone; a request never lasts until close")
    func transferEncoding() {
        #expect(refused(request("Transfer-Encoding: chunked", "Content-Length: 5")) == 400)
        #expect(refused(request("Transfer-Encoding: chunked", version: "1.0")) == 400)
        #expect(refused(request("Transfer-Encoding: identity")) == 400)
        #expect(refused(request("Transfer-Encoding: identity, chunked")) == 501)
        #expect(refused(request("Transfer-Encoding: chunked, identity")) == 400)
        for version in ["1.0", "1.1"] {
            #expect(ParsedRequest(request("Connection: close", method: "POST", version: version)).head.framing == .none)
        }
    }

    @Test("E42 (CVE-2025-22871): CRLF only in chunk lines, strict sizes, checked extensions, no folding")
    func chunkLines() {
        #expect(DecodedChunks("5\nhello\r\n0\r\n\r\n").error == .chunkLineEnd)
        #expect(DecodedChunks("5;a\nhello\r\n0\r\n\r\n").error == .chunkLineEnd)
        #expect(DecodedChunks("5;a=\"\r\n\"\r\nhello").error == .chunkLineEnd)
        #expect(DecodedChunks("0x5\r\nhello").error == .chunkSizeMalformed)
        #expect(DecodedChunks("000000005\r\nhello").error == .chunkSizeMalformed)
        #expect(refused(request("X: a\r\n b")) == 400)
    }

    @Test("E44 (haproxy #290): a connection with doubtful framing is not used again")
    func framingDoubt() {
        #expect(!ParsedResponse(response()).head.keepAlive)
        #expect(!ParsedResponse(response("Content-Length: 5", status: 204)).head.keepAlive)
        #expect(ParsedResponse(response("Content-Length: 5", status: 100)).error == .upstreamFraming)
        #expect(ParsedResponse(response("Content-Length: 5", "Transfer-Encoding: chunked")).error == .upstreamFraming)
    }

    @Test("E45 (CVE-2024-45808): what is said about a violation echoes no input", arguments: ProtocolError.allCases)
    func noEcho(error: ProtocolError) {
        // Both are literals; no value of a message can reach them.
        let texts: [StaticString] = [error.code, error.detail]
        #expect(texts.allSatisfy { $0.utf8CodeUnitCount > 0 })
    }
}
