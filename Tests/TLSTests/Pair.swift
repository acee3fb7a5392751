// COLD. Two ends of a connection in one thread, driven until both are done.
import Glibc
import Reactor

@testable import TLS

/// Seconds since 1970, a minute later than any certificate of the tests was made.
let now = Clock.unixMilliseconds() / 1000 + 60

/// Two connected, non-blocking sockets.
final class Sockets {
    let server: Int32
    let client: Int32

    init() {
        var both: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        _ = socketpair(AF_UNIX, type, 0, &both)
        (server, client) = (both[0], both[1])
    }

    deinit {
        Socket.close(server)
        Socket.close(client)
    }
}

/// A server's stream and a client's over one socket pair.
final class Pair {
    let sockets = Sockets()
    let server: TLSStream
    let client: TLSStream

    struct NoStream: Error {}

    init(
        _ server: ServerTLS,
        _ client: ClientTLS,
        name: String? = "a.example",
        backend: Int = 1,
        sessions: SessionCache? = nil
    ) throws {
        guard let accepted = server.accept(sockets.server),
            let connected = client.connect(
                sockets.client,
                name: name.flatMap { PeerName($0) },
                backend: backend,
                sessions: sessions
            )
        else { throw NoStream() }
        self.server = accepted
        self.client = connected
    }

    /// Drives both handshakes to their ends.
    @discardableResult
    func handshake() -> (server: HandshakeStep, client: HandshakeStep) {
        var server = HandshakeStep.wantRead
        var client = HandshakeStep.wantRead
        for _ in 0..<20 {
            if !client.isOver { client = self.client.handshake() }
            if !server.isOver { server = self.server.handshake() }
            if case .failed = server { Socket.shutdownBoth(sockets.server) }
            if case .failed = client { Socket.shutdownBoth(sockets.client) }
            if server.isOver, client.isOver { break }
        }
        return (server, client)
    }

    /// Handshake, then one byte each way, so that the client has seen the server's tickets.
    func exchange() throws {
        guard handshake() == (.done, .done) else { throw NoStream() }
        guard write(server, [1]) == 1, read(client) == [1], write(client, [2]) == 1, read(server) == [2] else {
            throw NoStream()
        }
    }
}

extension HandshakeStep {
    var isOver: Bool { self != .wantRead && self != .wantWrite }
    var failure: TLSFailure? {
        if case .failed(let failure) = self { failure } else { nil }
    }
}

func write(_ stream: TLSStream, _ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBufferPointer { buffer in buffer.baseAddress.map { stream.write($0, buffer.count) } ?? 0 }
}

/// What can be read at once; nil when the first read brings nothing.
func read(_ stream: TLSStream) -> [UInt8]? {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 20_000)
    while true {
        let count = buffer.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.map { stream.read($0, bytes.count) } ?? 0
        }
        if count <= 0 { return all.isEmpty ? nil : all }
        all += buffer[0..<count]
    }
}

/// What one read comes to.
func readResult(_ stream: TLSStream) -> Int {
    var byte: UInt8 = 0
    return stream.read(&byte, 1)
}

/// Contexts with what most tests need.
struct Setup {
    let authority: Authority
    let keys: TicketKeys

    init() throws {
        authority = try Authority()
        keys = try TicketKeys(rotation: 3_600_000, lifetime: 7_200_000, now: 0)
    }

    func source(_ wanted: Wanted, label: String = "a.pem", ocsp: Bool = false) throws -> CertificateSource {
        let issued = try authority.issue(wanted)
        return CertificateSource(
            label: label,
            chain: issued.certificatePEM + authority.pem,
            key: issued.keyPEM,
            ocsp: ocsp ? try authority.ocsp(issued) : nil
        )
    }

    func server(_ wanted: Wanted..., change: (inout ServerTLSPlan) -> Void = { _ in }) throws -> ServerTLS {
        var plan = ServerTLSPlan(certificates: try wanted.map { try source($0) }, contextName: "main")
        change(&plan)
        return try ServerTLS(plan, ticketKeys: keys, now: now)
    }

    func client(change: (inout ClientTLSPlan) -> Void = { _ in }) throws -> ClientTLS {
        var plan = ClientTLSPlan()
        plan.authorities = .pem(authority.pem)
        change(&plan)
        return try ClientTLS(plan)
    }
}
