// The session cookie in a request, and what is left of its cookies for services.
import Bytes
import HTTP
import Testing

@testable import Identity

private let id = String(repeating: "aB3-", count: 10) + "_09"
private let own = OwnCookies(session: Array("__Host-gw_session".utf8), others: [Array("__Host-gw_flow".utf8)])

private func with<Result>(_ cookies: [String], _ body: (RequestHead, UnsafePointer<UInt8>) -> Result) -> Result? {
    let text = "GET / HTTP/1.1\r\nHost: a\r\n" + cookies.map { "Cookie: \($0)\r\n" }.joined() + "\r\n"
    let head = RequestHead()
    var limits = HeadLimits()
    limits.cookiePairs = 100
    return Array(text.utf8).withUnsafeBufferPointer { bytes -> Result? in
        guard let start = bytes.baseAddress,
            case .complete = RequestParser.parse(Span(_unsafeElements: bytes), into: head, limits: limits)
        else { return nil }
        return body(head, start)
    }
}

private func finding(_ cookies: String...) -> String {
    with(cookies) { head, bytes in
        switch own.findSession(in: head, bytes) {
        case .none: "none"
        case .unusable: "unusable"
        case .one(let slice):
            String(decoding: UnsafeBufferPointer(start: bytes + slice.start, count: slice.count), as: UTF8.self)
        }
    } ?? "unparsed"
}

@Suite("Session cookies") struct SessionCookieTests {
    @Test("the one cookie of the name is found among others")
    func found() {
        #expect(finding("__Host-gw_session=\(id)") == id)
        #expect(finding("a=1; __Host-gw_session=\(id);b=2") == id)
        #expect(finding("a=1", "b=2;   __Host-gw_session=\(id)  ") == id)
    }

    @Test("names that only begin or end alike, or differ in case, are other cookies")
    func others() {
        #expect(finding("a=1; b=__Host-gw_session=\(id)") == "none")
        #expect(finding("__Host-gw_session2=\(id)") == "none")
        #expect(finding("x__Host-gw_session=\(id)") == "none")
        #expect(finding("__host-gw_session=\(id)") == "none")
    }

    @Test("two of the name, and values that no id has, count for nothing")
    func unusable() {
        #expect(finding("__Host-gw_session=\(id); __Host-gw_session=\(id)") == "unusable")
        #expect(finding("__Host-gw_session=\(id)", "__Host-gw_session=x") == "unusable")
        #expect(finding("__Host-gw_session") == "unusable")
        #expect(finding("__Host-gw_session=") == "unusable")
        #expect(finding("__Host-gw_session=\(id)a") == "unusable")
        #expect(finding("__Host-gw_session=\"\(id.dropLast(2))\"") == "unusable")
        #expect(finding("__Host-gw_session=\(id.dropLast())%") == "unusable")
    }

    @Test("more cookies than a browser sends count for nothing")
    func tooMany() {
        let many = (0..<64).map { "c\($0)=1" }.joined(separator: "; ")
        #expect(finding("\(many); __Host-gw_session=\(id)") == "unusable")
        #expect(
            finding(
                "a=\(String(repeating: "x", count: 7000))",
                "b=\(String(repeating: "x", count: 1200)); __Host-gw_session=\(id)"
            ) == "unusable"
        )
    }

    @Test("services get every cookie but ours, as it came")
    func foreign() {
        func left(_ cookie: String) -> String? {
            with([cookie]) { head, bytes in
                let out = OutputBuffer(capacity: 256)
                own.writeForeign(of: head[head.first(.cookie)].value, bytes, to: out)
                return String(decoding: out.bytes, as: UTF8.self)
            }
        }
        #expect(left("a=1; __Host-gw_session=\(id); b=\"x y\"; __Host-gw_flow=z") == "Cookie: a=1; b=\"x y\"\r\n")
        #expect(left("__Host-gw_session=\(id)") == "")
        #expect(left("__Host-gw_session = \(id); a=b") == "Cookie: a=b\r\n")
        #expect(left("__Host-gw_session; a=b=c") == "Cookie: a=b=c\r\n")
    }
}

@Suite("Live sessions") struct LiveSessionTests {
    private func session() -> LiveSession {
        LiveSession(
            digest: SessionDigest(1, 2, 3, 4),
            idle: 100,
            expires: 1000,
            authenticated: 0,
            strength: 1,
            csrf: [],
            site: Array("a.example".utf8),
            lastSeen: 0
        )
    }

    @Test("it lasts as long as it is used, and not beyond its end")
    func deadlines() {
        let session = session()
        #expect(session.isLive(at: 99))
        #expect(!session.isLive(at: 100))
        session.touch(99)
        #expect(session.isLive(at: 198))
        #expect(session.deadline == 199)
        session.touch(950)
        #expect(session.isLive(at: 999))
        #expect(!session.isLive(at: 1000))
    }

    @Test("a use is written once an interval, the last one too")
    func writing() {
        let session = session()
        session.touch(10)
        #expect(session.takeUnwritten(at: 10, interval: 60) == nil)
        #expect(session.takeUnwritten(at: 60, interval: 60) == 10)
        #expect(session.takeUnwritten(at: 90, interval: 60) == nil)
        session.touch(90)
        #expect(!session.isWritten)
        #expect(session.takeUnwritten(at: 91, interval: 0) == 90)
        #expect(session.isWritten)
    }

    @Test("what was ended stays ended")
    func ended() {
        let session = session()
        session.end()
        session.touch(1)
        #expect(!session.isLive(at: 1))
    }
}
