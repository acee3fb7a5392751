// COLD. What an own template must hold so that its form can be sent and understood.

/// Forms in templates.
enum PageForms {
    /// What a form needs: values that a page fills in, and fields by the names that the portal reads.
    private static let needed: [String: (values: [String], fields: [String])] = [
        "login": (["action", "csrf", "return_to"], ["username", "password", "csrf", "return_to"]),
        "second_factor": (["action", "csrf", "return_to"], ["code", "csrf", "return_to"]),
        "sessions": (["action", "logout_action", "csrf", "handle"], ["csrf", "handle"]),
        "confirm": (["action", "csrf"], ["csrf"]),
    ]

    /// What is missing on a page whose parts are `texts`, as ends of sentences.
    static func problems(_ page: String, _ texts: [String]) -> [String] {
        guard let needed = needed[page] else { return [] }
        let text = texts.map(withoutComments).joined(separator: "\n")
        let used = Set(PageTag.all(text).filter { $0.kind == " " }.map(\.name))
        let values = needed.values.filter { !used.contains($0) }.map { "a form does not work without {{\($0)}}" }
        if !values.isEmpty { return values }
        let plain = text.lowercased().replacing("'", with: "\"")
        guard plain.contains("<form"), plain.contains("method=\"post\"") || plain.contains("method=post") else {
            return ["there is no <form method=\"post\">"]
        }
        return needed.fields.filter { !plain.contains("name=\"\($0)\"") && !plain.contains("name=\($0)") }
            .map { "a form does not work without a field with name=\"\($0)\"" }
    }

    /// Without what browsers do not see.
    private static func withoutComments(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "<!--") {
            result += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstRange(of: "-->") else { return result }
            rest = rest[end.upperBound...]
        }
        return result + rest
    }
}
