// COLD. A mistake in the configuration: where it is, and what to write instead.

/// A mistake in the configuration file, or something worth a second look.
public struct Diagnostic: Sendable, Equatable, CustomStringConvertible {
    /// How much it matters.
    public enum Severity: Sendable, Equatable {
        /// The file cannot be used.
        case error
        /// It can.
        case warning
    }

    /// How much it matters.
    public var severity: Severity
    /// The configuration file as it was named; filled in by the loader.
    public var file: String
    /// Where in it; `unknown` for the file as a whole.
    public var location: SourceLocation
    /// What is wrong, and what is expected.
    public var message: String

    /// An error at `location`, or a warning.
    public init(at location: SourceLocation, _ message: String, severity: Severity = .error, file: String = "") {
        self.severity = severity
        self.file = file
        self.location = location
        self.message = message
    }

    /// `file:line:column: message`, without line and column when they are not known.
    public var description: String {
        let place = location == .unknown ? file : "\(file):\(location.line):\(location.column)"
        return "\(place): \(severity == .warning ? "warning: " : "")\(message)"
    }
}

/// Finds what somebody may have meant.
public enum Spelling {
    /// The candidate nearest to `word`, when it is near enough; equal distances go to the first.
    ///
    /// Case and the difference between `_`, `-` and a capital do not count.
    public static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let sought = folded(word)
        var best: (candidate: String, distance: Int)?
        for candidate in candidates where !candidate.isEmpty {
            let offered = folded(candidate)
            let allowed = max(1, min(sought.count, offered.count) / 3)
            guard abs(sought.count - offered.count) <= allowed else { continue }
            let distance = self.distance(sought, offered)
            if distance <= allowed, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.candidate
    }

    /// `; did you mean "x"?`, or nothing.
    public static func hint(for word: String, among candidates: some Sequence<String>) -> String {
        nearest(to: word, among: candidates).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// `a, b or c`.
    public static func list(_ words: [String], or conjunction: String = "or") -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return "\(words.dropLast().joined(separator: ", ")) \(conjunction) \(last)"
    }

    /// A value from the file, short and on one line.
    public static func quoted(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars.prefix(48) {
            let isControl = scalar.value < 0x20 || scalar.value == 0x7f || (0x80...0x9f).contains(scalar.value)
            shown.unicodeScalars.append(isControl || scalar.properties.isBidiControl ? "\u{fffd}" : scalar)
        }
        return "\"\(shown)\(text.unicodeScalars.count > 48 ? "…" : "")\""
    }

    private static func folded(_ word: String) -> [UInt8] {
        word.utf8.prefix(64).filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
            .map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 | 0x20 : $0 }
    }

    /// Insertions, deletions, substitutions and swaps of neighbours.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for i in 0..<left.count {
            var row = [i + 1]
            for j in 0..<right.count {
                var value = min(last[j + 1] + 1, row[j] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    value = min(value, beforeLast[j - 1] + 1)
                }
                row.append(value)
            }
            beforeLast = last
            last = row
        }
        return last[right.count]
    }
}
