// COLD. The pool's bounds, and that who does not exist costs what who does costs.
import Foundation
import Settings
import Synchronization
import Testing

@testable import Accounts

@Suite("Hashing pool")
struct HashingPoolTests {
    private static let cheap: Argon2Settings = {
        var cost = Argon2Settings()
        cost.memory = .mebibytes(1)
        return cost
    }()

    @Test("a password is hashed and verified on the pool's threads")
    func roundTrip() async throws {
        let pool = HashingPool(threads: 1, queue: 4)
        let hash = try await pool.make([1, 2, 3], Self.cheap)
        let decoys = Decoys([hash])
        #expect(try await pool.verify([1, 2, 3], hash, decoys) == .matches)
        #expect(try await pool.verify([1, 2], hash, decoys) == .differs)
        #expect(try await pool.verify([1, 2, 3], nil, decoys) == .differs)
        #expect(try await pool.verify([1, 2, 3], "{SHA}x", decoys) == .unsupported)
        await #expect(throws: HashingError.length) { try await pool.verify([], hash, decoys) }
    }

    @Test("more than the queue holds is refused at once, and what was taken is done")
    func busy() async {
        let pool = HashingPool(threads: 1, queue: 2)
        let results = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do throws(HashingError) {
                        _ = try await pool.make([1], Argon2Settings())
                        return true
                    } catch {
                        #expect(error == .busy)
                        return false
                    }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(results.contains(true))
        #expect(results.contains(false))
        #expect(pool.depth <= 1)
    }

    @Test("a closed pool takes nothing")
    func closed() async {
        let pool = HashingPool(threads: 2, queue: 2)
        pool.close()
        await #expect(throws: HashingError.failed) { try await pool.make([1], Self.cheap) }
    }

    /// By hand, on a machine that does nothing else: PORTCULLIS_TIMED=1 swift test --filter HashingPool.
    @Test(
        "an unknown account takes the time of a known one, in a directory of one kind and in a mixed one",
        .enabled(if: ProcessInfo.processInfo.environment["PORTCULLIS_TIMED"] != nil)
    )
    func time() throws {
        let password = Array("not the password".utf8)
        let argon2 = try PasswordHash.make([1], Argon2Settings())
        let bcrypt = "$2b$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC"
        for hashes in [[argon2], [argon2, bcrypt, bcrypt]] {
            let decoys = Decoys(hashes)
            for known in hashes {
                // The least of many: what the machine does besides only adds.
                var best = (known: Duration.seconds(60), unknown: Duration.seconds(60))
                for _ in 0..<15 {
                    let clock = ContinuousClock()
                    best.known = try min(best.known, clock.measure { _ = try decoys.verify(password, known) })
                    best.unknown = try min(best.unknown, clock.measure { _ = try decoys.verify(password, nil) })
                }
                let ratio = best.known / best.unknown
                #expect((0.9...1.1).contains(ratio), "ratio \(ratio)")
            }
        }
    }
}
