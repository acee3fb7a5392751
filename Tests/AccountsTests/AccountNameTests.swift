// COLD. Which names are the same, and which are none.
import Testing

@testable import Accounts

@Suite("Account names")
struct AccountNameTests {
    @Test(
        "names that differ in case, composition or blanks around are one",
        arguments: [
            ("Ada", "ada"), (" ada ", "ada"), ("A\u{308}da", "\u{e4}da"), ("STRASSE", "straße"), ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("K\u{212a}", "kk"), ("Ada@Example.COM", "ada@example.com"),
        ]
    )
    func same(_ a: String, _ b: String) throws {
        let first = try #require(AccountName.canonical(a))
        #expect(first == AccountName.canonical(b))
        #expect(AccountName.canonical(first) == first)
    }

    @Test(
        "names with what cannot be seen are none",
        arguments: [
            "", "  ", "a\nb", "a\u{0}", "a\u{7f}", "a\u{200b}b", "a\u{202e}b", "\u{feff}a", "a\u{a0}b", "a\u{2028}b",
            "a\u{34f}b",
            String(repeating: "a", count: 257),
        ]
    )
    func refused(_ text: String) { #expect(AccountName.canonical(text) == nil) }

    @Test("an e-mail has one at sign", arguments: ["a@b@c", "ab", "@b", "a@", "a b@c"])
    func email(_ text: String) { #expect(AccountName.canonical(email: text) == nil) }

    @Test("letters that only look alike stay apart")
    func lookalikes() {
        #expect(AccountName.canonical("аda") != AccountName.canonical("ada"))
        #expect(AccountName.canonical("ﬁn") != AccountName.canonical("fin"))
        #expect(AccountName.canonical("ıvan") != AccountName.canonical("ivan"))
    }
}
