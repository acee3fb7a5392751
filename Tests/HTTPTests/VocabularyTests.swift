// COLD. What is said about violations, and the reasons of status codes.
import HTTP
import Testing

@Suite("Vocabulary")
struct VocabularyTests {
    @Test(
        "Codes are unique snake_case, details are sentences that hold no placeholder",
        arguments: ProtocolError.allCases
    )
    func errors(error: ProtocolError) {
        let code = "\(error.code)"
        #expect(!code.isEmpty)
        #expect(
            code.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) }
        )
        #expect(ProtocolError.allCases.filter { "\($0.code)" == code } == [error])
        let detail = "\(error.detail)"
        #expect(detail.hasSuffix("."))
        #expect(
            detail.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "\"") }
        )
        #expect([400, 413, 414, 417, 431, 501, 502, 505].contains(error.status))
        #expect(!"\(Status.reason(error.status))".isEmpty)
    }

    @Test("Reasons of the common statuses; none for unknown ones")
    func reasons() {
        #expect("\(Status.reason(200))" == "OK")
        #expect("\(Status.reason(431))" == "Request Header Fields Too Large")
        #expect("\(Status.reason(599))" == "")
        #expect("\(Status.reason(-1))" == "")
    }
}
