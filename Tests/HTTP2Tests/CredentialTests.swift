// COLD. Long credentials that are known by their compressed bytes: what comes out is what came in, each time.
import HTTP2
import Testing

@Suite("credentials in HTTP/2 requests")
struct CredentialTests {
    /// Eight letters in Huffman code take five bytes (RFC 7541 appendix B).
    private static let manyA: [UInt8] = [0x18, 0xc6, 0x31, 0x8c, 0x63]
    private static let manyC: [UInt8] = [0x21, 0x08, 0x42, 0x10, 0x84]
    /// Four blanks.
    private static let blanks: [UInt8] = [0x51, 0x45, 0x14]

    /// A compressed `authorization` that is never indexed.
    private static func field(_ unit: [UInt8], _ count: Int) -> [UInt8] {
        let text = Array(repeatElement(unit, count: count).joined())
        var length = Frames.integer(text.count)
        length[0] |= 0x80
        return [0x1f, 0x08] + length + text
    }

    private func head(_ extra: [UInt8]...) -> [UInt8] {
        Frames.block(Frames.request("GET", "/")) + extra.joined()
    }

    private func request(_ blocks: [UInt8]...) -> ServerEnd {
        let server = ServerEnd()
        server.feed(Frames.opening)
        for (index, block) in blocks.enumerated() {
            var frames = Frames()
            frames.add(1, 5, 2 * index + 1, block)
            server.feed(frames)
        }
        return server
    }

    private func expected(_ values: String...) -> String {
        "GET / HTTP/1.1\r\nhost: example.org\r\n" + values.map { "authorization: \($0)\r\n" }.joined() + "\r\n"
    }

    @Test("a token comes out the same however often it comes, and others in between", arguments: [20, 26, 60, 400])
    func again(count: Int) {
        let a = Self.field(Self.manyA, count)
        let c = Self.field(Self.manyC, count)
        let server = request(head(a), head(c), head(a), head(a), head(c))
        for (stream, letter) in [(1, "a"), (3, "c"), (5, "a"), (7, "a"), (9, "c")] as [(Int32, String)] {
            #expect(server.heads[stream] == expected(String(repeating: letter, count: 8 * count)))
        }
    }

    @Test("fields around it stay in their places")
    func around() {
        let a = Self.field(Self.manyA, 60)
        let block = Frames.block([("before", "1")]) + a + Frames.block([("after", "2")])
        let server = request(head(block), head(block))
        let value = String(repeating: "a", count: 480)
        for stream in [1, 3] as [Int32] {
            #expect(
                server.heads[stream]
                    == "GET / HTTP/1.1\r\nhost: example.org\r\nbefore: 1\r\nauthorization: \(value)\r\nafter: 2\r\n\r\n"
            )
        }
    }

    @Test("two of them are both passed on, for the parser to refuse")
    func two() {
        let a = Self.field(Self.manyA, 60)
        let c = Self.field(Self.manyC, 60)
        let server = request(head(a), head(a, c), head(c, Frames.block([("authorization", "x")])))
        let long = (String(repeating: "a", count: 480), String(repeating: "c", count: 480))
        #expect(server.heads[3] == expected(long.0, long.1))
        #expect(server.heads[5] == expected(long.1, "x"))
    }

    @Test("the table of the compression goes on as if nothing had been left out")
    func table() {
        let a = Self.field(Self.manyA, 60)
        let indexed = [0x40] + Frames.text("x-kept") + Frames.text("value")
        let server = request(head(a, indexed), head([0xbe], a), head(a, [0xbe]))
        let value = String(repeating: "a", count: 480)
        #expect(server.heads[3]?.contains("x-kept: value\r\nauthorization: \(value)\r\n") == true)
        #expect(server.heads[5]?.contains("authorization: \(value)\r\nx-kept: value\r\n") == true)
    }

    @Test("a value that may not be one is as malformed as when it comes plain")
    func malformed() {
        let compressed = request(head(Self.field(Self.blanks, 40)), head(Self.field(Self.blanks, 40)))
        let plain = request(
            head(Frames.block([("authorization", String(repeating: " ", count: 160))])),
            head(Frames.block([("authorization", String(repeating: " ", count: 160))]))
        )
        #expect(compressed.events == plain.events)
        #expect(compressed.heads == plain.heads)
    }

    @Test("what is no Huffman code ends the connection")
    func noCode() {
        let server = request(head(Self.field([0xff], 200)))
        #expect(server.written().last?.type == 7)
        #expect(server.heads[1] == nil)
    }

    @Test("a section that is cut in the middle of it ends the connection", arguments: [1, 90, 299])
    func cut(missing: Int) {
        let server = request(head(Array(Self.field(Self.manyA, 60).dropLast(missing))))
        #expect(server.written().last?.type == 7)
        #expect(server.heads[1] == nil)
    }

    @Test("a head that is too large with it is refused")
    func tooLarge() {
        var limits = HTTP2Limits()
        limits.headerList = 400
        let server = ServerEnd(limits)
        var frames = Frames.opening
        frames.add(1, 5, 1, head(Self.field(Self.manyA, 60)))
        server.feed(frames)
        #expect(server.events == ["refuse 1 431"])
    }
}
