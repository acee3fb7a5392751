// COLD. Field lines: RFC 9112 §5 and RFC 9110 §5.
import Bytes
import HTTP
import Testing

@Suite("Field lines")
struct FieldSyntaxTests {
    @Test(
        "Malformed field lines are refused",
        arguments: [
            (": x", .fieldNameEmpty),
            (":", .fieldNameEmpty),
            ("::", .fieldNameEmpty),
            ("X : y", .fieldNameSpace),
            ("X\t: y", .fieldNameSpace),
            ("X Y: z", .fieldNameSpace),
            ("X", .fieldNameMalformed),
            ("X-Long-Name-Without-Any-Colon-In-It", .fieldNameMalformed),
            (" X: y", .lineFolding),
            ("\tX: y", .lineFolding),
            (" ", .lineFolding),
            ("X: y\r\n z", .lineFolding),
            ("X: y\r\n\tz", .lineFolding),
            ("X:\r\n y", .lineFolding),
            ("X: y\r\n \r\nZ: z", .lineFolding),
            ("X: y\nZ: z", .bareLineFeed),
            ("X: y\n", .bareLineFeed),
            ("\nX: y", .bareLineFeed),
            ("X\n: y", .bareLineFeed),
            ("X: y\rz", .bareCarriageReturn),
            ("X: y\r", .bareCarriageReturn),
            ("\rX: y", .bareCarriageReturn),
            ("X\r: y", .fieldNameMalformed),
            ("X: \u{00}", .fieldValueCharacter),
            ("X: a\u{00}b", .fieldValueCharacter),
            ("X: a\u{0b}b", .fieldValueCharacter),
            ("X: a\u{0c}b", .fieldValueCharacter),
            ("X: a\u{1b}[0m", .fieldValueCharacter),
            ("X: a\u{7f}", .fieldValueCharacter),
            ("\u{00}: x", .fieldNameMalformed),
            ("\u{0b}X: y", .fieldNameMalformed),
            ("X\u{00}: y", .fieldNameMalformed),
            ("X\u{7f}: y", .fieldNameMalformed),
            ("X\u{e9}: y", .fieldNameMalformed),
            ("\u{ef}\u{bb}\u{bf}X: y", .fieldNameMalformed),
            ("X(Y): z", .fieldNameMalformed),
            ("X/Y: z", .fieldNameMalformed),
            ("X=Y: z", .fieldNameMalformed),
            ("X,Y: z", .fieldNameMalformed),
            ("X;Y: z", .fieldNameMalformed),
            ("X@Y: z", .fieldNameMalformed),
            ("\"X\": z", .fieldNameMalformed),
            ("{X}: z", .fieldNameMalformed),
        ] as [(String, ProtocolError)]
    )
    func malformed(line: String, error: ProtocolError) {
        // Alone, behind another field, and as the first line.
        #expect(ParsedRequest(request(line)).error == error)
        #expect(ParsedRequest(request("Accept: */*", line, "Accept-Language: en")).error == error)
        #expect(ParsedRequest(request(line, "Host: a", host: false)).error == error)
        // In responses white space before the colon is removed instead.
        guard !line.hasPrefix("X :"), !line.hasPrefix("X\t:") else { return }
        #expect(ParsedResponse(response("Server: x", line)).error == .upstreamField)
        #expect(ParsedTrailers(line + "\r\n\r\n").outcome == .refuse(error))
    }

    @Test("Every byte in a name: token bytes pass, those outside [A-Za-z0-9-] are flagged, the rest is refused")
    func nameBytes() {
        let token = Set("!#$%&'*+-.^_`|~".utf8)
        for byte in UInt8.min...UInt8.max where byte != UInt8(ascii: ":") {
            for place in [0, 3, 15, 16, 19] {
                var name = [UInt8](repeating: UInt8(ascii: "x"), count: 20)
                name[place] = byte
                let parsed = ParsedRequest(latin1("GET / HTTP/1.1\r\nHost: a\r\n") + name + latin1(": v\r\n\r\n"))
                let isAlphanumeric =
                    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte >= 0x41
                let isToken = isAlphanumeric || token.contains(byte)
                #expect((parsed.outcome == .complete) == isToken, "byte \(byte) at \(place)")
                guard isToken else { continue }
                let isUsual = isAlphanumeric || byte == UInt8(ascii: "-")
                #expect(parsed.head[1].hasUnusualName == !isUsual, "byte \(byte) at \(place)")
                #expect(parsed.head.hasUnusualNames == !isUsual)
            }
        }
    }

    @Test("Every byte in a value: HTAB, visible bytes and obs-text pass, the rest is refused")
    func valueBytes() {
        for byte in UInt8.min...UInt8.max where byte != 0x0d && byte != 0x0a {
            for place in [0, 3, 15, 16, 19] {
                var value = [UInt8](repeating: UInt8(ascii: "v"), count: 20)
                value[place] = byte
                let parsed = ParsedRequest(latin1("GET / HTTP/1.1\r\nHost: a\r\nX: ") + value + latin1("\r\n\r\n"))
                let isGood = byte == 0x09 || byte >= 0x20 && byte != 0x7f
                #expect((parsed.outcome == .complete) == isGood, "byte \(byte) at \(place)")
            }
        }
    }

    @Test("A wrong byte is found in every place of a long value", arguments: [40, 64, 95, 96, 97, 128, 200])
    func longValues(length: Int) {
        let cases: [(UInt8, Bool)] = [
            (0x00, false), (0x09, true), (0x0a, false), (0x1f, false), (0x20, true), (0x7e, true), (0x7f, false),
            (0x80, true), (0xff, true),
        ]
        for place in 0..<length {
            for (byte, isGood) in cases {
                var value = [UInt8](repeating: UInt8(ascii: "v"), count: length)
                value[place] = byte
                let parsed = ParsedRequest(latin1("GET / HTTP/1.1\r\nHost: a\r\nX: ") + value + latin1("\r\n\r\n"))
                #expect((parsed.outcome == .complete) == isGood, "byte \(byte) at \(place)")
            }
        }
    }

    @Test(
        "White space around a value is not part of it",
        arguments: [
            ("X:y", "y"), ("X: y", "y"), ("X:  y", "y"), ("X:\ty\t", "y"), ("X: \t y \t ", "y"), ("X:", ""),
            ("X: ", ""), ("X: \t ", ""), ("X: a b", "a b"), ("X: a\tb", "a\tb"), ("X: :", ":"),
        ]
    )
    func whiteSpace(line: String, value: String) {
        let parsed = ParsedRequest(request(line))
        #expect(parsed.outcome == .complete)
        #expect(parsed.text(parsed.head[1].value) == value)
        #expect(parsed.written == "X: \(value)\r\n")
    }

    @Test("Fields are written as they came, without the dropped ones, in the same order")
    func written() {
        let parsed = ParsedRequest(
            request(
                "A: 1",
                "B:2",
                "Connection: c",
                "C: 3",
                "D: 4",
                "E:  5",
                "C: 6",
                "F: \u{e9}",
                "TE: trailers",
                "G: 7"
            )
        )
        #expect(parsed.kept == ["A: 1", "B: 2", "D: 4", "E: 5", "F: \u{fffd}", "G: 7"])
        #expect(parsed.written == "A: 1\r\nB: 2\r\nD: 4\r\nE: 5\r\nF: \u{fffd}\r\nG: 7\r\n")
        parsed.head.fields.drop(1)
        #expect(parsed.kept.first == "B: 2")
        #expect(parsed.written.hasPrefix("B: 2\r\nD: 4\r\n"))
    }

    @Test("Every known name is known in any case, and no name near it is", arguments: FieldID.allCases)
    func names(id: FieldID) {
        let name = "\(id.name)"
        guard !name.isEmpty else { return }
        for form in [name, name.uppercased(), name.prefix(1).uppercased() + name.dropFirst()] {
            let parsed = ParsedTrailers("\(form): x\r\n\r\n")
            #expect(parsed.fields[0].id == id)
            #expect(parsed.fields.first(id) == 0)
            #expect(parsed.fields.count(id) == 1)
        }
        for form in ["\(name)x", "x\(name)", "\(name)-", String(name.dropLast()), "\(name.dropLast())_"] {
            #expect(ParsedTrailers("\(form): x\r\n\r\n").fields[0].id != id, "\(form)")
        }
        // A byte in the middle counts as well.
        var middle = Array(name.utf8)
        middle[middle.count / 2] = UInt8(ascii: "0")
        #expect(ParsedTrailers(String(decoding: middle, as: UTF8.self) + ": x\r\n\r\n").fields[0].id != id)
    }

    @Test(
        "The families of forwarding fields are known by their beginning",
        arguments: [
            ("X-Forwarded-Prefix", .xForwardedOther), ("x-forwarded-uri", .xForwardedOther),
            ("X-Forwarded-", .xForwardedOther), ("X-Original-Method", .xOriginalURL), ("X-ORIGINAL-URL", .xOriginalURL),
            ("X-Rewrite-Url", .xOriginalURL), ("X-Forwarded", .xForwarded), ("X-Envoy-Internal", .xForwardedOther),
            ("X-Rewrite-Urls", .other),
            ("X-Original", .other), ("X-Forwarder-For", .other),
        ] as [(String, FieldID)]
    )
    func families(name: String, id: FieldID) {
        #expect(ParsedTrailers("\(name): x\r\n\r\n").fields[0].id == id)
    }

    @Test("All fields of one name are found, and a reused table forgets")
    func places() {
        let bytes = latin1("Cookie: a\r\nX: 1\r\nCookie: b\r\nVia: c\r\nCookie: d\r\n\r\n")
        let table = FieldTable(capacity: 10)
        _ = TrailerParser.parse(bytes.span, from: 0, into: table, limits: HeadLimits())
        #expect(table.count == 5)
        #expect(table.count(.cookie) == 3)
        #expect(table.first(.cookie) == 0)
        #expect(table.next(.cookie, after: 0) == 2)
        #expect(table.next(.cookie, after: 2) == 4)
        #expect(table.next(.cookie, after: 4) == -1)
        #expect(table.first(.host) == -1)
        table.removeAll()
        #expect(table.count(.cookie) == 0)
        #expect(table.first(.via) == -1)
    }
}
