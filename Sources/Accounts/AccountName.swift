// COLD. Names of accounts in the one form that is compared, stored and throttled.
import Foundation

/// How names and e-mail addresses are compared.
public enum AccountName {
    /// Longest name, in bytes of UTF-8.
    public static let maximumBytes = 256

    /// NFC, case folded, blanks around it left out; nil: it cannot be a name (empty, longer than 256 bytes, with
    /// control or invisible characters).
    ///
    /// The form of a form is itself. Compatibility forms (NFKC) stay apart: what looks alike is not made equal.
    public static func canonical(_ text: String) -> String? {
        guard text.utf8.count <= maximumBytes else { return nil }
        let trimmed = text.trimmingCharacters(in: CharacterSet(charactersIn: " \t"))
        var folded = String.UnicodeScalarView()
        for scalar in trimmed.precomposedStringWithCanonicalMapping.unicodeScalars {
            guard isVisible(scalar) else { return nil }
            switch scalar {
            case "ß", "ẞ": folded.append(contentsOf: "ss".unicodeScalars)
            case "ς": folded.append("σ")
            case "ſ": folded.append("s")
            default: folded.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
            }
        }
        let name = String(folded).precomposedStringWithCanonicalMapping
        return name.isEmpty || name.utf8.count > maximumBytes ? nil : name
    }

    /// The same for an e-mail address, which has exactly one `@` with something on both sides.
    public static func canonical(email: String) -> String? {
        guard let name = canonical(email), !name.contains(" ") else { return nil }
        let parts = name.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } ? name : nil
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        case .spaceSeparator: scalar == " "
        default: !scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
