// COLD. PROXY headers of both versions: the right ones, and those that refuse the connection.
import Reactor
import Testing

private func parse(_ bytes: [UInt8]) -> ProxyHeader {
    bytes.withUnsafeBufferPointer { ProxyHeader.parse(Span(_unsafeElements: $0)) }
}

private func parse(_ text: String) -> ProxyHeader { parse(Array(text.utf8)) }

private func ip(_ text: String, _ port: UInt16) -> IPAddress {
    var address = IPAddress(text: text) ?? .unix
    address.port = port
    return address
}

/// A header of version 2.
private func binary(_ command: UInt8, _ family: UInt8, _ content: [UInt8], length: Int? = nil) -> [UInt8] {
    let count = length ?? content.count
    return [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, command, family]
        + [UInt8(count >> 8), UInt8(count & 255)] + content
}

private let four: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdd, 0xd5, 0x01, 0xbb]
private let six: [UInt8] =
    [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1] + [0x20, 0x01, 0x0d, 0xb8]
    + [UInt8](repeating: 0, count: 11) + [2] + [0xdd, 0xd5, 0x01, 0xbb]

@Suite("PROXY headers") struct ProxyHeaderTests {
    @Test(
        "version 1 gives the addresses of the client",
        arguments: [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 56789 443\r\n", "192.0.2.1", "198.51.100.2", 56_789, 443),
            ("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255", "0.0.0.0", 65_535, 0),
            ("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1", "::1", 1, 2),
            ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1", "::1", 1, 2),
        ]
    )
    func text(header: String, source: String, destination: String, from: Int, to: Int) {
        let length = header.utf8.count
        let expected = ProxyHeader.address(
            source: ip(source, UInt16(from)),
            destination: ip(destination, UInt16(to)),
            length: length
        )
        #expect(parse(header) == expected)
        #expect(parse(header + "GET / HTTP/1.1\r\n") == expected)
        for count in 0..<length { #expect(parse(Array(header.utf8.prefix(count))) == .needMore) }
    }

    @Test("an unknown client of version 1 is the proxy itself")
    func unknown() {
        #expect(parse("PROXY UNKNOWN\r\n") == .local(length: 15))
        #expect(parse("PROXY UNKNOWN ffff::1 whatever\r\n") == .local(length: 32))
        let longest = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
        #expect(parse(longest) == .local(length: 107))
        #expect(parse("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n") == .refused)
    }

    @Test(
        "version 1 is taken to the letter",
        arguments: [
            "GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXY \r\n", "proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
            "PROXY TCP4 1.1.1.1  1.1.1.1 1 1\r\n", "PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4 ::1 ::1 1 1\r\n",
            "PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n",
            "PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n",
            "PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
            "PROXY TCP4 1.1.1.1\u{0} 1.1.1.1 1 1\r\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\r\n",
            "PROXY TCP6 ::1%lo ::1 1 1\r\n",
            "PROXY TCP4\t1.1.1.1 1.1.1.1 1 1\r\n", "\n", "PROXY TCP4 1.1.1.1 1.1.1.1 1 1\rX",
        ]
    )
    func strictText(header: String) { #expect(parse(header) == .refused) }

    @Test(
        "version 2 gives the addresses, whatever extensions follow",
        arguments: [
            [UInt8](), [4, 0, 0], [4, 0, 2, 9, 9, 0xea, 0, 1, 7], [2, 1, 0] + [UInt8](repeating: 0, count: 256),
        ]
    )
    func binaryAddresses(extensions: [UInt8]) {
        let first = binary(0x21, 0x11, four + extensions)
        let expected = ProxyHeader.address(
            source: ip("192.0.2.1", 56_789),
            destination: ip("198.51.100.2", 443),
            length: first.count
        )
        #expect(parse(first) == expected)
        #expect(parse(first + [1, 2, 3]) == expected)
        for count in 0..<first.count { #expect(parse(Array(first[..<count])) == .needMore) }
        let second = binary(0x21, 0x21, six + extensions)
        #expect(
            parse(second)
                == .address(
                    source: ip("2001:db8::1", 56_789),
                    destination: ip("2001:db8::2", 443),
                    length: second.count
                )
        )
    }

    @Test("the proxy itself, unix sockets and unknown families have no address")
    func binaryLocal() {
        #expect(parse(binary(0x20, 0x00, [])) == .local(length: 16))
        #expect(parse(binary(0x20, 0x11, four)) == .local(length: 28))
        #expect(parse(binary(0x20, 0xff, [1, 2, 3])) == .local(length: 19))
        #expect(parse(binary(0x21, 0x00, [1, 2, 3])) == .local(length: 19))
        #expect(parse(binary(0x21, 0x31, [UInt8](repeating: 0, count: 216))) == .local(length: 232))
    }

    @Test("version 2 is taken to the letter")
    func strictBinary() {
        #expect(parse(binary(0x11, 0x11, four)) == .refused, "version")
        #expect(parse(binary(0x22, 0x11, four)) == .refused, "command")
        #expect(parse(binary(0x21, 0x12, four)) == .refused, "datagrams")
        #expect(parse(binary(0x21, 0x41, four)) == .refused, "family")
        #expect(parse(binary(0x21, 0x11, Array(four.dropLast()))) == .refused, "too short")
        #expect(parse(binary(0x21, 0x21, four)) == .refused, "too short")
        #expect(parse(binary(0x21, 0x11, four + [4])) == .refused, "half an extension")
        #expect(parse(binary(0x21, 0x11, four + [4, 0, 2, 1])) == .refused, "an extension beyond the end")
        #expect(parse(binary(0x21, 0x11, [], length: 4097)) == .refused, "too long, known before it is here")
        #expect(parse(binary(0x20, 0x00, [UInt8](repeating: 0, count: 4096))) == .local(length: 4112))
        #expect(parse(binary(0x21, 0x11, four + [3, 0, 3, 1, 2, 3])) == .refused, "no checksum has three bytes")
        #expect(parse(binary(0x21, 0x11, four + [3, 0, 4, 1, 2, 3, 4])) == .refused, "a wrong checksum")
        var wrong = binary(0x21, 0x11, four)
        wrong[5] = 0x0a
        #expect(parse(wrong) == .refused)
        #expect(parse(Array(wrong[..<6])) == .refused)
        #expect(parse([0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x31]) == .refused)
    }
}
