// Tokens that were verified already.
import JOSE
import Testing

@testable import Identity

private func principal() throws -> Principal {
    let claims = try Claims(json: Array(#"{"sub":"a"}"#.utf8))
    return Principal(issuer: 0, claims: claims, expiry: 100, rolesIndex: -1, scopeIndex: -1, headerBlock: [])
}

extension VerifiedCache {
    func find(_ token: String, generation: UInt32 = 1, now: Int64 = 0) -> Principal? {
        Array(token.utf8).withUnsafeBufferPointer { find($0, generation: generation, now: now) }
    }

    func insert(_ token: String, _ principal: Principal, generation: UInt32 = 1, until: Int64 = 60) {
        Array(token.utf8).withUnsafeBufferPointer { insert($0, principal, generation: generation, until: until) }
    }
}

@Suite("Verified cache")
struct VerifiedCacheTests {
    @Test("a token is found by all its bytes, in its generation, until its deadline")
    func find() throws {
        let cache = VerifiedCache(entries: 64)
        let ada = try principal()
        cache.insert("token-a", ada)
        #expect(cache.find("token-a") === ada)
        #expect(cache.find("token-b") == nil)
        #expect(cache.find("token-") == nil)
        #expect(cache.find("token-a", now: 59) === ada)
        #expect(cache.find("token-a", now: 60) == nil)
        #expect(cache.count == 0)
        cache.insert("token-a", ada)
        #expect(cache.find("token-a", generation: 2) == nil)
        #expect(cache.bytes == 0)
    }

    @Test("a hundred thousand tokens never take more than their place")
    func bounded() throws {
        let cache = VerifiedCache(entries: 1024)
        let ada = try principal()
        for i in 0..<100_000 { cache.insert("token-\(i)", ada) }
        #expect(cache.count <= 1024)
        #expect(cache.count > 900)
        #expect(cache.evictions == UInt64(100_000 - cache.count))
        cache.removeAll()
        #expect(cache.count == 0)
        #expect(cache.bytes == 0)
    }

    @Test("the same token again takes its own place, and is no eviction")
    func again() throws {
        let cache = VerifiedCache(entries: 8)
        let (ada, eve) = (try principal(), try principal())
        for i in 0..<8 { cache.insert("token-\(i)", ada) }
        for round in 1...5 {
            cache.insert("token-3", eve, until: Int64(60 * round))
            #expect(cache.find("token-3", now: Int64(60 * round - 1)) === eve)
        }
        #expect(cache.count == 8)
        #expect(cache.bytes == 8 * 7)
        #expect(cache.evictions == 0)
        // Nobody else had to go.
        for i in 0..<8 where i != 3 { #expect(cache.find("token-\(i)") === ada) }
        cache.insert("token-8", ada)
        #expect(cache.evictions == 1)
        #expect(cache.count == 8)
    }

    @Test("a free place is taken before another token's")
    func free() throws {
        let cache = VerifiedCache(entries: 8)
        let ada = try principal()
        for i in 0..<8 { cache.insert("token-\(i)", ada, until: i == 5 ? 10 : 60) }
        #expect(cache.find("token-5", now: 20) == nil)
        cache.insert("new", ada)
        #expect(cache.evictions == 0)
        #expect(cache.count == 8)
        for i in 0..<8 where i != 5 { #expect(cache.find("token-\(i)", now: 20) === ada) }
    }

    @Test("large tokens do not take more memory than there is for all")
    func memory() throws {
        func large(_ size: Int) throws -> Principal {
            let text = #"{"sub":"\#(String(repeating: "a", count: size))"}"#
            let claims = try Claims(json: Array(text.utf8))
            return Principal(issuer: 0, claims: claims, expiry: 100, rolesIndex: -1, scopeIndex: -1, headerBlock: [])
        }
        let cache = VerifiedCache(entries: 64)
        let most = 64 * 4096
        for i in 0..<200 {
            cache.insert("token-\(i)", try large(12_000))
            #expect(cache.memory <= most)
            #expect(cache.find("token-\(i)") != nil)
        }
        #expect(cache.count > 15)
        #expect(cache.count < 22)
        #expect(cache.evictions == UInt64(200 - cache.count))
        // One that is too large for all stays out and drives nobody out.
        let before = cache.count
        cache.insert("huge", try large(most / 4))
        #expect(cache.find("huge") == nil)
        #expect(cache.count == before)
        cache.removeAll()
        #expect(cache.memory == 0)
    }

    @Test("what is used stays, what is not goes")
    func recency() throws {
        let cache = VerifiedCache(entries: 8)
        let ada = try principal()
        cache.insert("kept", ada)
        for i in 0..<100 {
            cache.insert("token-\(i)", ada)
            #expect(cache.find("kept") === ada)
        }
    }

    @Test("spread out, it finds as many as it is for when they come in turns")
    func rotation() throws {
        let cache = VerifiedCache(entries: 4096, spread: 4)
        let ada = try principal()
        for i in 0..<4096 { cache.insert("token-\(i)", ada) }
        let found = (0..<4096).filter { cache.find("token-\($0)") != nil }.count
        #expect(found > 4000)
        for i in 0..<100_000 { cache.insert("other-\(i)", ada) }
        #expect(cache.memory <= 4096 * 4096)
    }

    @Test("switched off it keeps nothing")
    func off() throws {
        let cache = VerifiedCache(entries: 0)
        cache.insert("a", try principal())
        #expect(cache.find("a") == nil)
    }
}
