// COLD. Heads that are refused before they are read to their end: in which form and language that is told.
import Bytes
import HTTP
import Portal

extension Exchange {
    /// Finds in `text`, a head as far as it came, what it says of the answer's form and language.
    ///
    /// What stands there may be malformed in any way: it decides about nothing else.
    func noteForm(of text: UnsafeBufferPointer<UInt8>?) {
        guard let text, let bytes = text.baseAddress else { return }
        var form = AcceptedForm()
        var language = Slice()
        var start = 0
        while let end = Scan.first(0x0a, in: bytes, from: start, to: text.count) {
            var stop = end
            if stop > start, bytes[stop &- 1] == 0x0d { stop &-= 1 }
            // An empty line before the request line is none.
            guard stop > start || start == 0 else { break }
            if let value = Self.value(of: "accept:", bytes, start, stop) {
                form.read(bytes + value.start, value.count)
            } else if language.isEmpty, let value = Self.value(of: "accept-language:", bytes, start, stop) {
                language = value
            }
            start = end &+ 1
        }
        note.acceptsHTML = form.isHTML
        guard form.isHTML, let pages = plan.snapshot.errorPages else { return }
        note.language = AcceptedLanguage.choose(
            among: pages.languages,
            fallback: pages.fallback,
            bytes + language.start,
            language.count
        )
    }

    /// What stands behind `name` (lower case, with its colon) in a line that begins with it.
    private static func value(
        of name: StaticString,
        _ bytes: UnsafePointer<UInt8>,
        _ start: Int,
        _ end: Int
    ) -> Slice? {
        let length = name.utf8CodeUnitCount
        guard end &- start >= length, Scan.equalFolded(bytes + start, length, name) else { return nil }
        return Slice(start &+ length, end)
    }
}
