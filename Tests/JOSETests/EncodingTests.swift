// COLD. JSON and base64url, byte by byte at every place: the readers work on eight and four bytes at once.
import Foundation
import Testing

@testable import JOSE

/// What parsing comes to: the error, or nil.
private func error(_ text: [UInt8], limits: JSONLimits = JSONLimits()) -> JSONError? {
    do throws(JSONError) {
        try JSONDocument(capacity: text.count).parse(text.span, limits: limits)
        return nil
    } catch {
        return error
    }
}

private func error(_ text: String, limits: JSONLimits = JSONLimits()) -> JSONError? {
    error(Array(text.utf8), limits: limits)
}

/// The only string in an array, unescaped.
private func string(_ content: [UInt8]) -> [UInt8]? {
    let text = Array("[\"".utf8) + content + Array("\"]".utf8)
    let document = JSONDocument(capacity: 0)
    guard (try? document.parse(text.span)) != nil, document.childCount(0) == 1 else { return nil }
    return document.stringBytes(1)
}

@Suite("JSON")
struct JSONTests {
    @Test("a byte in a string, whatever it is and wherever it stands")
    func bytes() {
        for length in 1...17 {
            for place in 0..<length {
                for byte in UInt8.min ... .max {
                    var text = [UInt8](repeating: 0x61, count: length)
                    text[place] = byte
                    let isPlain = byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5c
                    // A backslash before an a is no escape; one at the end takes the quote away.
                    if string(text) != (isPlain ? text : nil) { Issue.record("byte \(byte) at \(place) of \(length)") }
                }
            }
        }
    }

    @Test(
        "an escape or a character of several bytes, wherever it stands",
        arguments: [
            (#"\""#, "\""), (#"\\"#, "\\"), (#"\/"#, "/"), (#"\b"#, "\u{8}"), (#"\f"#, "\u{c}"), (#"\n"#, "\n"),
            (#"\r"#, "\r"), (#"\t"#, "\t"), (#"\u0000"#, "\0"), (#"\u0041"#, "A"), (#"\u00e9"#, "é"), (#"\u20AC"#, "€"),
            (#"\uD83D\uDE00"#, "😀"), ("é", "é"), ("€", "€"), ("😀", "😀"), ("\u{10ffff}", "\u{10ffff}"),
            (#"\uffff"#, "\u{ffff}"), (#"\ud7ff\ue000"#, "\u{d7ff}\u{e000}"),
        ]
    )
    func escapes(written: String, meant: String) {
        for before in 0...17 {
            for after in 0...9 {
                let (front, back) = (String(repeating: "a", count: before), String(repeating: "b", count: after))
                #expect(string(Array((front + written + back).utf8)) == Array((front + meant + back).utf8))
                // Cut anywhere, it is no text at all.
                let text = Array("[\"\(front)\(written)".utf8)
                #expect(error(text) != nil)
            }
        }
    }

    @Test("sequences that are not UTF-8 are told from those that are, all of two and three bytes")
    func encoding() {
        for first in UInt8(0x80) ... .max {
            for second in UInt8.min ... .max where second != 0x22 && second != 0x5c {
                let two = [first, second]
                if (string(two) != nil) != (String(validating: two, as: UTF8.self) != nil) {
                    Issue.record("\(two)")
                }
                guard [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff].contains(second) else { continue }
                for third in [UInt8(0x00), 0x7f, 0x80, 0xbf, 0xc0, 0xff] {
                    for text in [[first, second, third], [first, second, third, 0x80], [first, second, third, 0xbf]] {
                        let isText = String(validating: text, as: UTF8.self) != nil && third >= 0x20
                        if (string(text) != nil) != (isText && second >= 0x20) { Issue.record("\(text)") }
                    }
                }
            }
        }
    }

    @Test(
        "what is JSON",
        arguments: [
            "{}", "[]", "0", "-0", "1.5", "1e5", "1E+5", "-1.5e-5", "true", "false", "null", "\"\"", " [ 1 , 2 ] ",
            "{\"a\":{}}",
            "\t\r\n1\n", "[[],{},\"\",0,null]", "{\"\":0}",
        ]
    )
    func good(text: String) { #expect(error(text) == nil) }

    @Test(
        "what is not",
        arguments: [
            "", " ", "{", "}", "[", "]", "[1", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "[1,]",
            "[,1]", "[1 2]",
            "{\"a\" 1}", "{a:1}", "{1:1}", "01", "-", "-a", "+1", ".5", "5.", "1e", "1e+", "0x1", "1_0", "tru", "True",
            "nulll",
            "truefalse", "'a'", "\"a", "1 2", "{}{}", "{}x", "[1}", "{\"a\":1]", "\u{feff}{}", "//\n{}", "{}//", "NaN",
            "Infinity", "-Infinity",
        ]
    )
    func bad(text: String) { #expect(error(text) == .syntax) }

    @Test("a name is there once, among few and among many, escaped or not")
    func duplicates() {
        for count in [0, 1, 14, 15, 16, 17, 18, 40, 400] {
            let others = (0..<count).map { "\"m\($0)\":0" }
            for place in Set([0, count / 2, count]) {
                for (first, second) in [("a", "a"), ("a", "\\u0061"), ("", ""), ("abc", "a\\u0062c")] {
                    var members = others
                    members.insert("\"\(first)\":1", at: place)
                    #expect(error("{\(members.joined(separator: ","))}") == nil)
                    members.append("\"\(second)\":2")
                    #expect(error("{\(members.joined(separator: ","))}") == .duplicateName)
                    #expect(error("[{\"z\":{\(members.joined(separator: ","))}}]") == .duplicateName)
                }
            }
        }
        // The same name in objects side by side, or within each other, is none.
        #expect(error(#"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":{"a":1}}"#) == nil)
        // Names that agree in length, first, middle and last byte.
        #expect(error(#"{"axbyc":1,"azbyc":2,"axbzc":3}"#) == nil)
    }

    @Test("depth and number of values are bounded")
    func limits() {
        for depth in [1, 4, 32] {
            let limits = JSONLimits(depth: depth)
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                func nested(_ count: Int) -> String {
                    String(repeating: open, count: count) + "0" + String(repeating: close, count: count)
                }
                #expect(error(nested(depth), limits: limits) == nil)
                #expect(error(nested(depth + 1), limits: limits) == .tooDeep)
                #expect(error(String(repeating: open, count: 100_000), limits: limits) == .tooDeep)
            }
        }
        let limits = JSONLimits(depth: 4, nodes: 10)
        #expect(error("[1,2,3,4,5,6,7,8,9]", limits: limits) == nil)
        #expect(error("[1,2,3,4,5,6,7,8,9,10]", limits: limits) == .tooLarge)
    }
}

@Suite("Base64url")
struct Base64Tests {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    @Test("there and back, and as others write it")
    func roundTrip() {
        var generator = SystemRandomNumberGenerator()
        for count in 0...70 {
            for _ in 0..<8 {
                let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
                let text = Base64URL.encode(bytes)
                let other = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
                #expect(text == other.replacing("=", with: ""))
                #expect(Base64URL.decode(Array(text.utf8)) == bytes)
            }
        }
    }

    @Test("every byte at every place: one spelling for each value, and no other byte")
    func strict() {
        for count in 1...12 {
            for place in 0..<count {
                for byte in UInt8.min ... .max {
                    var text = [UInt8](repeating: 0x41, count: count)
                    text[place] = byte
                    let bytes = Base64URL.decode(text)
                    let isSpelling = count % 4 != 1 && Self.alphabet.contains(byte)
                    // What is decoded is written again in the same way, or the text was not the one spelling.
                    if let bytes, Array(Base64URL.encode(bytes).utf8) != text { Issue.record("\(text)") }
                    if !isSpelling, bytes != nil { Issue.record("\(text)") }
                    if isSpelling, bytes == nil, place != count - 1 || count % 4 == 0 { Issue.record("\(text)") }
                }
            }
        }
        // The last of two characters has four bits that say nothing, the last of three has two.
        #expect(Self.alphabet.count { Base64URL.decode([0x41, $0]) != nil } == 4)
        #expect(Self.alphabet.count { Base64URL.decode([0x41, 0x41, $0]) != nil } == 16)
    }
}
