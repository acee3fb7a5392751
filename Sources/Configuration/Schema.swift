// COLD. The JSON Schema (draft 7) of the configuration, for editors: written from the keys themselves.
import Settings

/// `config/portcullis.schema.json`.
public enum Schema {
    /// The schema as JSON text.
    public static func json() -> String {
        var writer = SchemaWriter()
        guard case .section(let top) = GatewaySettings.shape else { return "{}\n" }
        let root = writer.object(top)
        var members: [(String, JSONValue)] = [
            ("$schema", .string("http://json-schema.org/draft-07/schema#")),
            ("title", .string("Portcullis configuration")),
        ]
        members += root
        let environment: [(String, JSONValue)] = [
            ("description", .string("A value with ${NAME} from the environment.")), ("type", .string("string")),
            ("pattern", .string("\\$\\{")),
        ]
        let definitions = writer.definitions.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        members.append(("definitions", .object([("FromEnvironment", .object(environment))] + definitions)))
        return JSONValue.object(members).text() + "\n"
    }
}

/// A JSON value whose members keep their order.
private indirect enum JSONValue {
    case string(String)
    case number(Int)
    case bool(Bool)
    case array([JSONValue])
    case object([(String, JSONValue)])

    func text(_ indent: Int = 0) -> String {
        let margin = String(repeating: " ", count: indent + 2)
        let end = String(repeating: " ", count: indent)
        switch self {
        case .string(let text): return Self.quote(text)
        case .number(let number): return String(number)
        case .bool(let value): return value ? "true" : "false"
        case .array(let elements):
            let isFlat = elements.allSatisfy {
                switch $0 {
                case .object, .array: false
                default: true
                }
            }
            if isFlat { return "[\(elements.map { $0.text() }.joined(separator: ", "))]" }
            return "[\n\(elements.map { margin + $0.text(indent + 2) }.joined(separator: ",\n"))\n\(end)]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            if members.count == 1, case .string = members[0].1 {
                return "{ \(Self.quote(members[0].0)): \(members[0].1.text()) }"
            }
            let lines = members.map { "\(margin)\(Self.quote($0.0)): \($0.1.text(indent + 2))" }
            return "{\n\(lines.joined(separator: ",\n"))\n\(end)}"
        }
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// Makes schemas of shapes; sections become definitions.
private struct SchemaWriter {
    var definitions: [String: JSONValue] = [:]

    mutating func object(_ section: SectionShape) -> [(String, JSONValue)] {
        let keys = section.keys()
        var members: [(String, JSONValue)] = [
            ("type", .string("object")),
            ("additionalProperties", .bool(false)),
            ("properties", .object(keys.map { ($0.name, property($0)) })),
        ]
        let required = keys.filter(\.isRequired).map { JSONValue.string($0.name) }
        if !required.isEmpty { members.append(("required", .array(required))) }
        let rules = section.choices.map { choice -> JSONValue in
            let each = choice.names.map { JSONValue.object([("required", .array([.string($0)]))]) }
            if choice.isRequired { return .object([("oneOf", .array(each))]) }
            let none = JSONValue.object([("not", .object([("anyOf", .array(each))]))])
            return .object([("oneOf", .array(each + [none]))])
        }
        if !rules.isEmpty { members.append(("allOf", .array(rules))) }
        return members
    }

    private mutating func property(_ key: KeyDescription) -> JSONValue {
        let text = [key.doc, key.limits.map { "\($0.prefix(1).uppercased())\($0.dropFirst())." }].compactMap { $0 }
        var members: [(String, JSONValue)] = [("description", .string(text.joined(separator: " ")))]
        switch key.shape {
        case .section, .list(.section, _): break
        default: if let text = key.text, key.isRequired == false { members.append(("default", value(text, key.shape))) }
        }
        let schema = self.schema(key.shape)
        if case .object(let inner) = schema, inner.first?.0 != "$ref" {
            members += inner
        } else {
            // Nothing beside `$ref` counts in draft 7.
            members.append(("allOf", .array([schema])))
        }
        return .object(members)
    }

    private mutating func schema(_ shape: SettingShape) -> JSONValue {
        switch shape {
        case .string(pattern: nil): return .object([("type", .string("string"))])
        case .list(let element, let count):
            var members: [(String, JSONValue)] = [("type", .string("array")), ("items", schema(element))]
            if let count {
                if count.lowerBound > 0 { members.append(("minItems", .number(count.lowerBound))) }
                members.append(("maxItems", .number(count.upperBound)))
            }
            return .object(members)
        case .section(let section):
            let reference = JSONValue.object([("$ref", .string("#/definitions/\(section.name)"))])
            if definitions[section.name] == nil {
                definitions[section.name] = .bool(true)  // Sections can hold themselves.
                definitions[section.name] = .object(object(section))
            }
            guard let shorthand = section.shorthand else { return reference }
            let short = schema(shorthand)
            return .object([
                (
                    "anyOf",
                    .array([reference, short, .object([("const", .bool(false))])].dropLast(isOff(shorthand) ? 0 : 1))
                )
            ])
        case .either(let shapes):
            var all = shapes.map { plain($0) }
            all += [.object([("$ref", .string("#/definitions/FromEnvironment"))])]
            return .object([("anyOf", .array(all))])
        case .dictionary:
            return .object([
                ("type", .string("object")), ("additionalProperties", .object([("type", .string("string"))])),
            ])
        case .string, .integer, .boolean, .choice:
            return .object([
                ("anyOf", .array([plain(shape), .object([("$ref", .string("#/definitions/FromEnvironment"))])]))
            ])
        }
    }

    /// `off` without quotes is `false` to YAML 1.1 editors.
    private func isOff(_ shape: SettingShape) -> Bool {
        if case .choice(["off"]) = shape { return true }
        return false
    }

    private mutating func plain(_ shape: SettingShape) -> JSONValue {
        switch shape {
        case .string(let pattern):
            return .object([("type", .string("string"))] + (pattern.map { [("pattern", .string($0))] } ?? []))
        case .integer(let range):
            var members: [(String, JSONValue)] = [("type", .string("integer"))]
            if let range {
                members.append(("minimum", .number(range.lowerBound)))
                if range.upperBound != .max { members.append(("maximum", .number(range.upperBound))) }
            }
            return .object(members)
        case .boolean: return .object([("type", .string("boolean"))])
        case .choice(let words): return .object([("enum", .array(words.map { .string($0) }))])
        case .list, .section, .either, .dictionary: return schema(shape)
        }
    }

    private func value(_ text: SettingText, _ shape: SettingShape) -> JSONValue {
        switch text {
        case .list(let elements):
            if case .list(let inner, _) = shape { return .array(elements.map { value($0, inner) }) }
            return .array(elements.map { value($0, shape) })
        case .mapping(let entries): return .object(entries.map { ($0.key, value($0.value, .string(pattern: nil))) })
        case .scalar(let scalar):
            if scalar.hasPrefix("\""), scalar.hasSuffix("\""), scalar.utf8.count >= 2 {
                return .string(String(scalar.dropFirst().dropLast()))
            }
            if case .string = shape { return .string(scalar) }
            if let number = Int(scalar) { return .number(number) }
            if scalar == "true" || scalar == "false" { return .bool(scalar == "true") }
            return .string(scalar)
        }
    }
}
