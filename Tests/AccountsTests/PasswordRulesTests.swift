// COLD. Which passwords will do.
import Testing

@testable import Accounts

@Suite("Password rules")
struct PasswordRulesTests {
    @Test("length: 15 characters alone, 8 beside a second factor, up to 1024 bytes, counted as people count")
    func length() {
        func problem(_ text: String, _ second: Bool) -> PasswordRules.Problem? {
            PasswordRules.problem(text, hasSecondFactor: second, account: "ada")
        }
        #expect(problem("kQ7 vole mantis", false) == nil)
        #expect(problem("kQ7 vole manti", false) == .tooShort(minimum: 15))
        #expect(problem("kQ7 vole", true) == nil)
        #expect(problem("kQ7 vol", true) == .tooShort(minimum: 8))
        #expect(problem("ñandú über", true) == nil)
        let long = String((0..<1024).map { Character(Unicode.Scalar(UInt8(0x21 + $0 * 37 % 90))) })
        #expect(problem(long, false) == nil)
        #expect(problem(long + "x", false) == .tooLong)
        #expect(problem("kQ7 vole\u{7}mantis", false) == .control)
    }

    @Test(
        "common passwords and their variants are refused",
        arguments: [
            "password1234567890", "P@ssw0rd!!!!!!!!", "passwordpassword", "Passwort12345678", "aaaaaaaaaaaaaaaa",
            "123456789012345",
            "qwertyuiopasdfghjkl", "iloveyou20242024", "abcdefghijklmnop", "letmeinletmein1!", "1q2w3e4r5t1q2w3e4r5t",
            "S u n s h i n e 1 2",
            "correcthorsebatterystaple", "12345612345612345", "abababababababab",
        ]
    )
    func common(_ password: String) {
        #expect(PasswordRules.problem(password, hasSecondFactor: false, account: "bob") == .common)
    }

    @Test(
        "a good password is not taken for a common one",
        arguments: ["vex quartz jumbo fog", "password manager for my hens", "Täglich grüßt 4 Murmeltiere"]
    )
    func good(_ password: String) {
        #expect(PasswordRules.problem(password, hasSecondFactor: false, account: "bob") == nil)
    }

    @Test("hardly more than the account's name is refused")
    func name() {
        func problem(_ text: String) -> PasswordRules.Problem? {
            PasswordRules.problem(text, hasSecondFactor: true, account: "Ada.Lovelace", email: "countess@example.com")
        }
        #expect(problem("ada.lovelace17") == .containsName)
        #expect(problem("xCountess@Example.comx") == .containsName)
        #expect(problem("countess1843") == .containsName)
        #expect(problem("ada.lovelace writes of looms") == nil)
    }
}
