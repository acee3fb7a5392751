import Testing

@testable import Reactor

@Suite("Addresses")
struct AddressTests {
    @Test(
        "text is the canonical form of RFC 5952",
        arguments: [
            ("127.0.0.1", "127.0.0.1"), ("0:0:0:0:0:0:0:1", "::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("::", "::"), ("fe80:0:0:1::", "fe80:0:0:1::"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ]
    )
    func canonicalText(input: String, expected: String) {
        #expect(IPAddress(text: input)?.text == expected)
    }

    @Test(
        "a network holds its addresses and no others",
        arguments: [
            ("10.1.2.3", "10.0.0.0", 104, true), ("11.1.2.3", "10.0.0.0", 104, false),
            ("2001:db8::1", "2001:db8::", 32, true), ("2001:db9::1", "2001:db8::", 32, false),
            ("::1", "::1", 128, true), ("127.0.0.1", "::", 0, true),
        ]
    )
    func networks(address: String, network: String, bits: Int, inside: Bool) throws {
        let address = try #require(IPAddress(text: address))
        let network = try #require(IPAddress(text: network))
        #expect(address.isIn(network, bits: bits) == inside)
    }
}
