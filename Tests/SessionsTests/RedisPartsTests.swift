// COLD. Redis without a server: records as bytes, slots, commands, answers.
import Settings
import Testing

@testable import Sessions

@Suite("redis parts")
struct RedisPartsTests {
    @Test(
        "slots are those of the cluster specification",
        arguments: [("123456789", 12_739), ("foo", 12_182), ("{foo}.bar", 12_182), ("foo{}{bar}", 8363), ("", 0)]
    )
    func slots(_ key: String, _ slot: Int) { #expect(RedisSlot.of(key) == slot) }

    @Test("a record survives its bytes, and none of its beginnings is a record")
    func records() throws {
        var record = redisRecord("änn")
        record.claims = (0...255).map { UInt8($0) }
        record.strength = 2
        record.accountVersion = .max
        let bytes = try #require(RedisRecord.encode(record))
        #expect(RedisRecord.decode(bytes, key: record.key) == record)
        let fixed = bytes.count - record.claims.count
        for count in 0..<fixed { #expect(RedisRecord.decode(Array(bytes[..<count]), key: record.key) == nil) }
    }

    @Test("bytes that are no record never are one, whatever byte is changed in the lengths")
    func garbage() throws {
        let record = redisRecord()
        let bytes = try #require(RedisRecord.encode(record))
        for index in 0..<min(bytes.count, 200) {
            for value: UInt8 in [0, 0x39, 0xff] {
                var changed = bytes
                changed[index] = value
                _ = RedisRecord.decode(changed, key: record.key)
            }
        }
        #expect(RedisRecord.decode(Array("garbage".utf8), key: record.key) == nil)
        #expect(RedisRecord.decode([], key: record.key) == nil)
    }

    @Test("a command is written with lengths, whatever its words hold")
    func commands() {
        let command = RedisCommand(key: "k", ["SET", "k", RedisArgument([13, 10, 0]), ""])
        let expected = "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\r\n\0\r\n$0\r\n\r\n"
        #expect(String(decoding: command.wire, as: UTF8.self) == expected)
    }

    @Test("answers come out whole however the bytes are cut")
    func answers() throws {
        let bytes = Array("*3\r\n$3\r\nabc\r\n:42\r\n*2\r\n$-1\r\n+OK\r\n-MOVED 1 h:1\r\n".utf8)
        let reader = try #require(RedisReader())
        var replies: [RedisReply] = []
        for byte in bytes {
            #expect(withUnsafePointer(to: byte) { reader.feed($0, 1) })
            while case .reply(let reply) = reader.next() { replies.append(reply) }
        }
        let first = RedisReply.array([
            .bytes(Array("abc".utf8)), .integer(42), .array([.none, .status("OK")]),
        ])
        #expect(replies == [first, .error("MOVED 1 h:1")])
    }

    @Test("what is not the protocol is told apart")
    func noise() throws {
        let reader = try #require(RedisReader())
        let bytes = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
        _ = bytes.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { reader.feed($0, buffer.count) }
        }
        if case .broken = reader.next() {} else { Issue.record("taken for an answer") }
    }

    @Test("the names of accounts, codes and secrets are in no key")
    func names() {
        let keys = RedisKeys(prefix: "p:")
        for name in [keys.account("ann@example.com"), keys.value("handoff:c0de"), keys.secret("csrf")] {
            #expect(!name.contains("ann") && !name.contains("c0de") && !name.contains("csrf"))
        }
        let key = SessionID.make().key
        #expect(RedisSlot.of(keys.session(key)) == RedisSlot.of(key.text))
    }

    @Test("settings become a plan")
    func plan() throws {
        var settings = RedisSettings()
        settings.servers = [.name("sentinel", port: 26_379), .unix(path: "/run/redis.sock")]
        settings.sentinelMaster = "main"
        settings.username = "gate"
        settings.password = Secret(Array("pw".utf8))
        settings.sentinelPassword = Secret(Array("sp".utf8))
        settings.database = 3
        settings.timeout = .milliseconds(1500)
        let plan = try RedisPlan(settings, maximum: 9)
        #expect(plan.servers.map(\.text) == ["sentinel:26379", "unix:/run/redis.sock"])
        #expect(plan.mode == .sentinel(master: "main"))
        #expect(plan.login?.username == "gate" && plan.login?.password == Array("pw".utf8))
        #expect(plan.sentinelLogin?.password == Array("sp".utf8))
        #expect(plan.database == 3 && plan.timeout == 1500 && plan.maximum == 9)
    }

    @Test("settings that cannot work are refused with the reason")
    func badPlans() {
        func problem(_ change: (inout RedisSettings) -> Void) -> String {
            var settings = RedisSettings()
            change(&settings)
            do throws(StoreOpening) {
                _ = try RedisPlan(settings, maximum: 1)
                return ""
            } catch { return error.description }
        }
        #expect(problem { $0.servers = [] }.contains("no servers"))
        #expect(problem { $0.keyPrefix = "{a}" }.contains("brace"))
        #expect(
            problem {
                $0.isCluster = true
                $0.sentinelMaster = "m"
            }.contains("not both")
        )
        #expect(
            problem {
                $0.isCluster = true
                $0.database = 1
            }.contains("no databases")
        )
        let missing = problem {
            var tls = UpstreamTLSSettings()
            tls.ca = FileReference("/nonexistent/ca.pem")
            $0.tls = tls
        }
        #expect(missing.contains("ca_file") && missing.contains("/nonexistent/ca.pem"))
    }
}
