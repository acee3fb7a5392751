// COLD. RFC 6238's own vectors, steps, and what an authenticator app is shown.
import Testing

@testable import Accounts

@Suite("One-time codes")
struct TOTPTests {
    private static func secret(_ count: Int) -> [UInt8] {
        Array(String(repeating: "1234567890", count: 7).utf8.prefix(count))
    }

    @Test(
        "the codes of RFC 6238, appendix B",
        arguments: [
            (59, "94287082", "46119246", "90693936"), (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"), (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"), (20_000_000_000, "65353130", "77737706", "47863826"),
        ] as [(Int64, String, String, String)]
    )
    func vectors(_ time: Int64, _ sha1: String, _ sha256: String, _ sha512: String) {
        for (algorithm, count, code) in [
            (TOTPEnrollment.Algorithm.sha1, 20, sha1), (.sha256, 32, sha256), (.sha512, 64, sha512),
        ] {
            let enrollment = TOTPEnrollment(secret: Self.secret(count), algorithm: algorithm, digits: 8)
            #expect(TOTP.code(enrollment, step: time / 30) == code)
            #expect(TOTP.verify(enrollment, code: code, now: time) == time / 30)
        }
    }

    @Test("a code is good one step before and after its own, and names its own")
    func window() {
        let enrollment = TOTPEnrollment(secret: Self.secret(20))
        let code = TOTP.code(enrollment, step: 1000)
        for (now, expected) in [(29_969, nil), (29_970, 1000), (30_000, 1000), (30_059, 1000), (30_060, nil)]
            as [(Int64, Int64?)]
        {
            #expect(TOTP.verify(enrollment, code: code, now: now) == expected)
        }
        #expect(TOTP.verify(enrollment, code: "\(code.prefix(3)) \(code.suffix(3))", now: 30_000) == 1000)
    }

    @Test("what is no code is none", arguments: ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345"])
    func malformed(_ code: String) {
        #expect(TOTP.verify(TOTPEnrollment(secret: Self.secret(20)), code: code, now: 30_000) == nil)
    }

    @Test("secrets as base32 (RFC 4648, section 10)")
    func base32() {
        for (plain, text) in [
            ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI"),
        ] {
            #expect(TOTP.base32(Array(plain.utf8)) == text)
            #expect(TOTP.secret(base32: text) == Array(plain.utf8))
        }
        #expect(TOTP.secret(base32: "mzxw 6ytb-oi======") == Array("foobar".utf8))
        #expect(TOTP.secret(base32: "MZXW1") == nil)
    }

    @Test("the URI for apps names issuer and account, escaped, and nothing prints a secret")
    func uri() {
        let enrollment = TOTPEnrollment(secret: Array("foobarfoob".utf8))
        let uri = TOTP.uri(issuer: "Big & Co", account: "ada@example.com", enrollment)
        #expect(
            uri == "otpauth://totp/Big%20%26%20Co:ada%40example.com?secret=MZXW6YTBOJTG633C&issuer=Big%20%26%20Co"
                + "&algorithm=SHA1&digits=6&period=30"
        )
        var dumped = ""
        dump(enrollment, to: &dumped)
        #expect(!"\(enrollment)\(dumped)".contains("102"))
    }

    @Test("recovery codes are random, forgive how they are typed, and are stored as hashes")
    func recovery() throws {
        let codes = try #require(RecoveryCodes.make())
        #expect(codes.count == 10)
        #expect(Set(codes).count == 10)
        let hashes = codes.map(RecoveryCodes.hash)
        #expect(hashes.allSatisfy { $0.utf8.count == 43 })
        let typed = codes[3].uppercased().replacing("-", with: " ")
        #expect(RecoveryCodes.match(typed, in: hashes) == hashes[3])
        #expect(RecoveryCodes.match("k7wq-93fd-xm2p-8hcn", in: hashes) == nil)
    }

    @Test("a QR code has a quiet zone and equal lines")
    func qr() throws {
        let code = try #require(QRCode.terminal("otpauth://totp/x", colour: false))
        let lines = code.split(separator: "\n")
        #expect(Set(lines.map(\.count)).count == 1)
        #expect(lines[0].allSatisfy { $0 == "█" })
        #expect(QRCode.terminal(String(repeating: "x", count: 5000)) == nil)
    }
}
