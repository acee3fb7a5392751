// COLD. Host: RFC 9112 §3.2 and RFC 9110 §7.2.
import Bytes
import HTTP
import Testing

@Suite("Host")
struct HostTests {
    @Test(
        "A malformed Host is refused",
        arguments: [
            ("", .hostMalformed),
            (" ", .hostMalformed),
            (":80", .hostMalformed),
            (".", .hostMalformed),
            (".a", .hostMalformed),
            ("a..", .hostMalformed),
            ("a..b", .hostMalformed),
            ("a, b", .hostMalformed),
            ("a,b", .hostMalformed),
            ("a b", .hostMalformed),
            ("a\tb", .hostMalformed),
            ("u@a", .hostMalformed),
            ("u:p@a", .portMalformed),
            ("a/b", .hostMalformed),
            ("a?b", .hostMalformed),
            ("a#b", .hostMalformed),
            ("a\\b", .hostMalformed),
            ("a%2eb", .hostMalformed),
            ("a%00", .hostMalformed),
            ("http://a", .portMalformed),
            ("a;b", .hostMalformed),
            ("a'b", .hostMalformed),
            ("a!b", .hostMalformed),
            ("*", .hostMalformed),
            ("\u{e9}", .hostMalformed),
            ("a:x", .portMalformed),
            ("a:-1", .portMalformed),
            ("a:+80", .portMalformed),
            ("a:0", .portMalformed),
            ("a:00000", .portMalformed),
            ("a:65536", .portMalformed),
            ("a:99999", .portMalformed),
            ("a:000080", .portMalformed),
            ("a:80:80", .portMalformed),
            ("a:80 80", .portMalformed),
            ("a:0x50", .portMalformed),
            ("[::1", .hostMalformed),
            ("::1", .hostMalformed),
            ("[]", .hostMalformed),
            ("[::1]x", .hostMalformed),
            ("[::1]:", nil),
            ("[::1]:x", .portMalformed),
            ("[fe80::1%25eth0]", .hostMalformed),
            ("[v1.a]", .hostMalformed),
            ("[1.2.3.4]", .hostMalformed),
            ("[:::]", .hostMalformed),
            ("[:]", .hostMalformed),
            ("[1:]", .hostMalformed),
            ("[:1]", .hostMalformed),
            ("[1::2::3]", .hostMalformed),
            ("[1:2:3:4:5:6:7]", .hostMalformed),
            ("[1:2:3:4:5:6:7:8:9]", .hostMalformed),
            ("[1:2:3:4:5:6:7::8]", .hostMalformed),
            ("[12345::]", .hostMalformed),
            ("[::g]", .hostMalformed),
            ("[::256.1.1.1]", .hostMalformed),
            ("[::1.2.3]", .hostMalformed),
            ("[::1.2.3.4.5]", .hostMalformed),
            ("[::01.2.3.4]", .hostMalformed),
            ("[1:2:3:4:5:6:7:1.2.3.4]", .hostMalformed),
        ] as [(String, ProtocolError?)]
    )
    func malformed(value: String, error: ProtocolError?) {
        #expect(ParsedRequest(request("Host: \(value)", host: false)).error == error)
    }

    @Test(
        "A good Host is split into host and port; the trailing dot is not part of the host",
        arguments: [
            ("a", "a", -1),
            ("a:80", "a", 80),
            ("a:1", "a", 1),
            ("a:65535", "a", 65535),
            ("a:00080", "a", 80),
            ("a:", "a", -1),
            ("a.", "a", -1),
            ("a.:80", "a", 80),
            ("Example.COM", "Example.COM", -1),
            ("a_b.c-d.e~f", "a_b.c-d.e~f", -1),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", -1),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
            ("[::1]", "[::1]", -1),
            ("[::]:1", "[::]", 1),
            ("[2001:DB8::1]:443", "[2001:DB8::1]", 443),
            ("[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", -1),
            ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]", -1),
            ("[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]", 5),
            ("[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", -1),
            ("  a:80\t", "a", 80),
        ]
    )
    func good(value: String, host: String, port: Int) {
        let parsed = ParsedRequest(request("Host: \(value)", host: false))
        #expect(parsed.outcome == .complete)
        #expect(parsed.text(parsed.head.host) == host)
        #expect(parsed.head.port == port)
        #expect(parsed.kept.isEmpty)
    }

    @Test("None is refused in HTTP/1.1 and accepted in HTTP/1.0; two are refused in both")
    func number() {
        #expect(ParsedRequest(request(host: false)).error == .hostMissing)
        let old = ParsedRequest(request(version: "1.0", host: false))
        #expect(old.outcome == .complete)
        #expect(old.head.authority.isEmpty && old.head.host.isEmpty && old.head.port == -1)
        for version in ["1.0", "1.1"] {
            #expect(ParsedRequest(request("Host: a", version: version)).error == .hostDuplicate)
            #expect(ParsedRequest(request("X: y", "hOST: b", version: version)).error == .hostDuplicate)
            #expect(ParsedRequest(request("Host:", version: version)).error == .hostDuplicate)
        }
    }

    @Test("A host has up to 255 bytes")
    func length() {
        let longest = String(repeating: "a", count: 255)
        #expect(ParsedRequest(request("Host: \(longest):65535", host: false)).outcome == .complete)
        #expect(ParsedRequest(request("Host: \(longest)a", host: false)).error == .hostMalformed)
        #expect(ParsedRequest(request("Host: \(longest)\(longest)", host: false)).error == .hostMalformed)
    }
}
