// Probes of backends: what is asked, and which answers are good.
import Bytes
import HTTP
import HTTP2
import Testing

@testable import Gateway

private func plan(_ question: HealthQuestion) -> HealthPlan {
    HealthPlan(
        question: question,
        host: "api.example:8443",
        interval: 1000,
        timeout: 1000,
        healthy: 1,
        unhealthy: 1,
        statuses: [200...299]
    )
}

private func dialogue(_ question: HealthQuestion) -> HealthDialogue {
    let workspace = HTTP2Workspace(pool: BufferPool(size: 16 * 1024, kept: 4))
    return HealthDialogue(plan(question), isTLS: false, workspace: workspace, now: 0)
}

extension HealthDialogue {
    fileprivate func received(_ text: String) {
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            if let start = bytes.baseAddress { received(start, bytes.count, now: 0) }
        }
    }
}

@Suite("Health dialogue")
struct HealthDialogueTests {
    @Test("HTTP/1: one request, and a status that is good or not")
    func http1() {
        let one = dialogue(.http1(path: "/well?x=1"))
        let asked = String(decoding: one.output.bytes, as: UTF8.self)
        #expect(asked.hasPrefix("GET /well?x=1 HTTP/1.1\r\nHost: api.example:8443\r\n"))
        #expect(asked.hasSuffix("Connection: close\r\n\r\n"))
        one.received("HTTP/1.1 20")
        #expect(one.verdict == nil)
        one.received("4 X\r\nConnection: close\r\n\r\n")
        #expect(one.verdict == true)
    }

    @Test(
        "answers that are not good",
        arguments: [
            "HTTP/1.1 500 X\r\n\r\n", "HTTP/1.1 301 X\r\n\r\n", "SSH-2.0-x\r\n\r\n", "\u{0}\u{0}\u{4}\u{4}\u{0}",
        ]
    )
    func bad(text: String) {
        let one = dialogue(.http1(path: "/"))
        one.received(text)
        one.ended()
        #expect(one.verdict == false)
        one.received("HTTP/1.1 200 X\r\n\r\n")
        #expect(one.verdict == false)
    }

    @Test("HTTP/2 begins with the preface; something else than HTTP/2 is a bad answer")
    func http2() {
        for question in [HealthQuestion.http2(path: "/"), .grpc(service: "a.B")] {
            let one = dialogue(question)
            #expect(String(decoding: one.output.bytes, as: UTF8.self).hasPrefix("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
            one.received("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            #expect(one.verdict == false)
        }
    }

    @Test("an end without an answer is a bad one")
    func silence() {
        let one = dialogue(.http2(path: "/"))
        #expect(one.verdict == nil)
        one.ended()
        #expect(one.verdict == false)
    }
}

@Suite("gRPC health messages")
struct GRPCHealthTests {
    @Test("the request names the service")
    func request() {
        #expect(GRPCHealth.request("") == [0, 0, 0, 0, 0])
        #expect(GRPCHealth.request("ab") == [0, 0, 0, 0, 4, 0x0a, 2, 0x61, 0x62])
        let long = GRPCHealth.request(String(repeating: "a", count: 200))
        #expect(Array(long[..<8]) == [0, 0, 0, 0, 203, 0x0a, 0xc8, 1])
        #expect(long.count == 208)
    }

    @Test(
        "only SERVING is serving",
        arguments: [
            ([0, 0, 0, 0, 2, 8, 1], true), ([0, 0, 0, 0, 2, 8, 2], false), ([0, 0, 0, 0, 0], false), ([], false),
            ([0, 0, 0, 0, 2, 8], false), ([1, 0, 0, 0, 2, 8, 1], false), ([0, 0, 0, 0, 1, 8], false),
            ([0, 0, 0, 0, 3, 8, 0x81, 0], true), ([0, 0, 0, 0, 4, 8, 1, 8, 2], false),
            ([0, 0, 0, 0, 6, 0x12, 2, 1, 1, 8, 1], true), ([0, 0, 0, 0, 4, 0x12, 9, 8, 1], false),
            ([0, 0, 0, 0, 4, 0x0b, 0x0c, 8, 1], false), ([0, 0, 0, 0, 2, 0x10, 1], false),
            ([0, 0, 0, 0, 12, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], false),
            ([0, 0, 0, 0, 12, 0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0], false),
        ] as [([UInt8], Bool)]
    )
    func serving(message: [UInt8], expected: Bool) {
        #expect(message.withUnsafeBufferPointer { GRPCHealth.isServing($0) } == expected)
    }

    @Test("the call went well when its status says so")
    func status() {
        for (text, expected) in [
            ("grpc-status: 0\r\n\r\n", true), ("x: y\r\nGrpc-Status:0\r\n\r\n", true),
            ("grpc-status: 5\r\n\r\n", false),
            ("grpc-status: 00\r\n\r\n", false), ("\r\n", false),
        ] {
            let bytes = Array(text.utf8)
            #expect(bytes.withUnsafeBufferPointer { GRPCHealth.isGood(trailers: $0) } == expected)
        }
    }
}
