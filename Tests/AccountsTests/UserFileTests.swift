// COLD. Changes in place: what stays, what changes, and who sees it.
import Foundation
import Glibc
import Settings
import Testing

@testable import Accounts

@Suite("Changing users files")
struct UserFileTests {
    private let folder: URL
    private var path: String { folder.appending(path: "users.yaml").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "users-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func write(_ text: String, mode: mode_t = 0o600) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        #expect(chmod(path, mode) == 0)
    }

    private func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private static let written = """
        # The people of this house.
        users:
          # The first one.
          - name: ada   # as always
            roles: [admin]
            password: $6$abcdefgh$kpwncmyCGRZg3oj3vWraWPV4WEguEc/uUagHlu4iJ0vU21UACJsZ7izqFc4A8Z68AFgi0IvlSyUHYXfnwHMqh0
            # The key of her phone.
            totp: MZXW6YTBOJTG633C

          # Away.
          -
            name: "bob"
            disabled: true
          - {name: carol, email: "carol@example.com"}
        # The end.

        """

    @Test("a new password changes its line, and nothing else")
    func password() throws {
        try write(Self.written, mode: 0o640)
        try UserFile(path: path).setPassword("ADA", hash: UserDirectoryTests.hash)
        let old = Self.written.split(separator: "\n")
        let new = try text().split(separator: "\n")
        #expect(old.count == new.count)
        let changed = zip(old, new).filter { $0 != $1 }
        #expect(changed.count == 1)
        #expect(changed.first?.1 == "    password: \"\(UserDirectoryTests.hash)\"")
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o640)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["users.yaml"])
    }

    @Test("a hash of the same password keeps the account's version, a new password does not")
    func rehash() throws {
        try write(Self.written)
        let file = UserFile(path: path)
        func ada() throws -> Account { try #require(try UserDirectory.load(path: path).account(named: "ada")) }
        let before = try ada()
        let old = try #require(before.password)
        #expect(try file.rehash("ada", from: old, to: UserDirectoryTests.hash))
        #expect(try ada().password == UserDirectoryTests.hash)
        #expect(try ada().version == before.version)
        #expect(try !file.rehash("ada", from: old, to: UserDirectoryTests.hash))
        let again = UserDirectoryTests.hash.replacing("c29t", with: "d29t")
        #expect(try file.rehash("ada", from: UserDirectoryTests.hash, to: again))
        #expect(try ada().version == before.version)
        // By hand: whoever changes the hash means a new password.
        try write(try text().replacing(again, with: UserDirectoryTests.hash))
        #expect(try ada().version != before.version)
        try file.setPassword("ada", hash: again)
        #expect(try ada().version != before.version)
        #expect(try !text().contains("password_id"))
    }

    @Test("keys are added, changed and removed where the account is, in every style")
    func keys() throws {
        try write(Self.written)
        let file = UserFile(path: path)
        try file.setDisabled("bob", false)
        try file.setRoles("bob", ["a", "b-c"])
        try file.setDisabled("carol", true)
        try file.setTOTP("ada", nil, recovery: [])
        let codes = [String(repeating: "A", count: 43), String(repeating: "B", count: 43)]
        try file.setTOTP("bob", TOTPEnrollment(secret: Array("foobarfoob".utf8), digits: 8), recovery: codes)
        #expect(try file.takeRecovery("bob", hash: codes[0]))
        #expect(try !file.takeRecovery("bob", hash: codes[0]))
        #expect(
            try text() == """
                # The people of this house.
                users:
                  # The first one.
                  - name: ada   # as always
                    roles: [admin]
                    password: $6$abcdefgh$kpwncmyCGRZg3oj3vWraWPV4WEguEc/uUagHlu4iJ0vU21UACJsZ7izqFc4A8Z68AFgi0IvlSyUHYXfnwHMqh0
                    # The key of her phone.

                  # Away.
                  -
                    name: "bob"
                    roles: [a, b-c]
                    totp:
                      secret: "MZXW6YTBOJTG633C"
                      algorithm: SHA1
                      digits: 8
                      period: 30
                    recovery_codes:
                      - "\(codes[1])"
                  - name: carol
                    email: "carol@example.com"
                    disabled: true
                # The end.

                """
        )
    }

    @Test(
        "accounts are added at the end and removed with their lines",
        arguments: ["", "users:\n", "users: []\n", "# Here.\nusers:\n- name: zoe\n"]
    )
    func add(_ start: String) throws {
        if !start.isEmpty { try write(start) }
        let file = UserFile(path: path)
        var account = try #require(Account(name: "Ada Lovelace"))
        account.email = "ada@example.com"
        account.roles = ["admin"]
        account.claims = ["tenant": .text("a\"b"), "level": .number(3)]
        account.password = UserDirectoryTests.hash
        account.passwordIdentity = Fingerprint.identity(ofHash: UserDirectoryTests.hash)
        try file.add(account)
        #expect(throws: UserFileError.self) { try file.add(account) }
        let second = try #require(Account(name: "ADA@example.com"))
        #expect(throws: UserFileError.self) { try file.add(second) }
        let directory = try UserDirectory.load(path: path)
        #expect(directory.account(named: "ada@example.com") == account)
        #expect(directory.warnings.isEmpty)
        try file.remove("ada lovelace")
        #expect(try UserDirectory.load(path: path).account(named: "ada lovelace") == nil)
        #expect(try text().hasPrefix("# Here.") == start.hasPrefix("#"))
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test("an htpasswd file is changed line by line, and holds no roles")
    func htpasswd() throws {
        try write("# people\nada:$apr1$ab$MW8Wizufu9hz465GKNNrn.:more\nbob:$apr1$ab$MW8Wizufu9hz465GKNNrn.\n")
        let file = UserFile(path: path)
        try file.setDisabled("ada", true)
        try file.setPassword("BOB", hash: "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i")
        #expect(
            try text() == "# people\nada:!$apr1$ab$MW8Wizufu9hz465GKNNrn.:more\n"
                + "bob:$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i\n"
        )
        #expect(throws: UserFileError.self) { try file.setRoles("ada", ["x"]) }
        #expect(
            try !file.rehash("bob", from: "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", to: "$apr1$x")
        )
        try file.remove("ada")
        #expect(try UserDirectory.load(path: path).accounts.map(\.name) == ["bob"])
    }

    @Test("an account that is not there is an error with the nearest name, and the file stays")
    func missing() throws {
        try write(Self.written)
        let error = #expect(throws: UserFileError.self) { try UserFile(path: path).setDisabled("carrol", true) }
        #expect(error?.description.hasSuffix("there is no account \"carrol\"; did you mean \"carol\"?") == true)
        #expect(try text() == Self.written)
    }

    @Test("changes at the same time all arrive")
    func concurrent() async throws {
        try write("users:\n" + (0..<8).map { "  - name: user\($0)\n" }.joined())
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<8 {
                group.addTask {
                    #expect(throws: Never.self) { try UserFile(path: path).setRoles("user\(index)", ["r\(index)"]) }
                }
            }
        }
        #expect(try UserDirectory.load(path: path).accounts.map(\.roles) == (0..<8).map { ["r\($0)"] })
    }

    @Test("a link is followed, and stays a link")
    func link() throws {
        let real = folder.appending(path: "real.yaml").path
        try Self.written.write(toFile: real, atomically: false, encoding: .utf8)
        #expect(symlink(real, path) == 0)
        try UserFile(path: path).setDisabled("ada", true)
        #expect(try String(contentsOfFile: real, encoding: .utf8).contains("disabled: true\n    # The key") == false)
        #expect(try UserDirectory.load(path: real).account(named: "ada")?.isDisabled == true)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == real)
    }

    @Test("a file that everybody can read is warned of")
    func mode() throws {
        try write(Self.written, mode: 0o644)
        #expect(
            try UserDirectory.load(path: path).warnings.map(\.message) == [
                "everybody can read the hashes; chmod 600 it"
            ]
        )
    }
}
