// COLD. Rewriting a path's prefix: the result is canonical and stays under the new prefix, or there is none.
import Bytes
import HTTP
import Testing

@Suite("Rewriting a path's prefix")
struct RewriteTests {
    private func rewrite(
        _ path: String,
        _ segments: Int,
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
        let error = latin1(prefix).withUnsafeBufferPointer { target.replacePrefix(segments: segments, with: $0) }
        if let error {
            #expect(Array(target.path) == before)
            return .failure(error)
        }
        return .success(String(decoding: target.path, as: UTF8.self))
    }

    @Test(
        "The prefix is replaced at a segment's end",
        arguments: [
            ("/api/x", 1, "", "/x"),
            ("/api/x", 1, "/", "/x"),
            ("/api/x", 1, "/v2", "/v2/x"),
            ("/api/x", 1, "/v2/", "/v2/x"),
            ("/api", 1, "", "/"),
            ("/api", 1, "/v2", "/v2"),
            ("/api/", 1, "/v2", "/v2/"),
            ("/api/", 1, "", "/"),
            ("/api/", 2, "/v2", "/v2"),
            ("/api;v=1/x", 1, "/v2", "/v2/x"),
            ("/api;v=1", 1, "/v2", "/v2"),
            ("/a;x/b/c", 2, "/v2", "/v2/c"),
            ("/a;b/b/c", 2, "", "/c"),
            ("/a/b;p=1;q/c;d", 2, "/v2", "/v2/c;d"),
            ("/x", 0, "/v2", "/v2/x"),
            ("/", 0, "/v2", "/v2"),
            ("/api/a;b/c%20", 1, "", "/a;b/c%20"),
        ]
    )
    func good(path: String, segments: Int, prefix: String, result: String) {
        #expect(rewrite(path, segments, prefix) == .success(result))
    }

    @Test(
        "What is not canonical or leaves the prefix is refused",
        arguments: [
            ("/api/x", 3, "/v2"),
            ("/api", 2, "/v2"),
            ("/", 1, "/v2"),
            ("/api/x", 99, "/v2"),
            ("/api/x", -1, "/v2"),
            ("/api/x", 1, "v2"),
            ("/api/x", 1, "/v2/.."),
            ("/api/x", 1, "/v2/../w"),
            ("/api/x", 1, "/v2/."),
            ("/api/x", 1, "/v2//w"),
            ("/api/x", 1, "/v2/%2e%2e"),
            ("/api/x", 1, "/v2%2f"),
            ("/api/x", 1, "/%61"),
            ("/api/x", 1, "/a b"),
            ("/api/x", 1, "/v2?q"),
            ("/api/x", 1, "/v2#f"),
            ("/api/x", 1, "\\"),
            ("/api/x", 1, "//"),
        ]
    )
    func refused(path: String, segments: Int, prefix: String) {
        #expect(rewrite(path, segments, prefix) == .failure(.rewriteOutsidePrefix))
    }

    @Test("A kept encoded slash stays one")
    func encodedSlash() {
        #expect(rewrite("/api/a%2fb", 1, "/v2", encodedSlashes: true) == .success("/v2/a%2Fb"))
        #expect(rewrite("/api%2fb/c", 1, "/v2", encodedSlashes: true) == .success("/v2/c"))
    }

    @Test("What is too long for the memory is refused")
    func tooLong() {
        let prefix = "/" + String(repeating: "v", count: 20)
        #expect(rewrite("/api/x", 1, prefix, capacity: 16) == .failure(.pathTooLong))
    }
}
