// Names that only the gateway may set, and the lines it sets.
import Bytes
import HTTP
import JOSE
import Testing

@testable import Identity

private let injection = HeaderInjection(
    headers: [
        ClaimHeader(claim: ClaimPath("sub"), header: Array("X-User-Id".utf8)),
        ClaimHeader(claim: ClaimPath("roles"), header: Array("X-User-Roles".utf8)),
        ClaimHeader(claim: ClaimPath("a.b"), header: Array("X-Nested".utf8)),
    ],
    protected: [Array("X-Portcullis-Assertion".utf8)]
)

private func isProtected(_ name: String) -> Bool {
    Array(name.utf8).withUnsafeBufferPointer { injection.isProtected($0) }
}

private func block(_ json: String) throws -> String {
    String(decoding: injection.block(for: try Claims(json: Array(json.utf8))), as: UTF8.self)
}

@Suite("Header injection")
struct InjectionTests {
    @Test(
        "every name that folds to a protected one is protected",
        arguments: [
            "X-User-Id", "x-user-id", "X_USER_ID", "X.User.Id", "x~user!id", "X-User_Id", "x portcullis assertion",
            "X_Portcullis_Assertion", "X-User--Id", "-X-User-Id", "X-User-Id-", "__x..user~!~id__", "x-_user-id-.",
        ]
    )
    func folding(name: String) { #expect(isProtected(name)) }

    @Test(
        "names that only look alike are not",
        arguments: ["X-User-Ids", "XUser-Id", "X-User-I", "X-User-Id-2", "XxUserxId", "-", "--", "X", ""]
    )
    func others(name: String) { #expect(!isProtected(name)) }

    @Test("protected fields do not go on, and Connection may not name one, even one that is not there")
    func protect() throws {
        for (fields, reason, removed) in [
            ("X_User_Id: a\r\nX-Other: b\r\nx.user.id: c\r\n", Reason.none, 2),
            ("Connection: close, X-User-Id\r\n", .connectionNamesProtected, 0),
            ("Connection: close\r\nConnection: \tx_user_roles ,te\r\n", .connectionNamesProtected, 0),
            ("Connection: close, x-user\r\n", .none, 0),
        ] {
            let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n".utf8)
            let head = RequestHead()
            let outcome = RequestParser.parse(bytes.span, into: head, limits: HeadLimits())
            guard case .complete = outcome else {
                Issue.record("not parsed: \(fields)")
                continue
            }
            let protection = bytes.withUnsafeBufferPointer { buffer in
                buffer.baseAddress.map { injection.protect(head, $0) }
            }
            #expect(protection?.reason == reason)
            #expect(protection?.removed == removed)
        }
    }

    @Test(
        "values cannot break a line or a list",
        arguments: [
            (#"{"sub":"ada"}"#, "X-User-Id: ada\r\n"),
            (#"{"sub":"a\r\nX: 1"}"#, "X-User-Id: a%0D%0AX: 1\r\n"),
            (#"{"sub":" a "}"#, "X-User-Id: %20a%20\r\n"),
            (#"{"sub":"zoë,100%"}"#, "X-User-Id: zo%C3%AB%2C100%25\r\n"),
            (#"{"sub":"\u0000\u007f"}"#, "X-User-Id: %00%7F\r\n"),
            (#"{"roles":["a","b,c","d e"]}"#, "X-User-Roles: a,b%2Cc,d e\r\n"),
            (#"{"roles":[1,true]}"#, "X-User-Roles: 1,true\r\n"),
            (#"{"roles":[["a"]]}"#, ""), (#"{"roles":[]}"#, ""), (#"{"roles":{}}"#, ""), (#"{"sub":""}"#, ""),
            (#"{"roles":null}"#, ""),
            (#"{"a":{"b":7}}"#, "X-Nested: 7\r\n"),
        ]
    )
    func encoding(claims: String, expected: String) throws { #expect(try block(claims) == expected) }

    @Test("a value that is too long gives no line")
    func tooLong() throws {
        #expect(try block(#"{"sub":"\#(String(repeating: "a", count: 5000))"}"#) == "")
        #expect(try block(#"{"sub":"\#(String(repeating: "a", count: 4096))"}"#).utf8.count == 4096 + 13)
    }
}
