// COLD. The canonical path: one reading for every hop, or none.
import Bytes
import HTTP
import Testing

@Suite("The canonical path")
struct CanonicalTargetTests {
    @Test(
        "Paths that have a canonical form",
        arguments: [
            ("/", "/"),
            ("", "/"),
            ("?q", "/?q"),
            ("/?", "/?"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/a/b?c=/../d", "/a/b?c=/../d"),
            ("/a?b?c", "/a?b?c"),
            ("/a?%zz%2e%2e%00", "/a?%zz%2e%2e%00"),
            // Empty segments are merged.
            ("//", "/"),
            ("//a", "/a"),
            ("///a//b///", "/a/b/"),
            ("//host/a", "/host/a"),
            // Literal dot segments are resolved.
            ("/.", "/"),
            ("/./", "/"),
            ("/./a", "/a"),
            ("/a/.", "/a/"),
            ("/a/./b", "/a/b"),
            ("/a/..", "/"),
            ("/a/../", "/"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/../c", "/a/c"),
            ("/a/b/../../c", "/c"),
            ("/a//../b", "/b"),
            ("/public/../admin", "/admin"),
            // Dots that are no dot segment.
            ("/...", "/..."),
            ("/..a", "/..a"),
            ("/a..", "/a.."),
            ("/.a/b.", "/.a/b."),
            ("/%2ea", "/.a"),
            ("/a%2e%2e", "/a.."),
            ("/%2e%2e%2e", "/..."),
            // Unreserved bytes are decoded, other escapes get upper-case digits.
            ("/%61%41%30%2d%2e%5f%7e", "/aA0-._~"),
            ("/%20", "/%20"),
            ("/a%3ab", "/a%3Ab"),
            ("/%21%24%26%27%28%29%2a%2b%2c%3d%40", "/%21%24%26%27%28%29%2A%2B%2C%3D%40"),
            ("/%22%3c%3E%5b%5d%5e%60%7b%7c%7d", "/%22%3C%3E%5B%5D%5E%60%7B%7C%7D"),
            ("/%25", "/%25"),
            ("/100%25", "/100%25"),
            ("/%25zz", "/%25zz"),
            ("/%2561", "/%2561"),
            // Bytes that stand for themselves, and those that are escaped.
            ("/!$&'()*+,-.:=@_~", "/!$&'()*+,-.:=@_~"),
            ("/\"<>[]^`{|}", "/%22%3C%3E%5B%5D%5E%60%7B%7C%7D"),
            // Parameters are kept.
            ("/a;b", "/a;b"),
            ("/a;b=c;d/e", "/a;b=c;d/e"),
            ("/a;", "/a;"),
            ("/...;a", "/...;a"),
            // UTF-8.
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/%e2%82%ac", "/%E2%82%AC"),
            ("/%F0%9F%8E%89", "/%F0%9F%8E%89"),
            ("/%ef%bf%bf", "/%EF%BF%BF"),
            ("/%ed%9f%bf", "/%ED%9F%BF"),
        ]
    )
    func good(target: String, path: String) {
        #expect(canonical(target) == .success(path))
        // Doing it again changes nothing, with either option.
        #expect(canonical(path) == .success(path))
        #expect(canonical(path, encodedSlashes: true) == .success(path))
    }

    @Test(
        "Paths that two hops could read differently are refused",
        arguments: [
            ("*", .pathNotOrigin),
            ("a", .pathNotOrigin),
            ("%2f", .pathNotOrigin),
            ("\\a", .pathNotOrigin),
            ("/\\", .pathBackslash),
            ("/a\\b", .pathBackslash),
            ("/..\\a", .pathBackslash),
            ("/a#b", .pathCharacter),
            ("/a b", .pathCharacter),
            ("/a\tb", .pathCharacter),
            ("/a\r\nb", .pathCharacter),
            ("/a\u{00}", .pathCharacter),
            ("/a\u{7f}", .pathCharacter),
            ("/a\u{80}", .pathCharacter),
            ("/\u{c3}\u{a9}", .pathCharacter),
            ("/a?b#c", .targetCharacter),
            ("/a?b c", .targetCharacter),
            ("/a?\u{00}", .targetCharacter),
            ("/a?\u{e9}", .targetCharacter),
            // Escapes that are none.
            ("/%", .pathEscapeMalformed),
            ("/%2", .pathEscapeMalformed),
            ("/%2?a", .pathEscapeMalformed),
            ("/%zz", .pathEscapeMalformed),
            ("/%2g", .pathEscapeMalformed),
            ("/%g2", .pathEscapeMalformed),
            ("/%%", .pathEscapeMalformed),
            ("/%u002e", .pathEscapeMalformed),
            ("/% 2", .pathEscapeMalformed),
            ("/%+2f", .pathEscapeMalformed),
            ("/%0x", .pathEscapeMalformed),
            // Encoded separators, controls and delimiters.
            ("/a%2fb", .pathEscapedSlash),
            ("/a%2Fb", .pathEscapedSlash),
            ("/%2f", .pathEscapedSlash),
            ("/a%5cb", .pathEscapedSlash),
            ("/a%5Cb", .pathEscapedSlash),
            ("/..%2fa", .pathEscapedSlash),
            ("/..%5ca", .pathEscapedSlash),
            ("/a%00", .pathEscapedControl),
            ("/a%00.html", .pathEscapedControl),
            ("/a%0a", .pathEscapedControl),
            ("/a%0d%0aX:y", .pathEscapedControl),
            ("/a%09", .pathEscapedControl),
            ("/a%1f", .pathEscapedControl),
            ("/a%7f", .pathEscapedControl),
            ("/a%3bb", .pathEscapedDelimiter),
            ("/a%3B", .pathEscapedDelimiter),
            ("/a%3fb", .pathEscapedDelimiter),
            ("/a%23b", .pathEscapedDelimiter),
            // Encoded dot segments.
            ("/%2e", .pathEscapedDots),
            ("/%2e/", .pathEscapedDots),
            ("/%2e%2e", .pathEscapedDots),
            ("/%2E%2E/a", .pathEscapedDots),
            ("/a/.%2e/b", .pathEscapedDots),
            ("/a/%2e./b", .pathEscapedDots),
            ("/a/%2e/b", .pathEscapedDots),
            // Dot segments and empty segments with parameters.
            ("/..;", .pathDotParameters),
            ("/..;/a", .pathDotParameters),
            ("/..;a=b/c", .pathDotParameters),
            ("/a/..;/b", .pathDotParameters),
            ("/.;/a", .pathDotParameters),
            ("/a/.;x", .pathDotParameters),
            ("/%2e%2e;/a", .pathDotParameters),
            ("/;", .pathDotParameters),
            ("/;/a", .pathDotParameters),
            ("/;a=b/c", .pathDotParameters),
            ("/a/;b", .pathDotParameters),
            ("//;b", .pathDotParameters),
            // Above the root.
            ("/..", .pathAboveRoot),
            ("/../a", .pathAboveRoot),
            ("/./../a", .pathAboveRoot),
            ("/a/../../b", .pathAboveRoot),
            ("//../a", .pathAboveRoot),
            // What a second decoding would make.
            ("/%252f", .pathEscapedTwice),
            ("/%252F", .pathEscapedTwice),
            ("/%255c", .pathEscapedTwice),
            ("/%252e", .pathEscapedTwice),
            ("/%252e%252e/a", .pathEscapedTwice),
            ("/%2500", .pathEscapedTwice),
            ("/%250a", .pathEscapedTwice),
            ("/%257f", .pathEscapedTwice),
            ("/%2523", .pathEscapedTwice),
            ("/%253b", .pathEscapedTwice),
            ("/%253f", .pathEscapedTwice),
            ("/%2525", .pathEscapedTwice),
            ("/%25252f", .pathEscapedTwice),
            ("/%25%32%66", .pathEscapedTwice),
            ("/%25%32f", .pathEscapedTwice),
            ("/%252%66", .pathEscapedTwice),
            ("/%25c0%25af", .pathEscapedTwice),
            ("/%25e0%2580%25af", .pathEscapedTwice),
            ("/%25f0%2580%2580%25af", .pathEscapedTwice),
            ("/%25ff", .pathEscapedTwice),
            // Overlong and other invalid UTF-8.
            ("/%c0%ae", .pathNotUTF8),
            ("/%c0%af", .pathNotUTF8),
            ("/%c1%9c", .pathNotUTF8),
            ("/%e0%80%af", .pathNotUTF8),
            ("/%e0%9f%bf", .pathNotUTF8),
            ("/%f0%80%80%af", .pathNotUTF8),
            ("/%f0%8f%bf%bf", .pathNotUTF8),
            ("/%f8%80%80%80%af", .pathNotUTF8),
            ("/%ed%a0%80", .pathNotUTF8),
            ("/%ed%bf%bf", .pathNotUTF8),
            ("/%f4%90%80%80", .pathNotUTF8),
            ("/%f5%80%80%80", .pathNotUTF8),
            ("/%80", .pathNotUTF8),
            ("/%bf", .pathNotUTF8),
            ("/%ff", .pathNotUTF8),
            ("/%fe", .pathNotUTF8),
            ("/%e9", .pathNotUTF8),
            ("/%c3", .pathNotUTF8),
            ("/%c3/%a9", .pathNotUTF8),
            ("/%c3a9", .pathNotUTF8),
            ("/%e2%82", .pathNotUTF8),
            ("/%e2%82a", .pathNotUTF8),
        ] as [(String, ProtocolError)]
    )
    func refused(target: String, error: ProtocolError) {
        #expect(canonical(target) == .failure(error))
        #expect(error.status == 400)
    }

    @Test(
        "A route may allow encoded slashes; they separate nothing",
        arguments: [
            ("/a%2fb", .success("/a%2Fb")),
            ("/%2F", .success("/%2F")),
            ("/%2f%2fa", .success("/%2F%2Fa")),
            ("/a%2f/b", .success("/a%2F/b")),
            ("/a%2f/../b", .success("/b")),
            ("/a%2f..", .failure(.pathEscapedDots)),
            ("/a%2f../b", .failure(.pathEscapedDots)),
            ("/a%2f.", .failure(.pathEscapedDots)),
            ("/..%2fa", .failure(.pathEscapedDots)),
            ("/.%2fa", .failure(.pathEscapedDots)),
            ("/%2e%2e%2fa", .failure(.pathEscapedDots)),
            ("/a%2f..%2fb", .failure(.pathEscapedDots)),
            ("/a%2f%2e%2e", .failure(.pathEscapedDots)),
            ("/a%2f..;/b", .failure(.pathDotParameters)),
            ("/a%2f;b", .failure(.pathDotParameters)),
            ("/..;%2fa", .failure(.pathEscapedDots)),
            ("/a%5cb", .failure(.pathEscapedSlash)),
            ("/a%252fb", .failure(.pathEscapedTwice)),
        ] as [(String, Result<String, ProtocolError>)]
    )
    func encodedSlashes(target: String, result: Result<String, ProtocolError>) {
        #expect(canonical(target, encodedSlashes: true) == result)
        if case .success(let path) = result { #expect(canonical(path, encodedSlashes: true) == result) }
    }

    @Test("Whether there is an encoded slash is told, and forgotten by the next path")
    func hasEncodedSlash() {
        let target = CanonicalTarget(capacity: 100)
        for (text, has) in [("/a%2fb", true), ("/a/b", false), ("/a%2fb", true), ("/\\", false)] {
            let bytes = latin1(text)
            _ = target.canonicalize(bytes.span, target: Slice(0, bytes.count), options: .init(encodedSlashes: true))
            #expect(target.hasEncodedSlash == has)
        }
    }

    @Test("After an error nothing of the path is left")
    func afterError() {
        let target = CanonicalTarget(capacity: 100)
        for text in ["/secret/%2f?q", "/secret?a#b", "/secret/\\"] {
            let bytes = latin1(text)
            let error = target.canonicalize(bytes.span, target: Slice(0, bytes.count))
            #expect(error != nil)
            #expect(Array(target.path) == [0x2f])
            #expect(!target.hasQuery && target.query.isEmpty)
        }
        // A slice that is not of these bytes.
        let beyond = target.canonicalize(latin1("/a").span, target: Slice(0, 3))
        #expect(beyond == .pathNotOrigin)
    }

    @Test("Every byte, raw and escaped, canonicalises to a fixed point or is refused")
    func everyByte() {
        let hex = Array("0123456789abcdef")
        for value in 0...255 {
            let raw = String(Character(UnicodeScalar(UInt8(value))))
            let escaped = "%\(hex[value / 16])\(hex[value % 16])"
            for text in [
                "/a\(raw)b", "/\(raw)", "/a\(escaped)b", "/\(escaped)", "/%25\(escaped)", "/%25\(escaped.dropFirst())",
            ] {
                guard case .success(let path) = canonical(text) else { continue }
                #expect(canonical(path) == .success(path), "\(text)")
                #expect(path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") })
            }
        }
    }

    @Test("In every place of a long path the same is done as in a short one")
    func longPaths() {
        let plain = String(repeating: "segment/", count: 6)
        for (piece, result) in [
            ("x", Result<String, ProtocolError>.success("x")), ("/", .success("")), ("//", .success("")),
            ("./", .success("")), ("a/../", .success("")), ("..a/", .success("..a/")), ("%41/", .success("A/")),
            ("|/", .success("%7C/")), ("a;b/", .success("a;b/")), ("..;/", .failure(.pathDotParameters)),
            ("%2e/", .failure(.pathEscapedDots)), ("%2f", .failure(.pathEscapedSlash)),
            ("\\", .failure(.pathBackslash)),
            ("@/", .success("@/")), ("[/", .success("%5B/")), ("{/", .success("%7B/")), ("`/", .success("%60/")),
        ] {
            for place in stride(from: 0, through: plain.utf8.count, by: 8) {
                let start = "/" + plain.prefix(place)
                let end = String(plain.dropFirst(place))
                #expect(canonical(start + piece + end) == result.map { start + $0 + end }, "\(piece) at \(place)")
            }
        }
        // A dot or a slash behind any slash, on either side of a block's edge.
        for length in 1...70 {
            let start = "/" + String(repeating: "a", count: length)
            #expect(canonical(start + "/./b") == .success(start + "/b"))
            #expect(canonical(start + "//b") == .success(start + "/b"))
            #expect(canonical(start + "/../b") == .success("/b"))
            #expect(canonical(start + "/.b.") == .success(start + "/.b."))
            #expect(canonical(start + ".b/") == .success(start + ".b/"))
        }
    }
}
