// COLD. Rewriting a path's prefix: the result is canonical and stays under the new prefix, or there is none.
import Bytes
import HTTP
import Testing

@Suite("Rewriting a path's prefix")
struct RewriteTests {
    private func rewrite(
        _ path: String,
        _ length: Int,
        _ prefix: String,
        encodedSlashes: Bool = false,
        capacity: Int = 200
    ) -> Result<String, ProtocolError> {
        let bytes = latin1(path)
        let target = CanonicalTarget(capacity: capacity)
        let options = CanonicalTarget.Options(encodedSlashes: encodedSlashes)
        if let error = target.canonicalize(bytes.span, target: Slice(0, bytes.count), options: options) {
            return .failure(error)
        }
        let before = Array(target.path)
        let error = latin1(prefix).withUnsafeBufferPointer { target.replacePrefix(length: length, with: $0) }
        if let error {
            #expect(Array(target.path) == before)
            return .failure(error)
        }
        return .success(String(decoding: target.path, as: UTF8.self))
    }

    @Test(
        "The prefix is replaced at a segment's end",
        arguments: [
            ("/api/x", 4, "", "/x"),
            ("/api/x", 4, "/", "/x"),
            ("/api/x", 4, "/v2", "/v2/x"),
            ("/api/x", 4, "/v2/", "/v2/x"),
            ("/api/x", 5, "/v2/", "/v2/x"),
            ("/api/x", 5, "/v2", "/v2/x"),
            ("/api", 4, "", "/"),
            ("/api", 4, "/v2", "/v2"),
            ("/api/", 4, "/v2", "/v2/"),
            ("/api/", 4, "", "/"),
            ("/api;v=1/x", 4, "/v2", "/v2/x"),
            ("/api;v=1", 4, "/v2", "/v2"),
            ("/x", 0, "/v2", "/v2/x"),
            ("/x", 1, "/v2", "/v2/x"),
            ("/", 1, "/v2", "/v2"),
            ("/api/a;b/c%20", 4, "", "/a;b/c%20"),
        ]
    )
    func good(path: String, length: Int, prefix: String, result: String) {
        #expect(rewrite(path, length, prefix) == .success(result))
    }

    @Test(
        "What is not canonical or leaves the prefix is refused",
        arguments: [
            ("/apix/y", 4, "/v2"),
            ("/api/x", 3, "/v2"),
            ("/api/x", 99, "/v2"),
            ("/api/x", -1, "/v2"),
            ("/api/x", 4, "v2"),
            ("/api/x", 4, "/v2/.."),
            ("/api/x", 4, "/v2/../w"),
            ("/api/x", 4, "/v2/."),
            ("/api/x", 4, "/v2//w"),
            ("/api/x", 4, "/v2/%2e%2e"),
            ("/api/x", 4, "/v2%2f"),
            ("/api/x", 4, "/%61"),
            ("/api/x", 4, "/a b"),
            ("/api/x", 4, "/v2?q"),
            ("/api/x", 4, "/v2#f"),
            ("/api/x", 4, "\\"),
            ("/api/x", 4, "//"),
        ]
    )
    func refused(path: String, length: Int, prefix: String) {
        #expect(rewrite(path, length, prefix) == .failure(.rewriteOutsidePrefix))
    }

    @Test("A kept encoded slash stays one")
    func encodedSlash() {
        #expect(rewrite("/api/a%2fb", 4, "/v2", encodedSlashes: true) == .success("/v2/a%2Fb"))
        #expect(rewrite("/api%2fb", 4, "/v2", encodedSlashes: true) == .failure(.rewriteOutsidePrefix))
    }

    @Test("What is too long for the memory is refused")
    func tooLong() {
        let prefix = "/" + String(repeating: "v", count: 20)
        #expect(rewrite("/api/x", 4, prefix, capacity: 16) == .failure(.pathTooLong))
    }
}
