// COLD. Which of the languages that there are suits a reader (RFC 9110 §12.5.4, RFC 4647 §3.4), and its plural forms.

/// Languages.
enum PageLanguage {
    /// No browser sends more ranges than this.
    private static let mostRanges = 32

    /// The one of `available` (lower-cased tags) that `acceptLanguage` likes best; `fallback` when it likes none.
    static func choose(_ acceptLanguage: String, among available: [String], fallback: String) -> String {
        var ranges: [(tag: String, weight: Int)] = []
        var refused: Set<String> = []
        for part in acceptLanguage.prefix(1024).split(separator: ",").prefix(mostRanges) {
            let pieces = part.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            guard let tag = pieces.first?.lowercased(), isTag(tag) || tag == "*" else { continue }
            var weight = 1000
            for piece in pieces.dropFirst() where piece.lowercased().hasPrefix("q=") {
                weight = permille(piece.dropFirst(2)) ?? 0
            }
            if weight > 0 { ranges.append((tag, weight)) } else { refused.insert(tag) }
        }
        // A stable order: of two that weigh the same the first is preferred.
        let ordered = ranges.enumerated().sorted {
            ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset)
        }
        for (_, range) in ordered {
            if range.tag == "*" {
                let rest = [fallback] + available
                if let any = rest.first(where: { tag in !refused.contains(tag) }) { return any }
                continue
            }
            if let found = match(range.tag, among: available) { return found }
        }
        return fallback
    }

    /// `tag` itself, what it is a kind of (`de` for `de-at`), or a kind of it (`pt-br` for `pt`).
    static func match(_ tag: String, among available: [String]) -> String? {
        var tag = tag.lowercased()
        guard isTag(tag) else { return nil }
        let whole = tag
        while true {
            if available.contains(tag) { return tag }
            guard let cut = tag.lastIndex(of: "-") else { break }
            tag = String(tag[..<cut])
        }
        return available.first { $0.hasPrefix(whole + "-") }
    }

    /// Whether it has the form of a language tag (RFC 5646 §2.1, letters, digits and hyphens).
    static func isTag(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard let first = parts.first, (2...3).contains(first.utf8.count), text.utf8.count <= 35 else { return false }
        return first.utf8.allSatisfy { isLetter($0) }
            && parts.allSatisfy {
                (1...8).contains($0.utf8.count) && $0.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
            }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) && byte >= 0x41 }

    /// `0.8` as 800; nil when it is not a weight (RFC 9110 §12.4.2).
    private static func permille(_ text: Substring) -> Int? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first.flatMap({ Int($0) }), whole == 0 || whole == 1 else { return nil }
        let digits = parts.count > 1 ? parts[1] : ""
        guard digits.utf8.count <= 3, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let thousandths = Int(digits + String(repeating: "0", count: 3 - digits.utf8.count)) ?? 0
        return min(1000, whole * 1000 + thousandths)
    }

    /// Whether it is written from right to left.
    static func isRightToLeft(_ tag: String) -> Bool {
        ["ar", "fa", "he", "ps", "ur", "yi", "ckb", "dv"].contains(
            tag.split(separator: "-").first.map(String.init) ?? ""
        )
    }

    /// The plural form of a whole number (CLDR's names; whole numbers only): `one`, `few`, `many` or `other`.
    static func plural(_ count: Int, in tag: String) -> String {
        let (last, lastTwo) = (count % 10, count % 100)
        let isFew = (2...4).contains(last) && !(12...14).contains(lastTwo)
        switch tag.split(separator: "-").first.map(String.init) ?? "" {
        case "ja", "zh", "ko", "th", "vi", "id", "ms": return "other"
        case "fr", "pt", "hy": return count < 2 ? "one" : "other"
        case "cs", "sk": return count == 1 ? "one" : (2...4).contains(count) ? "few" : "other"
        case "pl": return count == 1 ? "one" : isFew ? "few" : "many"
        case "ru", "uk", "be": return last == 1 && lastTwo != 11 ? "one" : isFew ? "few" : "many"
        case "sr", "hr", "bs": return last == 1 && lastTwo != 11 ? "one" : isFew ? "few" : "other"
        default: return count == 1 ? "one" : "other"
        }
    }
}
