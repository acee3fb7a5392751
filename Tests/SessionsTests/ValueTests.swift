// COLD. Keys, ids, ends of sessions, and names of devices.
import Foundation
import Sessions
import Testing

@Suite struct ValueTests {
    @Test("a key is the SHA-256 of the id, and its text leads back to it")
    func key() throws {
        let key = SessionKey(hashing: Array("abc".utf8))
        #expect(key.text == "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0")
        #expect(key.bytes.count == 32 && key.bytes.prefix(2) == [0xba, 0x78])
        #expect(SessionKey(text: key.text) == key)
        #expect(SessionKey(bytes: key.bytes) == key)
        #expect(SessionKey(bytes: key.bytes.dropLast()) == nil)
        #expect(try JSONDecoder().decode([SessionKey].self, from: JSONEncoder().encode([key])) == [key])
    }

    @Test(
        "only 43 canonical base64url characters are an id",
        arguments: [
            "", "a", String(repeating: "A", count: 42), String(repeating: "A", count: 44),
            String(repeating: "A", count: 42) + "B", String(repeating: "A", count: 42) + "=",
            String(repeating: "A", count: 42) + "+", " " + String(repeating: "A", count: 42),
            String(repeating: "A", count: 42) + "\0", String(repeating: "é", count: 43),
            String(repeating: "A", count: 99_999),
        ]
    )
    func notAnID(_ text: String) {
        #expect(SessionID(cookieValue: text.utf8) == nil)
        #expect(SessionKey(text: text) == nil)
    }

    @Test("ids are different, survive their cookie, and do not show in descriptions")
    func id() throws {
        let ids = (0..<1000).map { _ in SessionID.make() }
        #expect(Set(ids.map(\.cookieValue)).count == 1000)
        let again = try #require(SessionID(cookieValue: ids[0].cookieValue.utf8))
        #expect(again.key == ids[0].key)
        #expect(again.key.text != again.cookieValue)
        var dumped = ""
        dump(ids[0], to: &dumped)
        for text in ["\(ids[0])", String(reflecting: ids[0]), dumped] { #expect(!text.contains(ids[0].cookieValue)) }
    }

    @Test("every bit of an id counts, over the whole of it")
    func spread() {
        var ones = [Int](repeating: 0, count: 256)
        for _ in 0..<2000 {
            for (index, byte) in SecureRandom.bytes(32).enumerated() {
                for bit in 0..<8 where byte >> bit & 1 == 1 { ones[index * 8 + bit] += 1 }
            }
        }
        #expect(ones.allSatisfy { (800...1200).contains($0) })
        #expect(SecureRandom.text(16).count == 22 && SecureRandom.text(32).count == 43)
    }

    @Test("a session is over at its idle end and at its absolute end, to the second")
    func ends() {
        let one = record(created: 1000, idle: 100, lifetime: 150)
        #expect(one.isLive(at: 1099) && !one.isLive(at: 1100))
        #expect(one.removal == 1150 && one.expiry(at: 1149) == .expiredIdle && one.expiry(at: 1150) == .expiredAbsolute)
        #expect(one.accepts(touch: 1001) && !one.accepts(touch: 1000) && !one.accepts(touch: 1150))
        let huge = record(created: 1000, idle: .max, lifetime: 10)
        #expect(huge.isLive(at: 1009) && !huge.isLive(at: 1010))
    }

    @Test("a record survives JSON")
    func json() throws {
        let one = record()
        #expect(try JSONDecoder().decode(SessionRecord.self, from: JSONEncoder().encode(one)) == one)
    }

    @Test("errors have names of their own", arguments: StoreError.allCases)
    func codes(_ error: StoreError) {
        #expect(error.code.hasPrefix("store_"))
        #expect(StoreError.allCases.filter { $0.code == error.code }.count == 1)
    }

    @Test(
        "devices have names that people know",
        arguments: [
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
                "Safari on macOS"
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone"
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/137.0 Mobile/15E148 Safari/604.1",
                "Chrome on iPad"
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36 Edg/137.0.0.0",
                "Edge on Windows"
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
                "Samsung Internet on Android"
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36",
                "Chrome on ChromeOS"
            ),
            ("Mozilla/5.0 (X11; Linux x86_64) Something", "Browser on Linux"), ("curl/8.5.0", "curl/8.5.0"),
            ("python-requests/2.32.3 (extra)", "python-requests/2.32.3"), ("", "Unknown device"),
            ("<script>alert(1)</script>", "scriptalert"), ("\u{202e}evil\r\nSet-Cookie: x", "evilSet-Cookie"),
            ("Mozilla/5.0", "Unknown device"),
        ]
    )
    func devices(_ agent: String, _ name: String) {
        #expect(DeviceName.make(userAgent: agent) == name)
    }

    @Test("names of devices are short and harmless whatever is sent")
    func harmless() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...700)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let name = DeviceName.make(userAgent: String(decoding: bytes, as: UTF8.self))
            #expect((1...DeviceName.longest).contains(name.utf8.count))
            #expect(name.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && !"<>&\"'".utf8.contains($0) })
        }
    }
}
