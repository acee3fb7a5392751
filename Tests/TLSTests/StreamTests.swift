// COLD. Bytes through a connection: partial reads and writes, ends that are clean and ends that are not.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import TLS

@Suite("Streams") struct StreamTests {
    let setup: Setup
    init() throws { setup = try Setup() }

    private func open(maximum: Int32 = 0) throws -> Pair {
        let pair = try Pair(try setup.server(.hosts("a.example")), try setup.client())
        pc_SSL_set_max_proto_version(pair.client.ssl, maximum)
        #expect(pair.handshake() == (.done, .done))
        return pair
    }

    @Test("megabytes in both directions at once, with partial writes from a moving buffer", arguments: [0, 0x0303])
    func transfer(maximum: Int32) throws {
        let pair = try open(maximum: maximum)
        let size = 3 << 20
        let data = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 11) }
        var sent = [0, 0]
        var received: [[UInt8]] = [[], []]
        var blocked = 0
        for _ in 0..<100_000 where received[0].count < size || received[1].count < size {
            for (side, stream) in [pair.server, pair.client].enumerated() {
                for _ in 0..<40 where sent[side] < size {
                    // A copy each time: the bytes move between two attempts.
                    let count = write(stream, Array(data[sent[side]..<min(size, sent[side] + 50_000)]))
                    if count == IO.wouldBlock {
                        blocked += 1
                        break
                    }
                    try #require(count > 0)
                    sent[side] += count
                }
                if let bytes = read(stream) { received[side] += bytes }
            }
        }
        #expect(received[0] == data && received[1] == data)
        #expect(blocked > 0, "the socket was never full")
        #expect(!pair.client.readNeedsWritable && !pair.client.writeNeedsReadable)
    }

    @Test("a small buffer leaves bytes inside, and the stream says so")
    func pending() throws {
        let pair = try open()
        #expect(write(pair.client, Array("hello, world".utf8)) == 12)
        var buffer = [UInt8](repeating: 0, count: 5)
        #expect(pair.server.read(&buffer, 5) == 5)
        #expect(pair.server.hasPending && pair.server.mayHaveMore)
        #expect(read(pair.server) == Array(", world".utf8))
        #expect(!pair.server.hasPending && !pair.server.mayHaveMore)
        #expect(write(pair.client, [1]) == 1)
        #expect(pair.server.read(&buffer, 5) == 1)
        #expect(!pair.server.mayHaveMore, "the read of the socket was short: no further read is needed")
        #expect(pair.server.isQuiet)
    }

    @Test("the end is clean with close_notify")
    func cleanEnd() throws {
        let pair = try open()
        #expect(write(pair.client, [1, 2]) == 2)
        #expect(pair.client.shutdown() == 0)
        #expect(pair.client.shutdown() == 0, "once")
        Socket.shutdownWrite(pair.sockets.client)
        #expect(read(pair.server) == [1, 2])
        #expect(readResult(pair.server) == 0)
        #expect(readResult(pair.server) == 0)
        #expect(write(pair.server, [3]) == 1, "the other direction goes on")
        #expect(pair.server.shutdown() == 0)
        #expect(pair.server.failure == nil)
    }

    @Test("the end without close_notify is no end", arguments: [0, 0x0303])
    func truncated(maximum: Int32) throws {
        let pair = try open(maximum: maximum)
        #expect(write(pair.client, [1, 2]) == 2)
        Socket.shutdownWrite(pair.sockets.client)
        #expect(read(pair.server) == [1, 2])
        #expect(readResult(pair.server) == IO.truncated)
        #expect(readResult(pair.server) == IO.truncated)
        #expect(pair.server.failure?.kind == .closed)
    }

    @Test("a record cut in the middle is no end either")
    func cutRecord() throws {
        let pair = try open()
        var head: [UInt8] = [0x17, 3, 3, 0x40, 0, 1, 2, 3]
        _ = Socket.write(pair.sockets.client, &head, head.count)
        Socket.shutdownWrite(pair.sockets.client)
        #expect(readResult(pair.server) == IO.truncated)
    }

    @Test("a forged record fails the connection, and errors of others do not")
    func forged() throws {
        let pair = try open()
        #expect(readResult(pair.server) == IO.wouldBlock)
        #expect(BIO_new_file("/no/such/file", "r") == nil)
        #expect(ERR_peek_error() != 0)
        #expect(readResult(pair.server) == IO.wouldBlock, "an error that was there before is not its own")
        var record: [UInt8] = [0x17, 3, 3, 0, 20] + [UInt8](repeating: 9, count: 20)
        _ = Socket.write(pair.sockets.client, &record, record.count)
        #expect(readResult(pair.server) == IO.failed)
        #expect(pair.server.failure?.kind == .protocolError)
        #expect(readResult(pair.server) == IO.failed)
        #expect(write(pair.server, [1]) == IO.failed)
        #expect(pair.server.shutdown() == IO.failed)
        #expect(ERR_peek_error() == 0)
    }

    @Test("key updates are answered, and a flood of them ends the connection")
    func keyUpdates() throws {
        let pair = try open()
        for _ in 0..<4 {
            #expect(SSL_key_update(pair.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            #expect(write(pair.client, [7]) == 1)
            #expect(read(pair.server) == [7])
            #expect(write(pair.server, [8]) == 1)
            #expect(read(pair.client) == [8])
        }
        var result = 0
        for _ in 0..<200 {
            SSL_key_update(pair.client.ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
            _ = SSL_do_handshake(pair.client.ssl)
            result = readResult(pair.server)
            if result != IO.wouldBlock { break }
        }
        #expect(result == IO.failed)
        #expect(pair.server.failure?.kind == .tooManyMessages)
    }

    @Test("a client that wants to renegotiate does not get it")
    func renegotiation() throws {
        let pair = try open(maximum: 0x0303)
        SSL_clear_options(pair.client.ssl, pc_SSL_OP_always())
        #expect(SSL_renegotiate(pair.client.ssl) == 1)
        _ = SSL_do_handshake(pair.client.ssl)
        #expect(readResult(pair.server) == IO.wouldBlock)
        _ = SSL_do_handshake(pair.client.ssl)
        #expect(pair.server.failure == nil)
        #expect(write(pair.server, [5]) == 1)
    }

    @Test("contexts that were replaced live as long as their connections")
    func replaced() throws {
        var server: ServerTLS? = try setup.server(.hosts("a.example"), .hosts("b.example"))
        weak let watched = server
        var pair: Pair? = try Pair(try #require(server), try setup.client(), name: "b.example")
        server = nil
        #expect(pair?.handshake().server == .done)
        #expect(watched != nil)
        #expect(pair?.server.certificateIndices == [1])
        pair = nil
        #expect(watched == nil)
    }
}
