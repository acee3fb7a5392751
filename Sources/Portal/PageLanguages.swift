// COLD. The languages that there are: shipped, changed or added by the operator's folder, and which are offered.
import FoundationEssentials

/// Reads the strings files.
enum PageLanguages {
    private static let shipped: [String: [UInt8]] = [
        "en": PackageResources.strings_en_yaml, "de": PackageResources.strings_de_yaml,
    ]

    /// The shipped English words: what there is to say.
    static let english = builtIn("en")

    private static func builtIn(_ language: String) -> PageStrings {
        var problems: [String] = []
        let text = String(decoding: shipped[language] ?? [], as: UTF8.self)
        return PageStrings.read(text, file: "strings", language: language, problems: &problems)
    }

    /// All languages, and those that are offered in order: the default first, unless the configuration orders them.
    static func read(
        _ options: PageOptions,
        _ problems: inout [String],
        _ warnings: inout [String]
    ) -> (strings: [String: PageStrings], order: [String]) {
        var strings = ["en": english, "de": builtIn("de")]
        if let folder = options.strings { read(folder, into: &strings, &problems, &warnings) }
        let fallback = options.defaultLanguage.lowercased()
        var order = options.languages.map { $0.lowercased() }
        if order.isEmpty { order = [fallback] + strings.keys.sorted().filter { $0 != fallback } }
        for (index, language) in order.enumerated() where order[..<index].contains(language) {
            problems.append("language \(language): it is there twice")
        }
        for language in Set(order + [fallback]).sorted() where strings[language] == nil {
            let known = strings.keys.sorted().joined(separator: ", ")
            problems.append(
                "language \(language): there are no texts; there are \(known). Add strings.\(language).yaml"
            )
        }
        if !order.contains(fallback) { order.append(fallback) }
        return (strings, order)
    }

    private static func read(
        _ folder: String,
        into strings: inout [String: PageStrings],
        _ problems: inout [String],
        _ warnings: inout [String]
    ) {
        let files: [String]
        do {
            files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        } catch {
            problems.append("\(folder): cannot be read as a folder of texts")
            return
        }
        var first: [String: String] = [:]
        for file in files where !file.hasPrefix(".") && (file.hasSuffix(".yaml") || file.hasSuffix(".yml")) {
            let path = "\(folder)/\(file)"
            guard file.hasPrefix("strings.") else {
                warnings.append("\(path): is not read; texts are in strings.LANGUAGE.yaml, such as strings.fr.yaml")
                continue
            }
            let parts = file.split(separator: ".")
            guard parts.count == 3, PageLanguage.isTag(String(parts[1])) else {
                problems.append("\(path): expected strings.LANGUAGE.yaml, such as strings.fr.yaml")
                continue
            }
            let language = parts[1].lowercased()
            if let other = first.updateValue(file, forKey: language) {
                problems.append("\(path): the texts of \(language) are in \(other) already")
                continue
            }
            guard let text = PageFile.text(path, &problems) else { continue }
            let own = PageStrings.read(text, file: path, language: language, problems: &problems)
            problems += own.problems(against: english, file: path)
            for (key, text) in own.texts.sorted(by: { $0.key < $1.key }) where text.isEmpty {
                warnings.append("\(path): \(key): the text is empty")
            }
            var all = strings[language] ?? PageStrings(language: language)
            all.overlay(own)
            let missing = all.missing(from: english)
            if let first = missing.first {
                warnings.append("\(path): \(missing.count) texts are missing, such as \(first): they are in English")
                all.complete(from: english)
            }
            strings[language] = all
        }
    }
}
