// COLD. Hashes that other programs made, and those made here.
import Settings
import Testing

@testable import Accounts

@Suite("Password hashes")
struct PasswordHashTests {
    static let vectors: [(password: String, hash: String)] = [
        // Of the argon2 command.
        (
            "correct horse",
            "$argon2id$v=19$m=4096,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$jx7HcOC2jL3AqJloTH26sGwyx1iYGzFCwJbkNXGIMrA"
        ),
        ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$2mzTAI85jwP6+k/mHDeH3OgNt7E86G5W"),
        // Of its authors' own tests.
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        ("correct horse", "$2b$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC"),
        (String(repeating: "x", count: 72), "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"),
        // Of OpenSSL, and of libcrypt.
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        ),
        ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("gruß", "$6$abcdefgh$kpwncmyCGRZg3oj3vWraWPV4WEguEc/uUagHlu4iJ0vU21UACJsZ7izqFc4A8Z68AFgi0IvlSyUHYXfnwHMqh0"),
        ("correct horse", "$5$rounds=1000$salty$/cACqElYRlRYlpGwirmXURw8pV6gdvsjbhhqA2qS547"),
        ("correct horse", "$y$j9T$abcdefghijklmnop$0Hi8KsZH/hAMRN9Bam6ce3nmi5QAIz3R/KeaXG/c7p9"),
        // Of OpenSSL.
        ("correct horse", "$apr1$8sFt66rZ$4pu19B4B6DfMiNaqqF996/"),
        ("a", "$apr1$ab$MW8Wizufu9hz465GKNNrn."),
        ("a password of more than sixteen bytes", "$apr1$12345678$JGzV.nxBNyP84/zq0Btaq0"),
    ]

    @Test("a hash of another program matches its password and no other", arguments: vectors)
    func vector(_ password: String, _ hash: String) throws {
        #expect(try PasswordHash.verify(Array(password.utf8), hash) == .matches)
        #expect(try PasswordHash.verify(Array("\(password)?".utf8), hash) == .differs)
        #expect(try PasswordHash.verify(Array(password.utf8.dropLast()) + [0x7e], hash) == .differs)
    }

    @Test("a new hash is Argon2id of the cost that was asked for, with a salt of its own")
    func make() throws {
        var cost = Argon2Settings()
        cost.memory = .mebibytes(1)
        let password = Array("correct horse battery".utf8)
        let hash = try PasswordHash.make(password, cost)
        #expect(hash.hasPrefix("$argon2id$v=19$m=1024,t=2,p=1$"))
        #expect(try PasswordHash.verify(password, hash) == .matches)
        #expect(try PasswordHash.make(password, cost) != hash)
        #expect(!PasswordHash.needsRehash(hash, cost))
        cost.iterations = 3
        #expect(PasswordHash.needsRehash(hash, cost))
    }

    @Test("the default cost is 19 MiB, two passes and one lane")
    func defaults() throws {
        let hash = try PasswordHash.make([1], Argon2Settings())
        #expect(hash.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
    }

    @Test(
        "every hash that is not Argon2id is to be renewed",
        arguments: vectors.map(\.hash).filter { !$0.hasPrefix("$argon2id") }
    )
    func renewed(_ hash: String) { #expect(PasswordHash.needsRehash(hash, Argon2Settings())) }

    @Test("bcrypt does not take the first 72 bytes for the whole password")
    func truncation() throws {
        let hash = try #require(Self.vectors.first { $0.hash.hasPrefix("$2y$04") }?.hash)
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 73)
        #expect(try PasswordHash.verify(long, hash) == .differs)
        #expect(try PasswordHash.verify(Array(long.dropLast()), hash) == .matches)
    }

    @Test("a NUL does not end a password")
    func nul() throws {
        #expect(
            try PasswordHash.verify(
                Array("U*U\0rest".utf8),
                "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
            ) == .differs
        )
    }

    @Test(
        "weak, malformed and excessive hashes are not supported",
        arguments: [
            "", "!", "*", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "rqXexS6ZhobKA", "plaintext",
            "$1$abc$EFaw3V6N7sUhFqnJlFKQf1",
            "$2y$31$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", "$2y$04$short",
            "$6$rounds=999999999$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            "$argon2i$v=19$m=4096,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$jx7HcOC2jL3AqJloTH26sGwyx1iYGzFCwJbkNXGIMrA",
            "$argon2id$v=19$m=99999999,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$jx7HcOC2jL3AqJloTH26sGwyx1iYGzFCwJbkNXGIMrA",
            "$argon2id$v=19$m=4096,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$", "$argon2id$v=19$m=4096,t=3,p=4$$", "$y$jZT$ab$cd",
            "$argon2id$v=19$m=4096,t=-3,p=4$c29tZXNhbHRzb21lc2FsdA$jx7HcOC2jL3AqJloTH26sGwyx1iYGzFCwJbkNXGIMrA",
        ]
    )
    func unsupported(_ hash: String) throws { #expect(try PasswordHash.verify([0x61], hash) == .unsupported) }

    @Test("passwords of no and of more than 1024 bytes are refused, 1024 are hashed")
    func length() throws {
        var cost = Argon2Settings()
        cost.memory = .mebibytes(1)
        #expect(throws: HashingError.length) { try PasswordHash.make([], cost) }
        #expect(throws: HashingError.length) { try PasswordHash.make([UInt8](repeating: 1, count: 1025), cost) }
        let longest = [UInt8](repeating: 1, count: 1024)
        let hash = try PasswordHash.make(longest, cost)
        #expect(try PasswordHash.verify(longest, hash) == .matches)
        #expect(try PasswordHash.verify(Array(longest.dropLast()), hash) == .differs)
    }
}
