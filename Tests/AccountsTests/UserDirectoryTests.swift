// COLD. Users files: what is read, and how what is wrong is said.
import Settings
import Testing

@testable import Accounts

@Suite("Users files")
struct UserDirectoryTests {
    static let hash = "$argon2id$v=19$m=4096,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$jx7HcOC2jL3AqJloTH26sGwyx1iYGzFCwJbkNXGIMrA"

    private func parse(_ text: String) throws -> UserDirectory {
        try UserDirectory.parse(Array(text.utf8), path: "users.yaml")
    }

    private func problems(_ text: String) -> [String] {
        do throws(UserFileError) {
            _ = try UserDirectory.parse(Array(text.utf8), path: "users.yaml")
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    @Test("a YAML file is read with all that an account has")
    func yaml() throws {
        let directory = try parse(
            """
            users:
              - name: Ada
                email: Ada@Example.com
                display_name: Ada Lovelace
                roles: [admin, editor]
                claims: { tenant: acme, level: 3, beta: true, teams: [a, b] }
                password: \(Self.hash)
                totp: MZXW6YTBOJTG633C
              - name: bob
                disabled: true
                totp: { secret: MZXW6YTBOJTG633C, digits: 8, algorithm: SHA256, period: 60 }
            """
        )
        #expect(directory.format == .yaml)
        let ada = try #require(directory.account(named: "ADA"))
        #expect(directory.account(named: " ada@example.COM ") == ada)
        #expect(ada.roles == ["admin", "editor"])
        #expect(ada.totp == TOTPEnrollment(secret: Array("foobarfoob".utf8)))
        #expect(
            String(decoding: ada.claimsJSON, as: UTF8.self)
                == #"{"beta":true,"email":"Ada@Example.com","level":3,"name":"Ada Lovelace","roles":["admin","editor"],"#
                + #""sub":"ada","teams":["a","b"],"tenant":"acme"}"#
        )
        let bob = try #require(directory.account(named: "bob"))
        #expect(bob.isDisabled)
        #expect(bob.password == nil)
        #expect(bob.totp?.digits == 8)
        #expect(directory.account(named: "carol") == nil)
        #expect(directory.warnings.isEmpty)
    }

    @Test(
        "an empty file, and one with an empty list, have no accounts",
        arguments: ["", "# nobody\n", "users:\n", "users: []\n"]
    )
    func empty(_ text: String) throws { #expect(try parse(text).accounts.isEmpty) }

    @Test("everything that is wrong is said at once, with its place and what was meant")
    func errors() {
        let found = problems(
            """
            users:
              - name: ada
                emial: ada@example.com
                disabled: "yes"
                password: hunter2hunter2
              - email: nobody
              - name: bob
                roles: admin
                totp: not base 32
                claims: { sub: other }
            """
        )
        #expect(
            found == [
                #"users.yaml:3:5: unknown key "emial" in users[0]; did you mean "email"?"#,
                #"users.yaml:4:15: users[0].disabled: expected true or false, found "yes""#,
                "users.yaml:5:15: users[0].password: expected an encoded hash such as portcullis user passwd writes, "
                    + "never a password",
                #"users.yaml:6:5: users[1]: needs the key "name", such as name: ada"#,
                #"users.yaml:8:12: users[2].roles: expected a list, found "admin""#,
                "users.yaml:9:11: users[2].totp: expected a secret of 16 to 205 characters in base32",
                #"users.yaml:10:15: users[2].claims: the claim "sub" is filled in by the directory; use another name"#,
            ]
        )
        #expect(!found.joined().contains("hunter2"))
    }

    @Test("what leads to two accounts is an error: names in any spelling, and e-mails that are names")
    func ambiguous() {
        let found = problems(
            """
            users:
              - name: ada
              - name: ADA
              - name: bob
                email: Ada
              - name: carol
                email: c@example.com
              - name: c@EXAMPLE.com
            """
        )
        #expect(
            found == [
                #"users.yaml:3:11: the name "ada" leads to the account in line 2 as well; one login, one account"#,
                "users.yaml:5:12: users[2].email: expected an address such as ada@example.com",
                #"users.yaml:7:12: the e-mail "c@example.com" leads to the account in line 8 as well; one login, one account"#,
            ]
        )
    }

    @Test(
        "YAML that is broken, or tries more than is needed, is refused with its place",
        arguments: [
            ("users:\n  - name: [a\n", "users.yaml:3:1: is not YAML"),
            ("users:\n  - name: a\n    name: b\n", "users.yaml:2:5: this key"),
            ("users: &a\n  - name: *a\n", "users.yaml:1:8: anchors"),
            ("---\nusers: []\n---\nusers: []\n", "users.yaml:3:1: a second"),
            ("accounts: []\n", "users.yaml:1:1: unknown key"),
            ("users: ada\n", "users.yaml:1:8: users: expected a list"),
        ]
    )
    func broken(_ text: String, _ message: String) throws {
        let first = try #require(problems(text).first)
        #expect(first.hasPrefix(message))
    }

    @Test("an htpasswd file is recognised, and weak hashes are accounts that nobody can log in to")
    func htpasswd() throws {
        let directory = try parse(
            "# people\nada:$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i\r\n\n"
                + "bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\ncarol:!$apr1$ab$MW8Wizufu9hz465GKNNrn.\ndan:\n"
        )
        #expect(directory.format == .htpasswd)
        #expect(directory.accounts.map(\.name) == ["ada", "bob", "carol", "dan"])
        #expect(directory.account(named: "carol")?.isDisabled == true)
        #expect(directory.account(named: "dan")?.password == nil)
        #expect(
            directory.warnings.map(\.description) == [
                #"users.yaml:4:5: warning: the hash of "bob" is too weak: nobody can log in; set a new password"#
            ]
        )
        #expect(problems("ada:$2y$x\njust a line\nADA:$2y$x\n").count == 2)
    }

    @Test("the version follows what matters to a session, and nothing else")
    func version() throws {
        let base = try #require(try parse("users:\n  - name: ada\n    password: \(Self.hash)\n").account(named: "ada"))
        var other = base
        other.recovery = ["x"]
        #expect(other.version == base.version)
        other.roles = ["admin"]
        #expect(other.version != base.version)
        #expect(other.credentialVersion == base.credentialVersion)
        for change: (inout Account) -> Void in [
            { $0.isDisabled = true }, { $0.email = "a@b" }, { $0.claims["x"] = .flag(true) }, { $0.displayName = "A" },
        ] {
            var changed = base
            change(&changed)
            #expect(changed.version != base.version)
        }
        var totp = base
        totp.totp = TOTPEnrollment(secret: [1, 2, 3])
        #expect(totp.credentialVersion != base.credentialVersion)
    }
}
