// COLD. What `Accept` says of pages: qualities, cases, quotes, and what has not its form.
import Testing

@testable import Gateway

@Suite("Accepted form")
struct AcceptedFormTests {
    @Test(
        "HTML is wanted where it is named, not refused, and no worse than JSON",
        arguments: [
            ("text/html", true), ("TEXT/HTML", true), ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("*/*", false),
            ("", false), ("text/*", false), ("text/html;q=0", false), ("text/html;q=0.0", false),
            ("text/html;q=0.001", true),
            ("application/json, text/html;q=0", false), ("application/json;q=0.9,text/html;q=0.1", false),
            ("application/json;q=0.1,text/html;q=0.9", true), ("text/html,application/json", true),
            ("application/problem+json,text/html;q=0.5", false),
            ("text/html ; level=1 ; Q=0.5 ,application/json;q=0.4", true),
            ("text/html;q=0,text/html", true), ("text/html;q=2", false), ("text/html;q=", false),
            ("text/html;q=1.", true),
            ("text/html;q=0.9999999999999999999999", true), ("text/html;x=\"a;q=0\"", true),
            ("x/y;z=\",text/html,\"", false), ("x/y;z=\"\\\",text/html", false), (",, ,text/html,,", true),
            ("text/html;", true), (";q=1", false), ("text/htmlx", false), ("xtext/html", false),
        ]
    )
    func reads(_ accept: String, _ expected: Bool) {
        var form = AcceptedForm()
        var bytes = Array(accept.utf8)
        bytes.withUnsafeMutableBufferPointer { buffer in
            if let start = buffer.baseAddress { form.read(start, buffer.count) }
        }
        #expect(form.isHTML == expected)
    }
}
